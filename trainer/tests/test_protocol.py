"""The protocol, with an engine of a few lines: who is asked what, in which order, and what is not done after a no."""

from pathlib import Path

import pytest
from conftest import MakeAttempt, lines

from critic_trainer.attempt.manifest import read_attempt
from critic_trainer.attempt.result import WorkDone
from critic_trainer.attempt.stop_request import StopRequest
from critic_trainer.engines.protocol import Engine, Progress, run_engine
from critic_trainer.failures import BadConfigurationError, CheckpointedError

LAST = 4


class Counting(Engine):
    """Counts to LAST. A checkpoint is whole if it holds its step; it stops and is told of numbers between steps."""

    name = "counting"
    kind = "sft"
    packages = ()
    diverges_at = LAST + 1
    leaves_checkpoints_empty = False

    def __init__(self, directory: Path) -> None:
        super().__init__(read_attempt(directory))
        self.attempt.work.mkdir()
        self.asked: list[str] = []

    def render(self) -> None:
        self.asked.append("render")

    def checkpoint_fault(self, path: Path) -> str | None:
        self.asked.append(f"fault of {path.name}")
        return None if (path / "step").is_file() else "it holds no step"

    def launch(self, progress: Progress) -> WorkDone:
        self.asked.append("launch")
        first = (progress.resumed_from_step or 0) + 1
        for step in range(first, LAST + 1):
            value = float("nan") if step == self.diverges_at else 1.0
            if progress.metrics.append(step, LAST, {"loss": value}):
                break
            if progress.stop_requested:
                self._checkpoint(step, progress)
                raise CheckpointedError(f"step {step}")
        return WorkDone(step, first, progress.resumed_from_step, progress.metrics.finite, None, has_model=True)

    def publish(self) -> None:
        self.asked.append("publish")

    def _checkpoint(self, step: int, progress: Progress) -> None:
        written = self.attempt.work / f"checkpoint-{step}"
        written.mkdir()
        if not self.leaves_checkpoints_empty:
            (written / "step").write_text(str(step))
        progress.checkpoint(written)


@pytest.fixture
def engine(make_attempt: MakeAttempt) -> Counting:
    return Counting(make_attempt("sft"))


def run(engine: Counting) -> WorkDone:
    return run_engine(engine, StopRequest(engine.attempt.directory))


def test_an_engine_renders_works_and_publishes_in_this_order(engine: Counting) -> None:
    work = run(engine)
    assert engine.asked == ["render", "launch", "publish"]
    assert (work.steps, work.first_step, work.resumed_from_step) == (LAST, 1, None)
    assert [row["step"] for row in lines(engine.attempt.directory / "metrics.jsonl")] == [1, 2, 3, 4]


def test_work_that_diverged_is_not_published(engine: Counting) -> None:
    engine.diverges_at = 2
    work = run(engine)
    assert (work.steps, work.finite) == (2, False)
    assert engine.asked == ["render", "launch"]


def test_asked_to_stop_it_leaves_a_checkpoint_that_was_looked_at_and_the_next_attempt_goes_on_from_it(
    engine: Counting, make_attempt: MakeAttempt
) -> None:
    (engine.attempt.directory / "checkpoint-requested").touch()
    with pytest.raises(CheckpointedError):
        run(engine)
    assert engine.asked == ["render", "launch", "fault of checkpoint-1"]
    checkpoint = engine.attempt.checkpoints / "checkpoint-1"
    assert (checkpoint / "step").read_text() == "1"

    following = Counting(make_attempt("sft", "a2", resume_from=checkpoint))
    work = run(following)
    assert following.asked == ["render", "fault of checkpoint-1", "launch", "publish"]
    assert (work.first_step, work.resumed_from_step) == (2, 1)


def test_a_checkpoint_with_a_fault_is_a_bug_and_is_seen_by_nobody(engine: Counting) -> None:
    engine.leaves_checkpoints_empty = True
    (engine.attempt.directory / "checkpoint-requested").touch()
    with pytest.raises(RuntimeError, match="incomplete: it holds no step"):
        run(engine)
    assert not engine.attempt.checkpoints.exists()


@pytest.mark.parametrize(
    ("name", "told"), [("checkpoint-2", "it holds no step"), ("step-2", "its name is not checkpoint-<step>")]
)
def test_from_what_is_no_checkpoint_it_never_starts_at_step_0(
    name: str, told: str, make_attempt: MakeAttempt, tmp_path: Path
) -> None:
    (tmp_path / name).mkdir()
    engine = Counting(make_attempt("sft", resume_from=tmp_path / name))
    with pytest.raises(BadConfigurationError, match=f"is not a complete checkpoint: {told}"):
        run(engine)
    assert "launch" not in engine.asked
    assert not (engine.attempt.directory / "metrics.jsonl").exists()
