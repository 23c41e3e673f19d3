"""Predictions of several ranks for tests: one process loads the libraries once, then forks the ranks of each attempt.

As srun, it ends the ranks that are left some time after the first one has ended.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ranks_world import Before, fork_rank, free_port

from critic_trainer.engines.predictions import engine

PATIENCE = 6.0
"""Seconds; srun's are 30."""


@dataclass(frozen=True)
class Act:
    """`what` happens to `rank` while it answers its batch number `call`, from 1.

    kill · ask (USR2) · fail (an exception) · await: it answers once the attempt's folder has these `files`
    """

    what: str
    rank: int
    call: int
    files: Sequence[str] = ()

    def apply(self, directory: Path) -> None:
        """Now, in this process."""
        if self.what == "await":
            end = time.monotonic() + 60
            while not all((directory / file).exists() for file in self.files):
                if time.monotonic() > end:
                    raise RuntimeError(f"{self.files} did not come")
                time.sleep(0.02)
        elif self.what == "fail":
            raise RuntimeError("it was asked to fail")
        else:
            os.kill(os.getpid(), {"kill": signal.SIGKILL, "ask": signal.SIGUSR2}[self.what])


def answerer(name: str) -> Any:
    """The class that answers in an engine, loaded."""
    if name == "vllm":
        from critic_trainer.engines.predictions.with_vllm import VllmAnswerer

        return VllmAnswerer
    from critic_trainer.engines.predictions.with_transformers import TransformersAnswerer

    return TransformersAnswerer


def acting(answers_by: Any, acts: list[Act]) -> Before:
    """For fork_rank: these acts happen, and checkpoints are not waited for."""

    def before(rank: int, directory: Path) -> None:
        engine.CHECKPOINT_SECONDS = 0
        original, calls = answers_by.answers, 0

        def answers(self, rows, index):
            nonlocal calls
            calls += 1
            for act in acts:
                if (act.rank, act.call) == (rank, calls):
                    act.apply(directory)
            return original(self, rows, index)

        answers_by.answers = answers

    return before


def run_as_srun(directory: Path, world: int, before: Before) -> list[int]:
    """Exit codes by rank, minus the signal's number where one ended it."""
    left = {fork_rank(directory, rank, world, free_port(), before): rank for rank in range(world)}
    codes, end = {}, None
    while left:
        for pid in list(left):
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                codes[left.pop(pid)] = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                end = end or time.monotonic() + PATIENCE
        if end is not None and time.monotonic() > end:
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            end = float("inf")
        time.sleep(0.02)
    return [codes[rank] for rank in range(world)]


def main() -> None:
    """argv: the engine, JSON of [[directory, ranks, [[what, rank, call, files], …]], …]. Prints all codes last."""
    answers_by = answerer(sys.argv[1])
    codes = [
        run_as_srun(Path(directory), world, acting(answers_by, [Act(what, *rest) for what, *rest in acts]))
        for directory, world, acts in json.loads(sys.argv[2])
    ]
    sys.stdout.write("\n" + json.dumps(codes) + "\n")


if __name__ == "__main__":
    main()
