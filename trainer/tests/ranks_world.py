"""Attempts of several ranks for tests: one process loads the libraries once, then forks the ranks of each attempt."""

import json
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from critic_trainer.__main__ import run_attempt
from critic_trainer.device import has_gpu
from critic_trainer.engines.deepspeed import find_deepspeed
from critic_trainer.failures import BUG

Before = Callable[[int, Path], None]


def load() -> None:
    """What every rank would load."""
    find_deepspeed(has_gpu())
    import deepspeed  # noqa: F401
    from llamafactory.train.tuner import run_exp  # noqa: F401

    from critic_trainer.engines import trainer_callback  # noqa: F401


def run_ranks(directory: Path, world: int, port: int, before: Before | None = None) -> list[int]:
    """Exit codes by rank, minus the signal's number where one ended it. `before` runs in each rank."""
    pids = [fork_rank(directory, rank, world, port, before) for rank in range(world)]
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]


def fork_rank(directory: Path, rank: int, world: int, port: int, before: Before | None) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = BUG
    try:
        log = os.open(directory / f"rank-{rank}.log", os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.environ |= {
            "CRITIC_RANKS_PER_NODE": str(world),
            "SLURM_PROCID": str(rank),
            "SLURM_LOCALID": str(rank),
            "SLURM_NTASKS": str(world),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
        }
        if before is not None:
            before(rank, directory)
        code = run_attempt(directory)
    except BaseException:  # noqa: BLE001 - a forked process must not go on with its parent's work
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os._exit(code)


def at_step(step: int, act: Callable[[], None]) -> None:
    """From now on, in this process: `act` runs when a step begins, before it trains."""
    from critic_trainer.engines.trainer_callback import StepObserver

    original = StepObserver.on_step_begin

    def on_step_begin(self, args, state, control, **kwargs):
        original(self, args, state, control, **kwargs)
        if state.global_step == step - 1:
            act()

    StepObserver.on_step_begin = on_step_begin


ACTS = {"kill": signal.SIGKILL, "ask": signal.SIGUSR2}


def second_at(what: str, step: int) -> Before:
    """While it is in this step, rank 1 alone is killed, or asked for a checkpoint by a signal."""

    def before(rank: int, _: Path) -> None:
        if rank == 1:
            at_step(step, lambda: os.kill(os.getpid(), ACTS[what]))

    return before


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def main() -> None:
    """argv: JSON of [[directory, ranks, act or null, step], …]. The last line printed holds the exit codes of each."""
    load()
    codes = [
        run_ranks(Path(directory), world, free_port(), None if act is None else second_at(act, step))
        for directory, world, act, step in json.loads(sys.argv[1])
    ]
    sys.stdout.write("\n" + json.dumps(codes) + "\n")


if __name__ == "__main__":
    main()
