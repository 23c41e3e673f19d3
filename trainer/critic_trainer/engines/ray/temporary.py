"""Ray's temporary folder on a node: short, private, and removed, if not by its keeper then by the next job there."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path

_ROOT, _PREFIX = Path("/tmp"), "critic-ray-"  # noqa: S108 - a socket's path may have 107 characters, Ray adds some 60


def make_temporary() -> tuple[Path, int]:
    """A new folder below /tmp and its lock, a file descriptor to hand to whoever removes it, and to close here.

    Folders that nobody holds any more are removed: Slurm may have killed a job with all that would have done it.
    """
    for old in _ROOT.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            lock = _lock(old)
            shutil.rmtree(old, ignore_errors=True)
            os.close(lock)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.environ.get('SLURM_JOB_ID', '0')}-", dir=_ROOT))
        with contextlib.suppress(OSError):  # another job took it for an old one
            lock = _lock(folder)
            # Ray opens its own folder to everybody. This one around it stays private.
            (folder / "r").mkdir()
            return folder, lock


def _lock(folder: Path) -> int:
    """Raises OSError if it is held, or another user's."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        if os.fstat(descriptor).st_uid != os.getuid():
            raise PermissionError(f"{folder} is another user's")
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
