"""Stand-in for the trainer in the fault tests: a few short steps, and a line in a counter file for everything it does.

It runs under the real job script and reads the real attempt.json. The counter file is written by nobody else: it is how the
tests know that something ran, and how often. Lines: `start|step N|end <attempt's name> <job id>`.
"""

import faulthandler
import json
import os
import signal
import sys
import time
from pathlib import Path

here = Path.cwd()
attempt = json.loads((here / "attempt.json").read_text())
params = attempt["params"]
steps = attempt["planned"]["steps"]
asked: list[int] = []


def count(what: str) -> None:
    line = f"{what} {attempt['name']} {os.environ['SLURM_JOB_ID']}\n".encode()
    file = os.open(params["counter"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(file, line)
    os.close(file)


def checkpoint(step: int) -> None:
    """Stands under its name when it is whole, as the real trainer's does, also on a disk that is full."""
    folder = here / "checkpoints" / f"checkpoint-{step}"
    part = here / "checkpoints" / f"part-{step}"
    part.mkdir(parents=True)
    (part / "state.json").write_text(json.dumps({"step": step}))
    part.rename(folder)


def kill_script() -> None:
    """Ends the job script, our parent's parent, with -9: it writes no outcome."""
    stat = Path(f"/proc/{os.getppid()}/stat").read_text()
    os.kill(int(stat.rpartition(")")[2].split()[1]), signal.SIGKILL)
    sys.exit(0)


def get_stuck() -> None:
    time.sleep(600)


def finish(first: int, resumed: int | None, done: int) -> None:
    (here / "output").mkdir()
    (here / "output" / "config.json").write_text("{}")
    result = {"schema": 1, "name": attempt["name"], "kind": "sft", "steps_planned": steps, "steps_done": done}
    result |= {"first_step": first, "resumed_from_step": resumed, "finite": True, "rows": None, "seconds": 1}
    (here / "result.json").write_text(json.dumps(result))


def sabotage(kind: str) -> None:
    """Ways to end badly, only in the first attempt."""
    if kind == "no-outcome":
        kill_script()
    if kind == "truncated-outcome":
        (here / "outcome.json").write_text('{"schema":1,"name":"critic')
        kill_script()
    if kind == "lying-outcome":
        other = {"schema": 1, "name": "critic-of-another-run-sft-a1", "job_id": "1", "host": "x", "exit_code": 0}
        other |= {"signal": None, "started_at": "2026-01-01T00:00:00Z", "ended_at": "2026-01-01T00:00:01Z"}
        (here / "outcome.json").write_text(json.dumps(other))
        finish(1, None, steps)
        kill_script()
    if kind == "half-done":
        finish(1, None, steps // 2)
        sys.exit(0)
    if kind == "hang":
        time.sleep(600)


def main() -> None:
    faulthandler.register(signal.SIGUSR1, file=(here / "stacks.txt").open("a"))
    for number in (signal.SIGTERM, signal.SIGUSR2):
        signal.signal(number, lambda got, _frame: asked.append(got))
    resume = attempt["resume_from"]
    resumed = json.loads((Path(resume) / "state.json").read_text())["step"] if resume else None
    count("start")
    for step in range((resumed or 0) + 1, steps + 1):
        if params.get("sabotage") == "stall" and attempt["attempt"] == 1 and step == steps:
            get_stuck()
        time.sleep(params["step_seconds"])
        with (here / "metrics.jsonl").open("a") as metrics:
            metrics.write(json.dumps({"step": step, "attempt": attempt["attempt"], "time": time.time(), "total_steps": steps}) + "\n")
        count(f"step {step}")
        wanted = bool(asked) or (here / "checkpoint-requested").exists()
        if wanted or params.get("checkpoints"):
            checkpoint(step)
        if wanted and not params.get("deaf"):
            count("checkpointed")
            sys.exit(85)
    if attempt["attempt"] == 1:
        sabotage(params.get("sabotage", ""))
    finish((resumed or 0) + 1, resumed, steps)
    count("end")


main()
