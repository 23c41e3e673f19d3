"""Checkpoints: only complete ones are ever seen under their final name, and the newest two are kept.

Hugging Face's Trainer writes into `work/checkpoint-<step>` in place. Once it is whole it is renamed into
`checkpoints/`: a kill -9 while saving leaves nothing that looks like a checkpoint.
"""

import json
import shutil
from pathlib import Path

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from .attempt import Attempt, Metrics
from .exits import ConfigError

KEEP = 2


def is_complete(folder: Path) -> bool:
    """Does the folder hold weights, optimiser, scheduler, random state and a readable trainer state?"""
    try:
        json.loads((folder / "trainer_state.json").read_text())
    except (OSError, ValueError):
        return False
    needed = ("model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth", "config.json")
    return all((folder / name).is_file() for name in needed)


def step_of(folder: Path) -> int:
    """Global step of a checkpoint folder."""
    return int(json.loads((folder / "trainer_state.json").read_text())["global_step"])


def check_resume(attempt: Attempt) -> int | None:
    """Step to resume from, None for a fresh start. An incomplete checkpoint is an error, never a start from step 0."""
    if attempt.resume_from is None:
        return None
    if not is_complete(attempt.resume_from):
        raise ConfigError(f"attempt.json: resume_from: expected a complete checkpoint, got {str(attempt.resume_from)!r}")
    return step_of(attempt.resume_from)


class Keeper(TrainerCallback):
    """Logs every step, publishes checkpoints, and ends training between steps when the job was asked to."""

    def __init__(self, attempt: Attempt, metrics: Metrics, names: dict[str, str], total: int) -> None:
        self.attempt, self.metrics, self.names, self.total = attempt, metrics, names, total
        self.stopped = False
        self.last_step = 0

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs=None, **_) -> None:
        """Rows of the trainer's own log, names normalised."""
        values = {ours: logs[theirs] for theirs, ours in self.names.items() if theirs in (logs or {})}
        if values and "train_runtime" not in logs:
            self.metrics.row(state.global_step, self.total, **values)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_) -> None:
        """Between steps: the only place where stopping harms nothing."""
        self.last_step = state.global_step
        if self.attempt.checkpoint_requested() and state.global_step < self.total:
            self.stopped = True
            control.should_save = True
            control.should_training_stop = True

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_) -> None:
        """The new one is complete before the old one goes."""
        written = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if not is_complete(written):
            return
        self.attempt.checkpoints.mkdir(exist_ok=True)
        target = self.attempt.checkpoints / written.name
        if not target.exists():
            written.rename(target)
        kept = sorted(self.attempt.checkpoints.glob("checkpoint-*"), key=step_of)
        for old in kept[:-KEEP]:
            if old != self.attempt.resume_from:
                shutil.rmtree(old)
