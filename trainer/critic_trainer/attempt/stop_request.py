"""The request to stop: SIGUSR2, SIGTERM or a file `checkpoint-requested`. It counts between steps, never within one."""

import contextlib
import faulthandler
import signal
from pathlib import Path
from types import FrameType

from critic_trainer.attempt import native_stacks


class StopRequest:
    """Knows whether somebody asked this attempt to save a checkpoint and end."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "checkpoint-requested"
        self._signalled = False

    def listen(self) -> None:
        """Takes SIGUSR2 and SIGTERM. Main thread only."""
        signal.signal(signal.SIGUSR2, self._on_signal)
        signal.signal(signal.SIGTERM, self._on_signal)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._signalled = True

    @property
    def requested(self) -> bool:
        return self._signalled or self._file.exists()

    def tell(self) -> None:
        """Leaves the request as a file, for the other ranks."""
        self._file.touch()


def ignore_requests() -> None:
    """Ignores the signals for the rest of this process: as it ends, Python puts the default back, which kills."""
    faulthandler.unregister(signal.SIGUSR1)
    for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def show_stacks_on_request(directory: Path, rank: int = 0) -> None:
    """From now on SIGUSR1 appends the stacks of all threads to stacks.txt, even while Python itself is stuck.

    Each further rank has a file of its own, stacks-<rank>.txt: appends from several nodes would overwrite one another.
    Stacks with native frames, of this process and its children, follow in another file (native_stacks.py).
    """
    signal.signal(signal.SIGUSR1, lambda _number, _frame: None)
    suffix = "" if rank == 0 else f"-{rank}"
    with contextlib.suppress(OSError):  # They are more than is promised.
        native_stacks.watch(directory / f"stacks-native{suffix}.txt")
    file = (directory / f"stacks{suffix}.txt").open("a", encoding="utf-8")
    faulthandler.register(signal.SIGUSR1, file=file, all_threads=True, chain=True)
