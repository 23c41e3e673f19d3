"""Watching a driver, which is a script: metrics from its log, checkpoints when they are whole, ends of each kind."""

import json
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from conftest import MakeAttempt, lines

from critic_trainer.attempt.manifest import read_attempt
from critic_trainer.attempt.stop_request import StopRequest
from critic_trainer.engines.protocol import Progress
from critic_trainer.engines.ray import driver
from critic_trainer.engines.ray.driver import Driving
from critic_trainer.engines.verl.engine import Verl
from critic_trainer.failures import CheckpointedError, TrainerError, TryAgainError

VERL = {
    "prompts_per_step": 2,
    "generations": 2,
    "max_prompt_length": 256,
    "save_limit": 3,
    "validate_steps": 0,
    "micro_batch_size": 2,
    "tensor_parallel": 1,
    "gpu_memory_utilization": 0.5,
    "nodes": 1,
    "processes_per_node": 2,
}
# Writes what verl writes. Arguments: work folder, first and last step, what to do at the end.
SCRIPT = """
import json, sys, time, zipfile
from pathlib import Path
work, first, last, then = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
(work / "verl").mkdir(exist_ok=True)
(work / "rollouts").mkdir(exist_ok=True)
def line(step, score):
    data = {"critic/score/mean": score, "actor/grad_norm": 1.0, "response_length/mean": 5, "perf/x": 1}
    answer = {"output": "<think>a</think><answer>3</answer>", "gts": 3.0}
    rows = [{"uid": f"p{i // 2}_{i % 2}_0", "score": i} | answer for i in range(4)]
    (work / "rollouts" / f"{step}.jsonl").write_text("".join(json.dumps(row) + "\\n" for row in rows))
    with (work / "verl.jsonl").open("a") as file:
        file.write(json.dumps({"step": step, "data": data}) + "\\n")
for step in range(first, last + 1):
    if step % 2 == 0:
        actor = work / "verl" / f"global_step_{step}" / "actor"
        (actor / "huggingface").mkdir(parents=True)
        for kind in ("model", "optim", "extra_state"):
            for rank in range(2):
                zipfile.ZipFile(actor / f"{kind}_world_size_2_rank_{rank}.pt", "w").close()
        zipfile.ZipFile(actor.parent / "data.pt", "w").close()
        (actor / "fsdp_config.json").write_text('{"world_size": 2}')
        (actor / "huggingface" / "config.json").write_text("{}")
        if then == "cut" and step == last:
            (actor / "optim_world_size_2_rank_1.pt").write_bytes(b"half")
        (work / "verl" / "latest_checkpointed_iteration.txt").write_text(str(step))
        if then == "silent" and step == last:
            time.sleep(600)
    line(step, None if then == "nan" and step == last else 1.5)
if then == "hang":
    time.sleep(600)
sys.exit(int(then) if then.isdigit() else 0)
"""


def driving(
    make_attempt: MakeAttempt, first: int = 1, last: int = 4, then: str = "0", resumed: int | None = None
) -> Any:
    """A run of the script in place of verl, the engine and its progress."""
    attempt = read_attempt(make_attempt("grpo", params=VERL, engine={"name": "verl", "versions": {}}))
    engine = Verl(attempt)
    attempt.work.mkdir()
    progress = Progress(engine, StopRequest(attempt.directory), resumed)
    command = [sys.executable, "-c", SCRIPT, str(attempt.work), str(first), str(last), then]
    return engine, Driving(engine, progress), subprocess.Popen(command, stdin=subprocess.PIPE)


def published(engine: Verl) -> list[str]:
    folder = engine.attempt.checkpoints
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_the_log_becomes_metrics_under_our_names_and_whole_checkpoints_are_published(make_attempt: MakeAttempt) -> None:
    engine, run, process = driving(make_attempt)
    work = run.run(process)
    assert (work.steps, work.first_step, work.finite, work.has_model) == (4, 1, True, True)
    assert published(engine) == ["checkpoint-2", "checkpoint-4"]
    row = lines(engine.attempt.directory / "metrics.jsonl")[3]
    assert (row["step"], row["reward"], row["grad_norm"], row["response_length"]) == (4, 1.5, 1.0, 5.0)
    assert (row["reward_l1"], row["reward_format"], row["reward_std_zero"]) == (1.0, 1.0, 0.0)
    assert row["reward_std"] == pytest.approx(0.5**0.5)
    assert "perf/x" not in row
    assert not list((engine.attempt.work / "rollouts").iterdir())
    assert engine.checkpoint_fault(engine.attempt.checkpoints / "checkpoint-4") is None


