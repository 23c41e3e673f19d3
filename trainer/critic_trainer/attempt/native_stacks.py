"""Native stacks of a rank that is stuck: of the trainer and of what it started, with frames of C (NCCL, CUDA, a lock).

The rank starts this file as a program of its own, which sleeps until SIGUSR1 reaches the rank. It must be another
process: a Python that is stuck in C runs nothing. What it knows of the rank comes through the kernel, by py-spy.

It appends to stacks-native.txt (of a further rank: stacks-native-<rank>.txt). Each request begins with the line BEGIN
and ends with the line END, so a reader knows whether more is to come. If this is killed, END never comes.
"""

import ctypes
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

BEGIN = "=== native stacks"
END = "=== end of native stacks"
SECONDS = 45
"""For all processes of a rank together. activities/jobs/watching/stacks.ts waits a little longer."""
_SECONDS_EACH = 20
_BYTES_EACH = 200_000
_BYTES = 8_000_000
"""A file of this size gets no more."""
_PROCESSES = 64
_SET_PTRACER = 0x59616D61
_SIGNALS = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM, signal.SIGINT)
"""The other process ignores them: Slurm may signal every process of the job."""
_helpers: list[subprocess.Popen[bytes]] = []
"""Held until this process ends. Then they read the end of their pipe, and end too."""


def watch(file: Path) -> None:
    """From now on SIGUSR1 to this process makes the other one write. Main thread only. OSError if it cannot start.

    SIGUSR1 must have a handler of `signal.signal`, by itself or chained to: the part of it that is in C wakes the other
    process, even if this one never gets to the part in Python.
    """
    wake, woken = os.pipe()
    # Blocked from its first moment on: one that came before it ignores them would end it.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    try:
        argv = [sys.executable, "-I", "-S", __file__, str(os.getpid()), str(file)]
        quiet = subprocess.DEVNULL
        _helpers.append(subprocess.Popen(argv, stdin=wake, stdout=quiet, stderr=quiet))  # noqa: S603
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(wake)
    # Where the kernel lets only parents look into their children (Yama), this one lets its child look.
    ctypes.CDLL(None).prctl(_SET_PTRACER, ctypes.c_ulong(_helpers[-1].pid), 0, 0, 0)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)


def main() -> None:
    """The program: waits on its standard input for the numbers of signals, until the rank is gone."""
    rank, file = int(sys.argv[1]), Path(sys.argv[2])
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    while True:
        ready, _, _ = select.select([0], [], [], 5)
        numbers = os.read(0, 4096) if ready else b"-"
        if not numbers or os.getppid() != rank:
            return
        if signal.SIGUSR1 in numbers and not (file.exists() and file.stat().st_size > _BYTES):
            write_stacks(rank, file)


def write_stacks(rank: int, file: Path) -> None:
    """Appends the stacks of the process `rank` and of those that belong to it on this node."""
    program = py_spy()
    with file.open("a", encoding="utf-8") as out:
        print(f"{BEGIN} at {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}", file=out, flush=True)
        if program is None:
            print(f"py-spy is not beside {sys.executable}: see stacks.txt for the stacks of Python", file=out)
        else:
            pids = [rank, *(pid for pid in companions() if pid != rank)][:_PROCESSES]
            until = time.monotonic() + SECONDS
            with ThreadPoolExecutor(4) as pool:
                for text in pool.map(lambda pid: dump(program, pid, until), pids):
                    print(text, file=out, flush=True)
        print(END, file=out)


def py_spy() -> str | None:
    """That of this environment, or the one on PATH."""
    beside = Path(sys.executable).with_name("py-spy")
    return str(beside) if beside.exists() else shutil.which("py-spy")


def companions() -> Iterator[int]:
    """Python processes of the same rank of the same attempt, e.g. Ray's: they inherit what the job script set."""
    mine = belonging(os.environb)
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "environ").read_bytes().split(b"\0")
            program = (process / "exe").readlink().name
        except OSError:  # Gone, or another user's.
            continue
        its = dict(word.split(b"=", 1) for word in words if b"=" in word)
        if program.startswith("python") and belonging(its) == mine and int(process.name) != os.getpid():
            yield int(process.name)


def belonging(environment: "dict[bytes, bytes] | os._Environ[bytes]") -> tuple[bytes | None, bytes | None]:
    """The attempt and the rank that a process belongs to."""
    return environment.get(b"CRITIC_ATTEMPT_DIR"), environment.get(b"SLURM_PROCID")


def dump(program: str, pid: int, until: float) -> str:
    """The stacks of one process: with native frames, else those of Python, else why there are none."""
    whys = []
    for options in (["--native"], ["--nonblocking"]):
        seconds = min(_SECONDS_EACH, until - time.monotonic())
        if seconds <= 0:
            whys.append(f"process {pid}: no time was left")
            break
        code, text = output_of([program, "dump", *options, "--pid", str(pid)], seconds)
        if code == 0:
            return "\n".join([*whys, text])
        whys.append(f"process {pid}: py-spy {options[0]} ended with {code} after {text[-500:].strip() or 'nothing'}")
    return "\n".join(whys)


def output_of(argv: list[str], seconds: float) -> tuple[int, str]:
    """Exit code and what it printed, of which only so much is kept. It is killed when its time is up."""
    with subprocess.Popen(  # noqa: S603
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        timer = threading.Timer(seconds, process.kill)
        timer.start()
        printed = b"" if process.stdout is None else process.stdout.read(_BYTES_EACH)
        whole = len(printed) < _BYTES_EACH
        if not whole:
            process.kill()
        code = process.wait()
        timer.cancel()
    text = printed.decode(errors="replace")
    return (code, text) if whole else (0, f"{text}\n(cut)")


if __name__ == "__main__":
    main()
