"""A process stuck in C with the interpreter's lock held, so that no Python of it runs: its stacks all the same."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from critic_trainer.attempt.native_stacks import BEGIN, END, output_of

STUCK = """
import ctypes, pathlib, subprocess, sys
from critic_trainer.attempt.stop_request import show_stacks_on_request

def stuck_in_c():
    # Twice, so for ever: no signal ends this wait. PyDLL keeps the interpreter's lock.
    mutex = ctypes.create_string_buffer(64)
    for _ in range(2):
        ctypes.PyDLL(None).pthread_mutex_lock(mutex)

if len(sys.argv) == 1:
    show_stacks_on_request(pathlib.Path.cwd(), {rank})
    subprocess.Popen([sys.executable, sys.argv[0], "child"], start_new_session=True)
else:
    pathlib.Path("ready").touch()
stuck_in_c()
"""


class Stuck:
    """A rank and a process that it started, as Ray starts its workers: in a session of their own."""

    def __init__(self, folder: Path, rank: int = 0, python: str = sys.executable) -> None:
        self.folder = folder
        (folder / "stuck.py").write_text(STUCK.replace("{rank}", str(rank)))
        env = {
            **{"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[1]), "SLURM_PROCID": str(rank)},
            "CRITIC_ATTEMPT_DIR": str(folder),
        }
        self.process = subprocess.Popen([python, "stuck.py"], cwd=folder, env=env)
        self.wait_for((folder / "ready").exists)

    def wait_for(self, what: Callable[[], bool], seconds: float = 40) -> None:
        deadline = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def captured(self, name: str = "stacks-native.txt", times: int = 1) -> str:
        """What is in the file after one request more."""
        self.process.send_signal(signal.SIGUSR1)
        file = self.folder / name
        self.wait_for(lambda: file.exists() and file.read_text().count(END) == times)
        return file.read_text()

    def belonging(self) -> set[int]:
        """Processes that were started here and still run."""
        found = set()
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if str(self.folder).encode() in (process / "environ").read_bytes():
                    found.add(int(process.name))
            except OSError:
                continue
        return found

    def end(self) -> None:
        for pid in self.belonging():
            os.kill(pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def stuck(tmp_path: Path) -> Iterator[Stuck]:
    one = Stuck(tmp_path)
    yield one
    one.end()


def test_shows_the_frames_of_c_of_a_rank_and_of_what_it_started_and_leaves_both_alive(stuck: Stuck) -> None:
    text = stuck.captured()
    assert text.count("stuck_in_c (stuck.py:") == 2
    assert text.count("(libc.so.6)") >= 2
    assert text.startswith(BEGIN)
    assert "stuck_in_c" in (stuck.folder / "stacks.txt").read_text()
    assert stuck.process.poll() is None
    assert stuck.captured(times=2).count(BEGIN) == 2


def test_a_further_rank_has_a_file_of_its_own(tmp_path: Path) -> None:
    rank = Stuck(tmp_path, rank=3)
    try:
        assert "stuck_in_c (stuck.py:" in rank.captured("stacks-native-3.txt")
    finally:
        rank.end()


def test_asking_for_a_checkpoint_writes_none(stuck: Stuck) -> None:
    os.kill(helper(stuck), signal.SIGUSR2)
    os.kill(helper(stuck), signal.SIGTERM)
    assert stuck.captured().count(BEGIN) == 1


def test_nothing_is_left_of_it_when_the_rank_is_killed(stuck: Stuck) -> None:
    pid = helper(stuck)
    stuck.process.kill()
    stuck.process.wait()
    stuck.wait_for(lambda: pid not in stuck.belonging(), seconds=10)


def helper(stuck: Stuck) -> int:
    """The process that waits beside the rank."""
    named = [pid for pid in stuck.belonging() if b"native_stacks.py" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert len(named) == 1
    return named[0]


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (None, "py-spy is not beside"),
        ("#!/bin/sh\necho no permission\nexit 1\n", "py-spy --native ended with 1 after no permission"),
        ("#!/bin/sh\n[ $2 = --native ] && exit 1\necho Python alone\n", "Python alone"),
        ("#!/bin/sh\nyes\n", "(cut)"),
    ],
)
def test_without_a_py_spy_that_works_the_file_says_so(tmp_path: Path, program: str | None, expected: str) -> None:
    # An environment of its own, with this one's interpreter.
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(Path(sys.executable).resolve())
    if program is not None:
        (tmp_path / "bin" / "py-spy").write_text(program)
        (tmp_path / "bin" / "py-spy").chmod(0o755)
    rank = Stuck(tmp_path, python=str(tmp_path / "bin" / "python"))
    try:
        text = rank.captured()
        assert expected in text
        assert len(text) < 1_000_000
    finally:
        rank.end()


def test_a_py_spy_that_hangs_is_killed_in_time() -> None:
    started = time.monotonic()
    assert output_of(["/bin/sleep", "60"], 0.3) == (-signal.SIGKILL, "")
    assert time.monotonic() - started < 5
