"""Checkpoints: complete before they are visible, verified before they are resumed from.

Hugging Face Trainer writes `checkpoint-<step>` in place. Here it writes into the attempt's work folder; a checkpoint is
renamed into `checkpoints/` once it is whole, so that whoever lists that folder sees complete ones only.
"""

import json
import re
import shutil
import zipfile
from pathlib import Path

from critic_trainer.failures import BadConfigurationError
from critic_trainer.files import publish_folder
from critic_trainer.model_folder import weight_faults

KEEP = 2


def checkpoint_step(path: Path) -> int | None:
    """The step in the name `checkpoint-<step>`, else None."""
    match = re.fullmatch(r"checkpoint-(\d+)", path.name)
    return None if match is None else int(match[1])


def checkpoint_fault(path: Path) -> str | None:
    """Why `path` is not a complete training checkpoint, or None if it is.

    Looks at: trainer_state.json (readable, its global_step is the name's) · the weights' safetensors headers against
    their file sizes · optimizer.pt, scheduler.pt and an rng_state*.pth being whole zip archives (their directory is at
    the end, so a cut file is seen) · DeepSpeed's `global_step<N>` folder in place of the optimizer.
    """
    step = checkpoint_step(path)
    if step is None:
        return "its name is not checkpoint-<step>"
    try:
        state = json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return f"trainer_state.json cannot be read ({error})"
    if state.get("global_step") != step:
        return f"trainer_state.json is of step {state.get('global_step')}"
    faults = weight_faults(path)
    if faults:
        return faults[0]
    states = ["optimizer.pt", "scheduler.pt"] if not (path / f"global_step{step}").is_dir() else []
    for file in [*[path / name for name in states], *path.glob("rng_state*.pth")]:
        if not zipfile.is_zipfile(file):
            return f"{file.name} is missing or cut short"
    if not any(path.glob("rng_state*.pth")):
        return "rng_state.pth is missing"
    return None


def is_complete(path: Path) -> bool:
    """Can training resume from the checkpoint folder `path`?"""
    return checkpoint_fault(path) is None


def require_complete(path: Path) -> int:
    """Step of the checkpoint to resume from. BadConfigurationError if it is incomplete: never a start from step 0."""
    fault = checkpoint_fault(path)
    step = checkpoint_step(path)
    if fault is not None or step is None:
        raise BadConfigurationError(f'attempt.json: resume_from: "{path}" is not a complete checkpoint: {fault}')
    return step


def publish_checkpoint(written: Path, folder: Path) -> Path:
    """Moves a verified checkpoint into `folder`, then removes all but the newest two. Returns its new path.

    Raises RuntimeError if it is incomplete, and then removes nothing.
    """
    fault = checkpoint_fault(written)
    if fault is not None:
        raise RuntimeError(f"the checkpoint just written at {written} is incomplete: {fault}")
    target = folder / written.name
    publish_folder(written, target)
    prune(folder)
    return target


def prune(folder: Path, keep: int = KEEP) -> None:
    """Removes all but the `keep` newest checkpoints of this attempt. One being resumed from is another attempt's."""
    found = sorted((path for path in folder.iterdir() if checkpoint_step(path) is not None), key=checkpoint_step)
    for old in found[:-keep]:
        # Out of sight first: a half-removed folder must not look like a checkpoint.
        doomed = old.with_name(f".removing-{old.name}")
        old.rename(doomed)
        shutil.rmtree(doomed)
