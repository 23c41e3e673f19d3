"""Checkpoints of Hugging Face's Trainer, which LLaMA-Factory and TRL are: is one whole?"""

import json
import zipfile
from pathlib import Path

from critic_trainer.attempt.checkpoints import checkpoint_step
from critic_trainer.model_folder import weight_faults


def trainer_checkpoint_fault(path: Path) -> str | None:
    """Why `path` is not a complete training checkpoint, or None if it is. Raises OSError of a file system that fails.

    Looks at: trainer_state.json (readable, its global_step is the name's) · the weights' safetensors headers against
    their file sizes · optimizer.pt, scheduler.pt and an rng_state*.pth being whole zip archives (their directory is at
    the end, so a cut file is seen) · DeepSpeed's `global_step<N>` folder in place of the optimizer.
    """
    step = checkpoint_step(path)
    if step is None:
        return "its name is not checkpoint-<step>"
    try:
        state = json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError) as error:
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
