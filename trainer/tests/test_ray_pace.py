"""What the driver's log gives, line by line, and how near checkpoints are by the pace of an earlier attempt."""

import json
from pathlib import Path

from conftest import MakeAttempt
from test_ray_driver import VERL

from critic_trainer.attempt.manifest import read_attempt
from critic_trainer.engines.ray.driver import Lines
from critic_trainer.engines.ray.pace import seconds_each_step, steps_between_checkpoints
from critic_trainer.engines.verl.engine import Verl


def test_half_a_line_waits_for_its_other_half(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    reader = Lines(file)
    assert reader.new() == []
    file.write_text('{"a": 1}\nnot json\n[1]\n{"a"')
    assert reader.new() == [{"a": 1}]
    with file.open("a") as more:
        more.write(": 2}\n")
    assert reader.new() == [{"a": 2}]


def metrics(path: Path, times: dict[int, float]) -> None:
    path.write_text("".join(json.dumps({"step": step, "time": time}) + "\n" for step, time in times.items()))


def test_checkpoints_are_as_near_as_the_measured_pace_demands(make_attempt: MakeAttempt, tmp_path: Path) -> None:
    earlier = tmp_path / "earlier" / "checkpoints" / "checkpoint-2"
    earlier.mkdir(parents=True)
    metrics(tmp_path / "earlier" / "metrics.jsonl", {1: 0.0, 2: 100.0, 3: 200.0, 5: 999.0, 6: 1099.0})
    assert seconds_each_step(tmp_path / "earlier" / "metrics.jsonl") == 100.0
    params = VERL | {"save_steps": 20, "max_lost_minutes": 10}
    engine = {"name": "verl", "versions": {}}
    resumed = read_attempt(make_attempt("grpo", "a2", params=params, engine=engine, resume_from=str(earlier)))
    assert steps_between_checkpoints(resumed) == 6
    assert Verl(resumed).save_steps == 6
    first = read_attempt(make_attempt("grpo", "a3", params=params, engine=engine))
    assert steps_between_checkpoints(first) == 20
    seldom = VERL | {"save_steps": 2, "max_lost_minutes": 10}
    often = read_attempt(make_attempt("grpo", "a4", params=seldom, engine=engine, resume_from=str(earlier)))
    assert steps_between_checkpoints(often) == 2