def test_a_validation_on_the_dev_split_is_in_the_row_of_its_step(make_attempt: MakeAttempt) -> None:
    """Keys as verl 0.9.1 was seen to log them."""
    engine, run, process = driving(make_attempt)
    run.run(process)
    data = {"critic/score/mean": 1.5, "val-core/critic/reward/mean@1": 1.25, "val-aux/critic/num_turns/mean@1": 2}
    data |= {"val-aux/critic/accuracy/mean@1": 0.5, "val-aux/critic/format/mean@1": 0.75}
    engine.attempt.params["reward"] = {"shape": "l1", "floor": 0}
    (engine.attempt.work / "rollouts" / "5.jsonl").write_text(4 * '{"uid": "a", "score": 1, "output": "", "gts": 3}\n')
    found = engine.numbers({"step": 5, "data": data})
    assert found is not None
    told = {name: value for name, value in found[1].items() if name.startswith("validation")}
    assert told == {"validation_reward": 1.25, "validation_reward_l1": 0.5, "validation_reward_format": 0.75}


def test_answers_that_failed_are_an_error_though_verl_goes_on_without_them(make_attempt: MakeAttempt) -> None:
    """What a reward function or a picture raises, verl 0.9.1 logs. It trains on padding in the answers' place."""
    engine, run, process = driving(make_attempt)
    run.run(process)
    rows = [{"uid": f"{uid}_0_0", "score": 0, "output": "", "gts": 3} for uid in ("a", "b", "pad0f", "pad0f")]
    (engine.attempt.work / "rollouts" / "5.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(RuntimeError, match="step 5: 2 of 4 answers could not be made or rewarded"):
        engine.numbers({"step": 5, "data": {"critic/score/mean": 1.5}})


def test_a_resumed_driver_must_begin_with_the_next_step(make_attempt: MakeAttempt) -> None:
    _, run, process = driving(make_attempt, first=3, resumed=2)
    work = run.run(process)
    assert (work.first_step, work.resumed_from_step) == (3, 2)


def test_a_resume_that_did_not_happen_is_an_error(make_attempt: MakeAttempt) -> None:
    _, run, process = driving(make_attempt, first=1, resumed=2)
    with pytest.raises(RuntimeError, match="asked to go on after step 2, the driver began with step 1"):
        run.run(process)


def test_a_cut_shard_is_not_published_and_the_end_is_no_success(
    make_attempt: MakeAttempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "_LATE_SECONDS", 0)
    engine, run, process = driving(make_attempt, then="cut")
    with pytest.raises(RuntimeError, match=r"optim_world_size_2_rank_1\.pt is missing or cut short"):
        run.run(process)
    assert published(engine) == ["checkpoint-2"]


def test_a_last_checkpoint_that_is_seen_whole_only_after_the_driver_has_ended_counts(
    make_attempt: MakeAttempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, run, process = driving(make_attempt)
    original, late = Verl.shards_fault, iter(["a shard is missing"] * 3)

    def shards_fault(self: Verl, path: Path) -> str | None:
        ended = path.name == "global_step_4" and process.poll() is not None
        return next(late, None) if ended else original(self, path)

    monkeypatch.setattr(Verl, "shards_fault", shards_fault)
    process.wait()
    assert run.run(process).finite
    assert published(engine)[-1] == "checkpoint-4"


def test_steps_that_are_missing_at_the_end_are_no_success(
    make_attempt: MakeAttempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "_LATE_SECONDS", 0)
    _, run, process = driving(make_attempt, last=3)
    with pytest.raises(RuntimeError, match="ended at step 3 of 4 with a checkpoint of step 2"):
        run.run(process)


def test_numbers_that_are_not_finite_end_the_driver_and_their_checkpoint_is_not_published(
    make_attempt: MakeAttempt,
) -> None:
    engine, run, process = driving(make_attempt, then="nan")
    work = run.run(process)
    assert (work.steps, work.finite, work.has_model) == (4, False, False)
    assert published(engine) == ["checkpoint-2"]
    assert lines(engine.attempt.directory / "metrics.jsonl")[-1]["non_finite"] == ["reward"]
    assert process.poll() is not None


@pytest.mark.parametrize(("code", "expected"), [("71", 71), ("75", 75), ("65", 65)])
def test_the_drivers_exit_code_is_the_jobs_where_it_means_something(
    code: str, expected: int, make_attempt: MakeAttempt
) -> None:
    _, run, process = driving(make_attempt, last=1, then=code)
    with pytest.raises(TrainerError, match=f"ended with {code}") as caught:
        run.run(process)
    assert caught.value.exit_code == expected


def test_any_other_exit_code_is_a_bug(make_attempt: MakeAttempt) -> None:
    _, run, process = driving(make_attempt, last=1, then="1")
    with pytest.raises(RuntimeError, match="ended with 1"):
        run.run(process)


def test_a_driver_whose_ray_has_ended_is_ended_and_the_job_is_tried_again(
    make_attempt: MakeAttempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, run, process = driving(make_attempt, last=3, then="hang")
    # In the keeper's place: the script does not look at its input.
    monkeypatch.setattr(driver, "end_kept", lambda one: one.kill())
    with pytest.raises(TryAgainError, match="Ray has ended on the first node"):
        run.run(process, lambda: published(engine) == ["checkpoint-2"])
    assert process.wait(10) == -signal.SIGKILL


def asked_at(engine: Verl, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asks to stop once the step's numbers are read."""
    reading = Verl.numbers

    def numbers(self: Verl, entry: dict[str, Any]) -> Any:
        found = reading(self, entry)
        if found is not None and found[0] == step:
            (engine.attempt.directory / "checkpoint-requested").touch()
        return found

    monkeypatch.setattr(Verl, "numbers", numbers)


def test_a_request_to_stop_ends_the_driver_and_says_what_it_costs(
    make_attempt: MakeAttempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, run, process = driving(make_attempt, last=3, then="hang")
    asked_at(engine, 3, monkeypatch)
    # In the keeper's place: the script does not look at its input.
    monkeypatch.setattr(driver, "end_kept", lambda one: one.kill())
    with pytest.raises(CheckpointedError, match="ended at step 3 of 4, as asked: the checkpoint of step 2 is the last"):
        run.run(process)
    assert published(engine) == ["checkpoint-2"]


def test_a_checkpoint_whose_numbers_do_not_come_is_not_published(
    make_attempt: MakeAttempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, run, process = driving(make_attempt, last=4, then="silent")
    asked_at(engine, 3, monkeypatch)
    monkeypatch.setattr(driver, "_PATIENCE_SECONDS", 1)
    monkeypatch.setattr(driver, "end_kept", lambda one: one.kill())
    with pytest.raises(CheckpointedError):
        run.run(process)
    assert published(engine) == ["checkpoint-2"]


def whole(make_attempt: MakeAttempt) -> tuple[Verl, Path]:
    engine, run, process = driving(make_attempt)
    run.run(process)
    return engine, engine.attempt.checkpoints / "checkpoint-4"


@pytest.mark.parametrize(
    "file",
    [
        "actor/model_world_size_2_rank_0.pt",
        "actor/optim_world_size_2_rank_1.pt",
        "actor/extra_state_world_size_2_rank_1.pt",
        "data.pt",
    ],
)
@pytest.mark.parametrize("how", ["missing", "cut"])
def test_each_file_that_is_missing_or_cut_is_found(file: str, how: str, make_attempt: MakeAttempt) -> None:
    engine, checkpoint = whole(make_attempt)
    path = checkpoint / "global_step_4" / file
    if how == "missing":
        path.unlink()
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("data", "x" * 1000)
        path.write_bytes(path.read_bytes()[:500])
    assert engine.checkpoint_fault(checkpoint) == f"global_step_4/{file} is missing or cut short"


def test_another_number_of_processes_is_refused_in_one_sentence(make_attempt: MakeAttempt) -> None:
    engine, checkpoint = whole(make_attempt)
    engine.attempt.params["processes_per_node"] = 1
    assert engine.checkpoint_fault(checkpoint) == (
        "2 processes wrote it and this job has 1, to which verl cannot change: give the job the nodes and GPUs of the "
        "earlier one, or start it from the beginning"
    )


def test_the_tracker_is_not_read_while_it_is_empty(make_attempt: MakeAttempt) -> None:
    engine, _, process = driving(make_attempt, last=2)
    process.wait()
    assert engine.tracked_step() == 2
    (engine.attempt.work / "verl" / "latest_checkpointed_iteration.txt").write_text("")
    assert engine.tracked_step() is None
