"""Model folders: is this a plain Hugging Face model that the next job can load from here alone?"""

import json
import shutil
from pathlib import Path
from typing import Any

from critic_trainer.files import publish_folder

_NEEDED = ["config.json", "generation_config.json", "tokenizer_config.json", "preprocessor_config.json"]
_TOKENIZERS = ["tokenizer.json", "vocab.json"]
_HEADER_LENGTH_BYTES = 8
_OUTPUT_LAYER = "lm_head.weight"
# Left in the work folder: the trainers' own books, which say nothing to whoever loads the model.
_BOOKS = {
    "trainer_log.jsonl",
    "trainer_state.json",
    "training_args.bin",
    "train_results.json",
    "all_results.json",
    "README.md",
}


def weight_faults(folder: Path) -> list[str]:
    """What is wrong with the folder's safetensors: missing, cut short, or not listed whole. Reads headers only."""
    return [fault for fault in (_shard_fault(path) for path in _shards(folder)) if fault is not None]


def _shards(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return [folder / "model.safetensors"]
    files = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    return [folder / name for name in sorted(files)]


def _header(path: Path) -> tuple[int, dict[str, Any]]:
    """Length and content. Format: 8 bytes little-endian header length, JSON header, data (safetensors' README)."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_HEADER_LENGTH_BYTES), "little")
        return length, json.loads(file.read(length))


def untied_fault(folder: Path) -> str | None:
    """Why transformers 5 would give this model a random output layer, with a warning alone; or None.

    It wants `tie_word_embeddings` at config.json's top level, where transformers 4 leaves it out when it saves.
    """
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if config.get("tie_word_embeddings") or any(_OUTPUT_LAYER in _header(path)[1] for path in _shards(folder)):
        return None
    return f"its weights have no {_OUTPUT_LAYER}, and config.json lacks tie_word_embeddings: true at its top level"


def _state_tied(folder: Path) -> None:
    """Says at config.json's top level what its part for the text says (untied_fault)."""
    path = folder / "config.json"
    config = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if config.get("text_config", {}).get("tie_word_embeddings") and "tie_word_embeddings" not in config:
        path.write_text(json.dumps(config | {"tie_word_embeddings": True}, indent=2) + "\n", encoding="utf-8")


def _shard_fault(path: Path) -> str | None:
    try:
        length, header = _header(path)
    except (OSError, ValueError, OverflowError, MemoryError) as error:
        return f"{path.name} cannot be read ({error})"
    ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    expected = _HEADER_LENGTH_BYTES + length + max(ends, default=0)
    size = path.stat().st_size
    return None if ends and size == expected else f"{path.name} has {size} bytes, its header says {expected}"


def model_faults(folder: Path) -> list[str]:
    """Everything that keeps `folder` from being a complete model: files, weights, numbers that are not finite."""
    faults = [f"{name} is missing" for name in _NEEDED if not (folder / name).is_file()]
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        faults.append("the tokenizer is missing")
    return faults or weight_faults(folder) or _non_finite(folder)


def _non_finite(folder: Path) -> list[str]:
    import torch
    from safetensors import safe_open

    faults = []
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as tensors:
            faults += [
                f"{path.name}: {name} holds NaN or infinity"
                for name in tensors.keys()  # noqa: SIM118 - not a mapping
                if not torch.isfinite(tensors.get_tensor(name)).all()
            ]
    return faults


def publish_model(written: Path, staging: Path, output: Path) -> None:
    """Moves the model's files out of the trainer's folder and publishes them as `output` by one rename.

    Raises RuntimeError naming what is missing or broken; `output` does not appear then.
    """
    staging.mkdir()
    for file in sorted(written.iterdir()):
        if file.is_file() and file.name not in _BOOKS:
            shutil.move(file, staging / file.name)
    _state_tied(staging)
    faults = model_faults(staging)
    if faults:
        raise RuntimeError(f"the model written by this job is not complete: {'; '.join(faults[:5])}")
    publish_folder(staging, output)


def read_pixel_limits(model: Path) -> tuple[int, int]:
    """(min_pixels, max_pixels) of the model's image processor; Qwen2-VL's defaults where it names none."""
    path = model / "preprocessor_config.json"
    config = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    size = config.get("size") or {}
    smallest = config.get("min_pixels") or size.get("shortest_edge") or 56 * 56
    largest = config.get("max_pixels") or size.get("longest_edge") or 28 * 28 * 1280
    return int(smallest), int(largest)


def write_pixel_limits(model: Path, smallest: int, largest: int) -> None:
    """Makes the folder's image processor see images as the training did, so that later stages do too."""
    path = model / "preprocessor_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config |= {"min_pixels": smallest, "max_pixels": largest}
    config["size"] = {"shortest_edge": smallest, "longest_edge": largest}
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
