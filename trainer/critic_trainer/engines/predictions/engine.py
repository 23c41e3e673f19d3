"""Prediction: one greedy and one or several sampled answers for each pair, on every process of the job.

Rows are answered in batches, which are shared out among the processes (shared_rows.py) and merged by the first one. A
checkpoint is `checkpoint-<rows>`: whole batches, whichever they are (batches.py). Since a batch's answers do not depend
on what was answered before, a resumed prediction gives the rows that an uninterrupted one would have given, at
whatever number of processes.
"""

import logging
import shutil
import time
from abc import abstractmethod
from pathlib import Path
from typing import Any

from critic_trainer.attempt.checkpoints import checkpoint_step
from critic_trainer.attempt.manifest import Attempt
from critic_trainer.attempt.result import WorkDone
from critic_trainer.engines.predictions.batches import Batches, Lines, read_rows, read_settings, write_rows
from critic_trainer.engines.predictions.shared_rows import Answerer, Gathering, Share
from critic_trainer.engines.protocol import Engine, Progress
from critic_trainer.failures import CheckpointedError, TryAgainError
from critic_trainer.files import publish_folder
from critic_trainer.inputs.rows import read_prompts

log = logging.getLogger(__name__)

CHECKPOINT_SECONDS = 15
"""Between two checkpoints; longer where one takes more than a twentieth of it to write."""
LATE_SECONDS = 90
"""How long a file that another node wrote may stay invisible."""
LOOK_SECONDS = 0.5
"""Between two looks at what the others have finished."""
_CHANGE_NO_ANSWER = {"processes", "gpu_memory_utilization", "max_prompt_length"}


def answer_settings(attempt: Attempt) -> dict[str, Any]:
    """What the answers depend on beside rows and model. A checkpoint with others is none of this attempt's."""
    given = {name: value for name, value in attempt.params.items() if name not in _CHANGE_NO_ANSWER}
    return {"samples": 1, "prefill": "", **given, "engine": attempt.engine, "seed": attempt.seed}


class Prediction(Engine):
    """Predictions by a model that `load` loads."""

    kind = "predict"

    @abstractmethod
    def load(self) -> Answerer:
        """The model, on this process's GPU, or on its CPU threads. Called once, when there is a batch to answer."""

    @property
    def processes(self) -> int | None:
        return self.attempt.params.get("processes")

    def render(self) -> None:
        attempt = self.attempt
        file = attempt.inputs["prompts"] / f"{attempt.params['split']}.jsonl"
        rows = read_prompts(file, attempt.inputs["dataset"], verify=self.ranks.first, judged=False)
        self._batches = Batches(rows, attempt.params["batch_size"])
        if self.ranks.first and self.ranks.world > self._batches.count:
            log.warning("%d processes, %d batches: some have nothing to do", self.ranks.world, self._batches.count)
        self._staging = attempt.work / "output"
        self._shared = attempt.directory / "answered"

    def checkpoint_fault(self, path: Path) -> str | None:
        """Whole batches of the same rows, answered alike. A file system that fails is no fault of the checkpoint."""
        try:
            ids, lines = read_rows(path)
            settings = read_settings(path)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError) as error:
            return f"its predictions cannot be read ({error})"
        if checkpoint_step(path) != len(ids):
            return f"it holds {len(ids)} rows"
        ours = answer_settings(self.attempt)
        if settings is not None and settings != ours:
            names = sorted(name for name in ours | settings if ours.get(name) != settings.get(name))
            return f"it was made with another {' and another '.join(names)}"
        try:
            self._batches.found_in(ids, lines)
        except ValueError as error:
            return f"it is not of these prompts in batches of {self._batches.size} ({error})"
        return None

    def launch(self, progress: Progress) -> WorkDone:
        resumed = self.attempt.resume_from
        done: dict[int, Lines] = {} if resumed is None else self._batches.found_in(*read_rows(resumed))
        share = Share(self._shared, self._batches, self.ranks, set(done), lambda: self.stops(progress))
        if not self.ranks.first:
            share.answer(self.load, lambda: None)
            return WorkDone(None, None, None, finite=True, rows=None, has_model=False)
        gathering = Gathering(self._shared, self._batches, self.ranks.world, done)
        lines = _Whole(self, progress, gathering, self._batches.count).answered_by_all(share)
        write_rows(self._staging, lines)
        return WorkDone(None, None, None, finite=True, rows=len(lines), has_model=False)

    def publish(self) -> None:
        publish_folder(self._staging, self.attempt.output)
        # All ranks have written their last there.
        shutil.rmtree(self._shared, ignore_errors=True)

    def stops(self, progress: Progress) -> bool:
        """Is this rank asked to stop? Then the others learn it too."""
        if not progress.stop_requested:
            return False
        if self.ranks.world > 1:
            progress.tell_stop()
        return True


class _Whole:
    """The first rank's view of the prediction: metrics, checkpoints, and the merged lines in the end."""

    def __init__(self, engine: Prediction, progress: Progress, gathering: Gathering, batches: int) -> None:
        self._engine, self._progress, self._gathering, self._batches = engine, progress, gathering, batches
        self._kept = gathering.rows
        self._due = time.monotonic() + CHECKPOINT_SECONDS

    def answered_by_all(self, share: Share) -> Lines:
        """All lines. Raises CheckpointedError if asked to stop, RuntimeError if another rank failed, TryAgainError.

        Whatever it raises, what was finished is in a checkpoint then, if one can be written.
        """
        try:
            share.answer(self._engine.load, self._look)
            self._await_others()
        except Exception:
            self._keep_if_possible()
            raise
        missing = self._gathering.missing
        if not missing:
            return self._gathering.merged()
        self._keep()
        if self._gathering.stopped or self._progress.stop_requested:
            raise CheckpointedError(f"{self._gathering.rows} rows kept, as asked")
        raise TryAgainError(f"batches {missing[:5]} were begun, and their answers do not show after {LATE_SECONDS} s")

    def _await_others(self) -> None:
        while not self._gathering.alone:
            self._look()
            self._engine.stops(self._progress)
            time.sleep(LOOK_SECONDS)
        end = time.monotonic() + LATE_SECONDS
        self._look()
        while self._gathering.missing and not self._progress.stop_requested and not self._gathering.stopped:
            if time.monotonic() > end:
                return
            time.sleep(LOOK_SECONDS)
            self._look()

    def _look(self) -> None:
        gathering = self._gathering
        if gathering.look():
            finished = self._batches - len(gathering.missing)
            self._progress.metrics.append(finished, self._batches, {"rows": gathering.rows})
        if gathering.missing and gathering.rows > self._kept and time.monotonic() >= self._due:
            self._keep()
        if gathering.failed:
            raise RuntimeError(f"rank {min(gathering.failed)} failed: the job's log says why")

    def _keep(self) -> None:
        """Publishes a checkpoint of all that is finished, unless there is nothing or it stands already."""
        attempt, rows = self._engine.attempt, self._gathering.rows
        written = attempt.work / f"checkpoint-{rows}"
        if rows == 0 or (attempt.checkpoints / written.name).exists():
            return
        begun = time.monotonic()
        write_rows(written, self._gathering.merged(), answer_settings(attempt))
        self._progress.checkpoint(written)
        self._kept = rows
        now = time.monotonic()
        self._due = now + max(CHECKPOINT_SECONDS, 20 * (now - begun))

    def _keep_if_possible(self) -> None:
        try:
            self._gathering.look()
            self._keep()
        except Exception:
            log.exception("what was finished could not be kept")
