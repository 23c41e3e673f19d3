"""Failures of the trainer and the exit codes that the orchestrator acts on (docs/ARCHITECTURE.md).

A failure that a person can mend has a class here and one clear line. Everything else is a bug and shows its traceback.
"""

import contextlib
import errno
import os
import sys
from pathlib import Path

OK, BAD_DATA, BUG, OUT_OF_GPU_MEMORY, TRY_AGAIN, BAD_CONFIGURATION, CHECKPOINTED = 0, 65, 70, 71, 75, 78, 85

_MISSING_OR_FORBIDDEN = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EACCES, errno.EPERM, errno.EEXIST}
_PROBE_BYTES = 4 * 1024 * 1024


class TrainerError(Exception):
    """A failure whose message says everything. The process ends with `exit_code`."""

    exit_code = BUG


class BadDataError(TrainerError):
    """Input rows or images are not as agreed. Names the file and line or record."""

    exit_code = BAD_DATA


class BadConfigurationError(TrainerError):
    """attempt.json, or what it points to, is wrong. Says the field, what was given and what was expected."""

    exit_code = BAD_CONFIGURATION


class SettingRefusedError(BadConfigurationError):
    """One of the engine's own keys, `params.settings`, that may not be given. `key` is its dotted name."""

    def __init__(self, key: str, expected: str = "no such key: this key is set by the trainer") -> None:
        super().__init__(f"attempt.json: params.settings.{key}: expected {expected}")
        self.key = key
        self.expected = expected


class TryAgainError(TrainerError):
    """The surroundings failed and not the work: a full disk, a stale network file system."""

    exit_code = TRY_AGAIN


class CheckpointedError(TrainerError):
    """This is no fault: the work was asked to stop, and a complete checkpoint is published."""

    exit_code = CHECKPOINTED


def exit_code_of(error: BaseException, directory: Path) -> int:
    """The exit code for `error`, by its type and errno, never by its text.

    Libraries hide a full disk in errors of their own (safetensors, torch.save), so for an unknown error the attempt's
    `directory` is probed by writing 4 MiB: if that fails, the answer is TRY_AGAIN.
    """
    if isinstance(error, TrainerError):
        return error.exit_code
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(error, torch.OutOfMemoryError):
        return OUT_OF_GPU_MEMORY
    if isinstance(error, OSError) and error.errno is not None and error.errno not in _MISSING_OR_FORBIDDEN:
        return TRY_AGAIN
    return TRY_AGAIN if _cannot_write(directory) else BUG


def _cannot_write(directory: Path) -> bool:
    probe = directory / ".write-probe"
    try:
        with probe.open("wb") as file:
            file.write(bytes(_PROBE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        return True
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)
    return False
