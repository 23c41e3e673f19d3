"""The shards of a checkpoint as one Hugging Face model: made by the engine's own merger, then looked at."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from critic_trainer.engines.ray.processes import share_fate
from critic_trainer.model_folder import weight_faults

_COMPLAINT = re.compile(r"cannot find key|missing key", re.IGNORECASE)
_TIED, _EMBEDDING = "lm_head.weight", "model.embed_tokens.weight"
_WEIGHTS = (".safetensors", ".safetensors.index.json", ".bin", ".bin.index.json", ".pt", ".pth")


def run_merger(module: list[str], work: Path) -> None:
    """Runs `python -m <module and arguments>`. Raises RuntimeError if it fails, or says that it misses a tensor."""
    done = subprocess.run(  # noqa: S603 - a list
        [sys.executable, "-P", "-m", *module],
        cwd=work,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
        preexec_fn=share_fate,
    )
    sys.stderr.write(done.stdout)
    complaint = next((line for line in done.stdout.splitlines() if _COMPLAINT.search(line)), None)
    if done.returncode != 0 or complaint is not None:
        said = complaint or (done.stdout.strip().splitlines() or ["nothing"])[-1]
        raise RuntimeError(f"{module[0]} ended with {done.returncode} and said: {said[:300]}")


def assemble(merged: Path, base: Path, folder: Path) -> None:
    """Makes the model `folder` of the merged weights and the base model's other files.

    The merger's own configuration is of its transformers, in which later stages, with theirs, would read other values.
    Raises RuntimeError if the weights are not those of this model, trained.
    """
    faults = merge_faults(merged, base)
    if faults:
        raise RuntimeError(f"the merged model is not the trained base model: {'; '.join(faults[:5])}")
    folder.mkdir()
    for file in sorted(base.iterdir()):
        if file.is_file() and not file.name.endswith(_WEIGHTS):
            shutil.copyfile(file, folder / file.name)
    for file in sorted(merged.iterdir()):
        if file.name.endswith(_WEIGHTS):
            shutil.move(file, folder / file.name)


def merge_faults(merged: Path, base: Path) -> list[str]:
    """What is wrong with merged weights: files cut or missing, names or shapes unlike the base's, nothing changed."""
    faults = weight_faults(merged)
    if faults:
        return faults
    made, known = _files_of(merged), _files_of(base)
    tied = {_TIED} if _is_tied(base) else set()
    missing, further = (
        sorted(known.keys() - made.keys() - tied),
        sorted(made.keys() - known.keys() - _copies(made, tied)),
    )
    faults += [f"{len(missing)} tensors are missing ({missing[0]}, …)"] if missing else []
    faults += [f"{len(further)} tensors are not of it ({further[0]}, …)"] if further else []
    return faults or _content_faults(made, known)


def _copies(made: dict[str, Path], tied: set[str]) -> set[str]:
    """Those of the tied tensors that are written out, and are what they are tied to."""
    import torch
    from safetensors import safe_open

    if not tied or not {_TIED, _EMBEDDING} <= made.keys():
        return set()
    with safe_open(made[_TIED], framework="pt") as head, safe_open(made[_EMBEDDING], framework="pt") as embedding:
        equal = torch.equal(head.get_tensor(_TIED), embedding.get_tensor(_EMBEDDING))
    return tied if equal else set()


def _content_faults(made: dict[str, Path], known: dict[str, Path]) -> list[str]:
    import torch
    from safetensors import safe_open

    faults, changed = [], 0
    for name in sorted(made.keys() & known.keys()):
        with safe_open(made[name], framework="pt") as new, safe_open(known[name], framework="pt") as old:
            trained, before = new.get_tensor(name), old.get_tensor(name)
        if trained.shape != before.shape:
            faults.append(f"{name} has shape {tuple(trained.shape)} instead of {tuple(before.shape)}")
        elif not torch.isfinite(trained).all():
            faults.append(f"{name} holds NaN or infinity")
        else:
            # In the merger's precision: bf16 rounds what was not trained, too.
            changed += not torch.equal(trained, before.to(trained.dtype))
    return faults or ([] if changed else ["no tensor differs from the base's"])


def _files_of(folder: Path) -> dict[str, Path]:
    """Each tensor's file."""
    from safetensors import safe_open

    files = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as tensors:
            files |= dict.fromkeys(tensors.keys(), path)
    return files


def _is_tied(model: Path) -> bool:
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    return bool(config.get("tie_word_embeddings") or config.get("text_config", {}).get("tie_word_embeddings"))
