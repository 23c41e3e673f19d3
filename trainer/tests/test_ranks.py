"""SFT under ZeRO-3 in two processes: the numbers of one process, whatever happens in between."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import MakeAttempt, lines
from ranks_world import free_port, run_ranks

from critic_trainer import failures
from critic_trainer.__main__ import run_attempt
from critic_trainer.ranks import await_first

PARAMS = {"batch_size": 2, "gradient_accumulation": 2, "learning_rate": 1e-3, "save_steps": 2}
RANKED: dict[str, Any] = PARAMS | {"gradient_accumulation": 1, "deepspeed": "zero3", "processes": 2}
HALF: dict[str, Any] = RANKED | {"deepspeed": "zero2", "llamafactory": {"bf16": True}}
HALF3: dict[str, Any] = HALF | {"deepspeed": "zero3"}
ROUNDING = 1e-4
"""fp32 sums taken in another order: measured 0 in losses and up to 1e-5 in gradient norms of this size."""
BF16 = 0.01
"""Eight bits of a mantissa: each number is off by up to 1/256, sums of many by less."""
FIRST_STEP = (1, 7.0131, 10.0753)
"""Step, loss and gradient norm of one process in fp32, whose weights and rows are drawn by seed."""
SHARDS = "global_step2/zero_pp_rank_1_mp_rank_00_{}_states.pt"
HERE = Path(__file__).parent
FILES = (SHARDS.format("model"), SHARDS.format("optim"), "rng_state_1.pth", "latest", "trainer_state.json")


def run(*attempts: tuple[Path, int, str | None, int]) -> list[list[int]]:
    """Exit codes of the ranks of each attempt, in a process of their own that has DeepSpeed."""
    argument = json.dumps([[str(directory), *rest] for directory, *rest in attempts])
    command = [sys.executable, str(HERE / "ranks_world.py"), argument]
    environment = os.environ | {"PYTHONPATH": f"{HERE.parent}:{HERE}"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, timeout=500, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def numbers(directory: Path) -> list[tuple[int, float, float]]:
    return [(row["step"], row["loss"], row["grad_norm"]) for row in lines(directory / "metrics.jsonl")]


def test_two_ranks_train_as_one_process_and_go_on_after_a_kill_and_a_signal_as_if_nothing_had_happened(
    make_attempt: MakeAttempt, model: Path
) -> None:
    names = ("one", "whole", "killed", "stopped", "misfit")
    one, whole, killed, stopped, misfit = (
        make_attempt("sft", name, params=PARAMS if name == "one" else RANKED) for name in names
    )
    half = make_attempt("sft", "half", params=HALF)
    half3 = make_attempt("sft", "half3", params=HALF3)
    half_resumed = make_attempt("sft", "a9", params=HALF, resume_from=half / "checkpoints" / "checkpoint-4")
    resumed = {}
    for name, origin, step in (("a7", killed, 4), ("a8", stopped, 3)):
        checkpoint = origin / "checkpoints" / f"checkpoint-{step}"
        resumed[name] = make_attempt("sft", name, params=RANKED, resume_from=checkpoint)

    codes = run(
        (whole, 2, None, 0),
        (killed, 2, "kill", 5),
        (stopped, 2, "ask", 3),
        (resumed["a7"], 2, None, 0),
        (resumed["a8"], 2, None, 0),
        (misfit, 1, None, 0),
        (half, 2, None, 0),
        (half_resumed, 2, None, 0),
        (half3, 2, None, 0),
    )
    assert codes == [
        [failures.OK, failures.OK],
        [failures.BUG, -signal.SIGKILL],
        [failures.CHECKPOINTED] * 2,
        [failures.OK, failures.OK],
        [failures.OK, failures.OK],
        [failures.BAD_CONFIGURATION],
        [failures.OK, failures.OK],
        [failures.OK, failures.OK],
        [failures.OK, failures.OK],
    ]
    assert run_attempt(one) == failures.OK

    for ours, theirs in zip(numbers(whole), numbers(one), strict=True):
        assert ours == pytest.approx(theirs, abs=ROUNDING)
    assert (whole / "output" / "model.safetensors").read_bytes() != (model / "model.safetensors").read_bytes()
    assert sorted(path.name for path in (stopped / "checkpoints").iterdir()) == ["checkpoint-2", "checkpoint-3"]
    assert [row[0] for row in numbers(stopped)] == [1, 2, 3]
    assert numbers(resumed["a7"]) == numbers(whole)[4:]
    assert numbers(resumed["a8"]) == numbers(whole)[3:]
    weights = (whole / "output" / "model.safetensors").read_bytes()
    assert (resumed["a7"] / "output" / "model.safetensors").read_bytes() == weights
    assert numbers(half_resumed) == numbers(half)[4:], "ZeRO-2 in bf16, whose files have other names"
    assert numbers(half)[0] == pytest.approx(numbers(one)[0], rel=BF16), "not from a corrupted start"
    for ours, theirs in zip(numbers(half3), numbers(one), strict=True):
        assert ours[:2] == pytest.approx(theirs[:2], rel=BF16)
    assert numbers(one)[0] == pytest.approx(FIRST_STEP, rel=0.001), "as on the day when this was written"
    assert "processes: 2 expected, srun started 1" in (misfit / "rank-0.log").read_text()
    _finds_each_cut_file(make_attempt, stopped / "checkpoints" / "checkpoint-2", killed.parent)


def test_the_first_rank_may_come_last_and_publish_long_after_the_others_are_done(make_attempt: MakeAttempt) -> None:
    directory = make_attempt("sft", "late", params=RANKED)
    published = directory / "published"

    def before(rank: int, _: Path) -> None:
        from critic_trainer import __main__ as trainer

        def run_engine(*_: Any) -> None:
            Path(os.environ["HF_HOME"]).mkdir(parents=True)  # as imports do
            if rank == 0:
                time.sleep(1)
                published.touch()

        trainer.run_engine = run_engine
        trainer.check_versions = trainer.check_work = trainer.write_result = trainer.versions_of = lambda *_: {}
        if rank == 0:
            time.sleep(1)
        else:
            trainer.await_first = lambda folder: (
                await_first(folder),
                (directory / "seen").write_text(str(published.exists())),
            )

    assert run_ranks(directory, 2, free_port(), before) == [failures.OK, failures.OK], (
        directory / "rank-0.log"
    ).read_text()
    assert (directory / "seen").read_text() == "True"


def _finds_each_cut_file(make_attempt: MakeAttempt, checkpoint: Path, folder: Path) -> None:
    from critic_trainer.attempt.manifest import read_attempt
    from critic_trainer.engines.llamafactory import LlamaFactory
    from critic_trainer.ranks import Ranks

    engine = LlamaFactory(read_attempt(make_attempt("sft", "asked", params=RANKED)))
    engine.ranks = Ranks(world=2)
    assert engine.checkpoint_fault(checkpoint) is None
    for name in FILES:
        for cut in (True, False):
            broken = folder / "broken" / checkpoint.name
            shutil.copytree(checkpoint, broken)
            file = broken / name
            content = file.read_bytes()
            file.unlink()
            if cut:
                file.write_bytes(content[: len(content) // 2])
            fault = engine.checkpoint_fault(broken)
            assert fault is not None, (name, cut)
            assert name in fault, (name, cut, fault)
            shutil.rmtree(broken.parent)
    engine.ranks = Ranks(world=4)
    assert "2 processes wrote it and this job has 4" in str(engine.checkpoint_fault(checkpoint))
