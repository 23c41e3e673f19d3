"""No process outlives the trainer: the keeper, with programs that start further ones and want to stay."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from critic_trainer.engines.ray import temporary

TRAINER = Path(__file__).parent.parent
KEEPER = "critic_trainer.engines.ray.keeper"
# Starts a process in a session of its own that loses its parent, ignores TERM, and writes its id down.
STUBBORN = """
import os, signal, sys, time
from pathlib import Path
if os.fork() == 0:
    os.setsid()
    if os.fork() != 0:
        os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Path(sys.argv[1]).write_text(str(os.getpid()))
    time.sleep(600)
time.sleep(600 if sys.argv[2] == "stay" else 1)
sys.exit(3)
"""


def keeper_command(folder: Path, how: str) -> list[str]:
    """Of a keeper whose command starts the stubborn process."""
    temporary = folder / "temporary"
    temporary.mkdir()
    return [
        sys.executable,
        "-P",
        "-m",
        KEEPER,
        str(temporary),
        sys.executable,
        "-c",
        STUBBORN,
        str(folder / "pid"),
        how,
    ]


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(TRAINER)}


def pid_in(file: Path) -> int:
    """Waits for the process to write its id."""
    until = time.monotonic() + 30
    while not file.exists() or not file.read_text():
        assert time.monotonic() < until
        time.sleep(0.05)
    return int(file.read_text())


def is_there(pid: int) -> bool:
    """A zombie counts as gone."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone_within(pid: int, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not is_there(pid):
            return True
        time.sleep(0.05)
    return False


def test_when_the_command_ends_what_it_started_ends_too_and_its_code_is_the_keepers(tmp_path: Path) -> None:
    keeper = subprocess.Popen(keeper_command(tmp_path, "leave"), stdin=subprocess.PIPE, env=environment())
    pid = pid_in(tmp_path / "pid")
    assert keeper.wait(30) == 3
    assert not is_there(pid)
    assert not (tmp_path / "temporary").exists()


def test_when_the_trainer_wants_an_end_everything_ends(tmp_path: Path) -> None:
    keeper = subprocess.Popen(keeper_command(tmp_path, "stay"), stdin=subprocess.PIPE, env=environment())
    pid = pid_in(tmp_path / "pid")
    keeper.stdin.close()
    assert keeper.wait(30) == 137
    assert not is_there(pid)


def test_when_the_trainer_is_killed_everything_ends(tmp_path: Path) -> None:
    trainer_of = "import subprocess, sys, time; subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE); time.sleep(600)"
    command = [sys.executable, "-c", trainer_of, *keeper_command(tmp_path, "stay")]
    trainer = subprocess.Popen(command, env=environment())
    pid = pid_in(tmp_path / "pid")
    trainer.kill()
    trainer.wait()
    assert gone_within(pid, 10)
    assert gone_within_folder(tmp_path / "temporary")


def gone_within_folder(folder: Path) -> bool:
    until = time.monotonic() + 10
    while folder.exists() and time.monotonic() < until:
        time.sleep(0.05)
    return not folder.exists()


def test_when_the_keeper_is_killed_its_command_dies_and_the_trainer_ends_the_rest(tmp_path: Path) -> None:
    trainer_of = """
import subprocess, sys
from critic_trainer.engines.ray.processes import adopt_orphans, end_descendants
adopt_orphans()
subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE).wait()
print(end_descendants())
"""
    command = [sys.executable, "-c", trainer_of, *keeper_command(tmp_path, "stay")]
    trainer = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True)
    pid = pid_in(tmp_path / "pid")
    (keeper,) = children_of(trainer.pid)
    os.kill(keeper, signal.SIGKILL)
    assert trainer.communicate(timeout=30)[0].strip() == "True"
    assert not is_there(pid)


def children_of(pid: int) -> list[int]:
    return [int(one) for one in (Path("/proc") / str(pid) / "task" / str(pid) / "children").read_text().split()]


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2, signal.SIGTERM])
def test_signals_that_slurm_sends_to_every_process_of_a_step_end_none_of_them(number: int, tmp_path: Path) -> None:
    keeper = subprocess.Popen(keeper_command(tmp_path, "stay"), stdin=subprocess.PIPE, env=environment())
    pid = pid_in(tmp_path / "pid")
    for one in [keeper.pid, *children_of(keeper.pid)]:
        os.kill(one, number)
    time.sleep(0.5)
    assert keeper.poll() is None
    assert is_there(pid)
    keeper.stdin.close()
    assert keeper.wait(30) == 137


def test_a_temporary_folder_is_private_and_one_that_nobody_holds_is_removed_by_the_next_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(temporary, "_ROOT", tmp_path)
    left, lock = temporary.make_temporary()
    os.close(lock)
    held, kept = temporary.make_temporary()
    further, other = temporary.make_temporary()
    assert not left.exists()
    assert held.stat().st_mode & 0o777 == 0o700
    assert sorted(tmp_path.iterdir()) == sorted([held, further])
    os.close(kept)
    os.close(other)
