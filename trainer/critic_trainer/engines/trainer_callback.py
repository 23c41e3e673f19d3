"""Progress of a training from between its steps: a callback of Hugging Face's Trainer, LLaMA-Factory's and TRL's alike.

Writes metrics, publishes checkpoints, stops when asked to or when numbers are not finite. It changes nothing in a step.
"""

import math
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from critic_trainer.attempt.manifest import Attempt
from critic_trainer.attempt.result import WorkDone
from critic_trainer.engines.protocol import Progress
from critic_trainer.engines.trainer_log import normalised
from critic_trainer.engines.trainer_resuming import keep_micro_batch
from critic_trainer.failures import BadConfigurationError, CheckpointedError
from critic_trainer.ranks import any_rank, barrier


class DivergedError(Exception):
    """A logged number is NaN or infinite: the weights are lost, further steps are wasted."""


class StepObserver(TrainerCallback):
    """Watches a training. Ask `work_done` after it. DivergedError and CheckpointedError leave `train()` through it."""

    def __init__(self, attempt: Attempt, progress: Progress) -> None:
        self._attempt = attempt
        self._progress = progress
        self._first_step: int | None = None
        self._last_step: int | None = None
        self._written: Path | None = None
        self._stopping = False

    def work_done(self, diverged: bool = False) -> WorkDone:
        """What was done, as it was seen. `steps` counts from the very first attempt's first step."""
        finite = self._progress.metrics.finite and not diverged
        return WorkDone(
            steps=self._last_step or 0,
            first_step=self._first_step,
            resumed_from_step=self._progress.resumed_from_step,
            finite=finite,
            rows=None,
            has_model=finite,
        )

    def on_init_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        if self._progress.resumed_from_step is not None:
            keep_micro_batch(args.train_batch_size)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Before the first step: refuses a plan that differs from the trainer's, and a resume that did not happen."""
        planned = self._attempt.planned_steps
        if planned is not None and state.max_steps != planned:
            raise BadConfigurationError(
                f"attempt.json: planned.steps: the trainer counts {state.max_steps}, got {planned}"
            )
        resumed = self._progress.resumed_from_step
        if state.global_step != (resumed or 0):
            raise RuntimeError(f"asked to go on after step {resumed}, at step {state.global_step}")

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._publish(args)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        self._first_step = self._first_step or state.global_step
        self._last_step = state.global_step
        asked = any_rank(self._progress.stop_requested, args.device)
        if asked and state.global_step < state.max_steps:
            self._stopping = True
            control.should_save = True
            control.should_training_stop = True

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Raises DivergedError before Trainer would save: a checkpoint of NaN is worth nothing."""
        values = normalised(logs or {})
        if not values:
            return
        non_finite = sorted(name for name, value in values.items() if not math.isfinite(value))
        if state.is_world_process_zero:
            self._progress.metrics.append(state.global_step, state.max_steps, values)
        if any_rank(bool(non_finite), args.device):
            self._progress.metrics.finite = False
            raise DivergedError(f"step {state.global_step}: {', '.join(non_finite) or 'another rank'} not finite")

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Only remembers the checkpoint: other callbacks (LLaMA-Factory's processor) still write into it."""
        self._written = Path(args.output_dir) / f"checkpoint-{state.global_step}"

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._publish(args)
        if self._stopping:
            raise CheckpointedError(f"checkpoint of step {state.global_step} of {state.max_steps} published, as asked")

    def _publish(self, args: TrainingArguments) -> None:
        """The first rank renames once all have written their parts, and the others wait until it has."""
        if self._written is None:
            return
        barrier(args.device)
        if args.process_index == 0:
            self._progress.checkpoint(self._written)
        barrier(args.device)
        self._written = None
