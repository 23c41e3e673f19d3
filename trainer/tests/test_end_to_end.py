"""Each kind of work with the real LLaMA-Factory, TRL and generate(), on a tiny model, in one process."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import PAIRS, MakeAttempt, lines

from critic_trainer import failures
from critic_trainer.__main__ import run_attempt
from critic_trainer.engines.trainer_checkpoints import trainer_checkpoint_fault
from critic_trainer.engines.trl.engine import Trl
from critic_trainer.engines.versions import versions_of

TRAINER = Path(__file__).parent.parent
NUMBERS = ("loss", "grad_norm", "lr", "reward", "reward_l1", "reward_format", "response_length", "entropy")


def result(directory: Path) -> dict[str, Any]:
    return json.loads((directory / "result.json").read_text())


def numbers(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What must be equal in a resumed and an uninterrupted run: all but times."""
    return [{key: round(row[key], 6) for key in ("step", *NUMBERS) if key in row} for row in rows]


def request_checkpoint_after(directory: Path, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes `checkpoint-requested` as the job script does, while the given step runs."""
    from critic_trainer.engines.trainer_callback import StepObserver

    original = StepObserver.on_step_begin

    def on_step_begin(self: StepObserver, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        original(self, args, state, control, **kwargs)
        if state.global_step == step - 1:
            (directory / "checkpoint-requested").touch()

    monkeypatch.setattr(StepObserver, "on_step_begin", on_step_begin)


@pytest.mark.usefixtures("uneven_rewards")
@pytest.mark.parametrize(("kind", "steps", "stop_at"), [("sft", 6, 3), ("grpo", 4, 3)])
def test_a_training_asked_to_checkpoint_goes_on_as_if_it_had_not_been_interrupted(
    kind: str, steps: int, stop_at: int, make_attempt: MakeAttempt, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, first = make_attempt(kind, "a1"), make_attempt(kind, "a2")
    assert run_attempt(whole) == failures.OK
    assert result(whole)["steps_done"] == steps
    assert result(whole)["finite"] is True
    assert [row["step"] for row in lines(whole / "metrics.jsonl")] == list(range(1, steps + 1))

    assert all(row["grad_norm"] > 0 for row in lines(whole / "metrics.jsonl"))
    assert (whole / "output" / "model.safetensors").read_bytes() != (model / "model.safetensors").read_bytes()

    with monkeypatch.context() as patch:
        request_checkpoint_after(first, stop_at, patch)
        assert run_attempt(first) == failures.CHECKPOINTED
    assert not (first / "result.json").exists()
    assert not (first / "output").exists()
    assert sorted(path.name for path in (first / "checkpoints").iterdir()) == ["checkpoint-2", "checkpoint-3"]
    checkpoint = first / "checkpoints" / "checkpoint-3"
    assert trainer_checkpoint_fault(checkpoint) is None

    second = make_attempt(kind, "a3", resume_from=checkpoint)
    assert run_attempt(second) == failures.OK
    assert (result(second)["first_step"], result(second)["resumed_from_step"]) == (4, 3)
    both = lines(first / "metrics.jsonl") + lines(second / "metrics.jsonl")
    assert numbers(both) == numbers(lines(whole / "metrics.jsonl"))
    expected = (whole / "output" / "model.safetensors").read_bytes()
    assert (second / "output" / "model.safetensors").read_bytes() == expected

    assert run_attempt(whole) == failures.OK, "a finished attempt is left alone"
    assert (whole / "output" / "model.safetensors").read_bytes() == expected


@pytest.mark.usefixtures("uneven_rewards")
@pytest.mark.parametrize(
    ("kind", "stop_at", "halved"),
    [("sft", 3, {"batch_size": 2, "gradient_accumulation": 2}), ("grpo", 3, {"gradient_accumulation": 2})],
)
def test_a_training_whose_micro_batch_was_halved_goes_on_with_as_many_rows_a_step(
    kind: str, stop_at: int, halved: dict[str, Any], make_attempt: MakeAttempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trainer alone would take the checkpoint's micro-batch: twice the rows, and as much memory as before."""
    whole, first = make_attempt(kind, "a1"), make_attempt(kind, "a2")
    assert run_attempt(whole) == failures.OK
    with monkeypatch.context() as patch:
        request_checkpoint_after(first, stop_at, patch)
        assert run_attempt(first) == failures.CHECKPOINTED
    second = make_attempt(kind, "a3", params=halved, resume_from=first / "checkpoints" / f"checkpoint-{stop_at}")
    assert run_attempt(second) == failures.OK
    state = json.loads((second / "checkpoints" / "checkpoint-4" / "trainer_state.json").read_text())
    assert state["train_batch_size"] == 2
    ours, theirs = lines(second / "metrics.jsonl")[0], lines(whole / "metrics.jsonl")[stop_at]
    # Of SFT each micro-batch is averaged by itself. Of GRPO the answers are those that were sampled before.
    number, tolerance = ("loss", 0.02) if kind == "sft" else ("reward", 1e-6)
    assert ours[number] == pytest.approx(theirs[number], rel=tolerance)


def test_a_job_is_started_as_the_job_script_starts_it_and_takes_the_libraries_for_what_they_are(
    make_attempt: MakeAttempt,
) -> None:
    """Two engines bear the names of the libraries that they load."""
    directory = make_attempt("grpo", params={"steps": 1}, planned={"steps": 1, "rows": None})
    environment = {"PYTHONPATH": str(TRAINER), "CRITIC_ATTEMPT_DIR": str(directory)}
    command = [sys.executable, "-P", "-m", "critic_trainer"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=directory, env=environment)
    assert done.returncode == failures.OK, done.stderr
    assert result(directory)["steps_done"] == 1
    assert result(directory)["trainer"] == versions_of(Trl)


def test_a_prediction_has_a_greedy_and_a_sampled_answer_for_each_pair_and_resumes_between_batches(
    make_attempt: MakeAttempt,
) -> None:
    whole, first = make_attempt("predict", "a1"), make_attempt("predict", "a2")
    assert run_attempt(whole) == failures.OK
    rows = lines(whole / "output" / "predictions.jsonl")
    assert [row["id"] for row in rows] == [f"p{index}" for index in range(PAIRS)]
    assert all(1 <= row[way]["tokens"] <= 6 for row in rows for way in ("greedy", "sampled"))
    assert result(whole)["rows"] == PAIRS
    assert [row["rows"] for row in lines(whole / "metrics.jsonl")] == [4, 8, 12]

    (first / "checkpoint-requested").touch()
    assert run_attempt(first) == failures.CHECKPOINTED
    second = make_attempt("predict", "a3", resume_from=first / "checkpoints" / "checkpoint-4")
    assert run_attempt(second) == failures.OK
    assert lines(second / "output" / "predictions.jsonl") == rows


def test_more_samples_leave_the_first_one_as_it_is_and_a_prefill_begins_each_answer(make_attempt: MakeAttempt) -> None:
    one, three = make_attempt("predict", "a1"), make_attempt("predict", "a2", params={"samples": 3})
    filled = make_attempt("predict", "a3", params={"prefill": "<think>"})
    assert [run_attempt(directory) for directory in (one, three, filled)] == [failures.OK] * 3
    alone, rows, prefilled = (lines(directory / "output" / "predictions.jsonl") for directory in (one, three, filled))
    assert all(set(row) == {"id", "mos", "greedy", "sampled"} for row in [*alone, *prefilled])
    for row in rows:
        first, *others = row.pop("samples")
        assert first == row["sampled"]
        assert len(others) == 2
        assert others[0] != others[1]
    assert rows == alone
    assert all(row[way]["text"].startswith("<think>") for row in prefilled for way in ("greedy", "sampled"))
    assert all(1 <= row["greedy"]["tokens"] <= 6 for row in prefilled)


def test_a_prefill_stands_where_the_answer_begins_and_the_model_goes_on_after_it(model: Path, world: Path) -> None:
    from transformers import AutoProcessor

    from critic_trainer.inputs.encoding import encode
    from critic_trainer.inputs.rows import read_prompts

    processor = AutoProcessor.from_pretrained(model, use_fast=True)
    rows = read_prompts(world / "prompts" / "test.jsonl", world / "dataset")[:1]
    plain, filled = (encode(processor, rows, prefill)["input_ids"][0].tolist() for prefill in ("", "Fine."))
    assert filled[: len(plain)] == plain
    assert filled[len(plain) :] == processor.tokenizer.encode("Fine.")
