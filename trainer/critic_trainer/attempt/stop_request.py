"""The request to stop: SIGUSR2, SIGTERM or a file `checkpoint-requested`. It counts between steps, never within one."""

import faulthandler
import signal
from pathlib import Path
from types import FrameType


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
    """
    file = (directory / ("stacks.txt" if rank == 0 else f"stacks-{rank}.txt")).open("a", encoding="utf-8")
    faulthandler.register(signal.SIGUSR1, file=file, all_threads=True)
