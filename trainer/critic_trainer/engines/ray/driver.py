"""The driver at work: its log becomes metrics, its checkpoints become ours, and it is ended when there is reason to."""

import json
import logging
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from critic_trainer.attempt.result import WorkDone
from critic_trainer.engines.protocol import Progress
from critic_trainer.engines.ray.cluster import end_kept
from critic_trainer.engines.ray.engine import RayEngine
from critic_trainer.failures import (
    BAD_CONFIGURATION,
    BAD_DATA,
    OUT_OF_GPU_MEMORY,
    TRY_AGAIN,
    CheckpointedError,
    TrainerError,
    TryAgainError,
)

log = logging.getLogger(__name__)
_LOOK_SECONDS = 0.5
_LATE_SECONDS = 90
"""How long a network file system may show the last numbers and shards late."""
_PATIENCE_SECONDS = 60
"""How long a request to stop waits for the numbers of a step whose checkpoint is written already."""


class Driving:
    """One run of an engine's driver."""

    def __init__(self, engine: RayEngine, progress: Progress) -> None:
        self._engine = engine
        self._attempt = engine.attempt
        self._progress = progress
        self._total = int(engine.attempt.planned_steps or engine.attempt.params["steps"])
        self._begin = progress.resumed_from_step or 0
        self._lines = Lines(engine.log)
        self._first: int | None = None
        self._last = self._begin
        self._good = self._begin
        self._published = self._begin
        self._fault: str | None = None

    def run(self, keeper: subprocess.Popen[bytes], ray_ended: Callable[[], bool] = lambda: False) -> WorkDone:
        """Returns when the driver has ended well or the numbers are not finite, and has ended it then.

        ray_ended: has Ray on this node? The driver itself would look for it for minutes. Raises CheckpointedError after
        a request to stop, TrainerError where Ray has ended or the driver's exit code says why it failed, else
        RuntimeError.
        """
        while True:
            code = keeper.poll()  # before the log is read, so that nothing of it is missed
            self._look()
            if not self._progress.metrics.finite:
                log.error("step %d: not finite: training stops, no model is published", self._last)
                end_kept(keeper)
                return self._work_done()
            if code is not None:
                return self._ended(code)
            if ray_ended():
                end_kept(keeper)
                raise TryAgainError("Ray has ended on the first node while the driver ran: the job's log says why")
            if self._progress.stop_requested and self._last < self._total:
                self._stop(keeper)
            time.sleep(_LOOK_SECONDS)

    def _look(self) -> None:
        """Writes what the driver has logged since. Publishes a checkpoint whose step's numbers are known and finite."""
        for line in self._lines.new():
            found = self._engine.numbers(line)
            if found is None:
                continue
            step, values = found
            if self._first is None and step != self._begin + 1:
                raise RuntimeError(f"asked to go on after step {self._begin}, the driver began with step {step}")
            if step <= self._last:
                continue
            self._first = self._first or step
            self._last = step
            if self._progress.metrics.append(step, self._total, values):
                break
            self._good = step
        for step in self._pending():
            if step <= self._good and not self._publish(step):
                break  # a network file system may show it whole later

    def _pending(self) -> list[int]:
        """Steps whose checkpoints the driver has written and that are not published."""
        tracked = self._engine.tracked_step() or 0
        return [step for step in range(self._published + 1, tracked + 1) if self._engine.written(step).is_dir()]

    def _publish(self, step: int) -> bool:
        written = self._engine.written(step)
        self._fault = self._engine.shards_fault(written)
        if self._fault is not None:
            return False
        folder = self._attempt.work / f"checkpoint-{step}"
        folder.mkdir()
        written.rename(folder / written.name)
        self._progress.checkpoint(folder)
        self._published = step
        log.info("checkpoint of step %d of %d published", step, self._total)
        return True

    def _stop(self, keeper: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + _PATIENCE_SECONDS
        while self._pending() and time.monotonic() < until and keeper.poll() is None:
            time.sleep(_LOOK_SECONDS)
            self._look()
        end_kept(keeper)
        if not self._progress.metrics.finite:
            return
        what = (
            f"the checkpoint of step {self._published} is the last" if self._published else "there is no checkpoint yet"
        )
        raise CheckpointedError(
            f"ended at step {self._last} of {self._total}, as asked: {what}, and the steps after it are done again, "
            f"since {self._engine.name} saves every {self._engine.save_steps} steps and not when asked"
        )

    def _ended(self, code: int) -> WorkDone:
        if code != 0:
            raise _failure(self._engine.name, code)
        until = time.monotonic() + _LATE_SECONDS
        while (self._last != self._total or self._published != self._total) and time.monotonic() < until:
            time.sleep(_LOOK_SECONDS)
            self._look()
        if self._last != self._total or self._published != self._total:
            raise RuntimeError(
                f"the driver ended at step {self._last} of {self._total} with a checkpoint of step {self._published} "
                f"({self._fault or 'no later one'})"
            )
        return self._work_done()

    def _work_done(self) -> WorkDone:
        finite = self._progress.metrics.finite
        return WorkDone(self._last, self._first, self._progress.resumed_from_step, finite, rows=None, has_model=finite)


def _failure(name: str, code: int) -> Exception:
    """What the exit code of the launcher means. 75 and the like are the trainer's own (failures.py)."""
    text = f"{name}'s driver ended with {code}: what it said is in the job's log"
    if code not in (BAD_DATA, OUT_OF_GPU_MEMORY, TRY_AGAIN, BAD_CONFIGURATION):
        return RuntimeError(text)
    error = TrainerError(text)
    error.exit_code = code
    return error


class Lines:
    """New whole lines of a growing file of JSON objects. A line that is no object is passed over."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def new(self) -> list[dict[str, object]]:
        """Those since the last call. A file that is not there yet has none."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                text = file.read()
        except FileNotFoundError:
            return []
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        rows = []
        for line in whole.splitlines():
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict):
                rows.append(row)
        return rows
