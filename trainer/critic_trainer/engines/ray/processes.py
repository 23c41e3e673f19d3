"""Processes that must not outlive this one. Linux only: prctl(2) and /proc."""

import contextlib
import ctypes
import os
import signal
import time
from pathlib import Path

_SET_PDEATHSIG, _SET_CHILD_SUBREAPER = 1, 36
IGNORED = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM)
"""Slurm may send these to every process of a step. They mean something to the trainer alone."""


def adopt_orphans() -> None:
    """From now on what loses its parent below this process becomes its child, and not init's."""
    _prctl(_SET_CHILD_SUBREAPER, 1)


def share_fate() -> None:
    """For `preexec_fn`: the child is killed when its parent ends, and ignores the signals that Slurm sends to all."""
    _prctl(_SET_PDEATHSIG, signal.SIGKILL)
    ignore_signals()


def ignore_signals() -> None:
    """Ignores IGNORED, and so does every program started from here."""
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl failed")


def descendants(root: int) -> list[int]:
    """Processes below `root`, from /proc, as they stand at this moment."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            # pid (name) state ppid …: the name may hold anything, also brackets.
            fields = (folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append(int(folder.name))
    found, waiting = [], [root]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def end_descendants(seconds: float = 30) -> bool:
    """Kills everything below this process by its id, until nothing is left. False if something is after `seconds`.

    Call `adopt_orphans` before: else what has lost its parent is not found.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        reap()
        left = descendants(os.getpid())
        if not left:
            return True
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)
    return False


def reap() -> dict[int, int]:
    """Exit codes of children that have ended, by their id; minus the signal's number where one ended them."""
    ended = {}
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            ended[pid] = os.waitstatus_to_exitcode(status)
    return ended
