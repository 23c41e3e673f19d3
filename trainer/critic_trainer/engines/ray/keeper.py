"""`python -m critic_trainer.engines.ray.keeper FOLDER COMMAND…`: runs a command and leaves no process of it behind.

It stands between the trainer and Ray, whose processes start further ones that nobody else would end. The trainer holds
the other end of its standard input: once that is closed, also because the trainer was killed, or once the command has
ended, everything below is killed by its id, and FOLDER (Ray's temporary one; `-` for none) is removed. If the keeper
itself is killed, the kernel kills the command, Ray's servers die with it and Ray's workers after them, and the trainer,
who adopts what is left, ends that.
"""

import os
import select
import shutil
import subprocess
import sys

from critic_trainer.engines.ray.processes import adopt_orphans, end_descendants, ignore_signals, reap, share_fate

_LOOK_SECONDS = 0.25


def main(arguments: list[str]) -> int:
    """Returns the command's exit code, 128 + n if signal n ended it, 70 if it could not be ended."""
    folder, command = arguments[0], arguments[1:]
    ignore_signals()
    adopt_orphans()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=share_fate)  # noqa: PLW1509, S603 - alone here
    code = _watch(child.pid)
    ended = end_descendants()
    if folder != "-":
        shutil.rmtree(folder, ignore_errors=True)
    if not ended:
        sys.stderr.write(f"keeper: processes of {command[0]} are still there after they were killed\n")
        return 70
    return 137 if code is None else code if code >= 0 else 128 - code


def _watch(pid: int) -> int | None:
    """The command's exit code, or None once the trainer is gone or wants an end."""
    while True:
        ended = reap()
        if pid in ended:
            return ended[pid]
        readable, _, _ = select.select([0], [], [], _LOOK_SECONDS)
        if readable and os.read(0, 1024) == b"":
            return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
