"""infra/sbatch/job.sh with a trainer of a few lines, started by a real bash."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "infra" / "sbatch" / "job.sh"
WAITS_FOR_CHECKPOINT = """
import pathlib, signal, sys, time
got = []
for number in (signal.SIGUSR2, signal.SIGTERM):
    signal.signal(number, lambda number, frame: got.append(number))
pathlib.Path("ready").touch()
while not got: time.sleep(0.01)
assert pathlib.Path("checkpoint-requested").exists()
time.sleep(0.2)
for number in (signal.SIGUSR2, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
sys.exit(85)
"""


class Job:
    """An attempt's folder and a trainer made of `code`."""

    def __init__(self, root: Path, code: str) -> None:
        self.directory = root / "attempt"
        self.directory.mkdir()
        package = root / "trainer" / "critic_trainer"
        package.mkdir(parents=True)
        (package / "__init__.py").touch()
        (package / "__main__.py").write_text(code)
        self.environment = {
            "CRITIC_ATTEMPT_DIR": str(self.directory),
            "CRITIC_PYTHON": sys.executable,
            "CRITIC_TRAINER": str(root / "trainer"),
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "SLURM_JOB_NAME": "critic-demo-20261123-190000-sft-a1",
            "SLURM_JOB_ID": "4711",
            "SLURMD_NODENAME": "node-1",
        }

    def start(self, **environment: str) -> subprocess.Popen[str]:
        env = self.environment | environment
        return subprocess.Popen(["/bin/bash", SCRIPT], env=env, stderr=subprocess.PIPE, text=True)

    def run(self, **environment: str) -> tuple[int, str]:
        process = self.start(**environment)
        _, log = process.communicate(timeout=20)
        return process.returncode, log

    @property
    def outcome(self) -> dict:
        return json.loads((self.directory / "outcome.json").read_text())

    def wait_for(self, name: str) -> None:
        deadline = time.monotonic() + 10
        while not (self.directory / name).exists():
            assert time.monotonic() < deadline, f"{name} did not appear"
            time.sleep(0.01)


def test_the_outcome_says_who_ran_where_when_and_how_it_ended(tmp_path: Path) -> None:
    job = Job(tmp_path, "import sys; sys.exit(65)")
    assert job.run()[0] == 65
    outcome = job.outcome
    for key in ("started_at", "ended_at"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", outcome.pop(key))
    assert outcome == {
        "schema": 1,
        "name": "critic-demo-20261123-190000-sft-a1",
        "job_id": "4711",
        "host": "node-1",
        "exit_code": 65,
        "signal": None,
    }
    assert (job.directory / "outcome.json").stat().st_mode & 0o077 == 0


def test_of_ten_jobs_for_one_attempt_one_runs_and_nine_touch_nothing(tmp_path: Path) -> None:
    job = Job(tmp_path, "import os, time; open('count', 'a').write(f'{os.getpid()}\\n'); time.sleep(0.5)")
    with ThreadPoolExecutor(10) as pool:
        ends = list(pool.map(lambda _: job.run(), range(10)))
    assert [code for code, _ in ends] == [0] * 10
    assert sum("another job owns" in log for _, log in ends) == 9
    assert len((job.directory / "count").read_text().splitlines()) == 1
    assert sorted(path.name for path in job.directory.iterdir()) == ["claim", "count", "outcome.json"]


def test_a_requeued_job_is_a_second_job_and_leaves_the_first_outcome(tmp_path: Path) -> None:
    job = Job(tmp_path, "import sys; sys.exit(70)")
    assert job.run()[0] == 70
    before = (job.directory / "outcome.json").read_bytes()
    assert job.run(SLURM_RESTART_COUNT="1")[0] == 0
    assert (job.directory / "outcome.json").read_bytes() == before


@pytest.mark.parametrize("number", [signal.SIGUSR2, signal.SIGTERM])
def test_a_signal_asks_for_a_checkpoint_and_the_trainers_own_code_is_kept(
    tmp_path: Path, number: signal.Signals
) -> None:
    job = Job(tmp_path, WAITS_FOR_CHECKPOINT)
    process = job.start()
    job.wait_for("ready")
    process.send_signal(number)
    assert process.wait(timeout=20) == 85
    assert (job.outcome["exit_code"], job.outcome["signal"]) == (85, None)


def test_many_signals_do_not_lose_the_trainers_code(tmp_path: Path) -> None:
    job = Job(tmp_path, WAITS_FOR_CHECKPOINT)
    process = job.start()
    job.wait_for("ready")
    deadline = time.monotonic() + 20
    while process.poll() is None:
        assert time.monotonic() < deadline
        process.send_signal(signal.SIGUSR2)
        time.sleep(0.002)
    assert process.returncode == 85
    assert job.outcome["exit_code"] == 85


def test_a_signal_before_python_listens_does_not_kill_it(tmp_path: Path) -> None:
    job = Job(tmp_path, "import pathlib, sys; sys.exit(85 if pathlib.Path('checkpoint-requested').exists() else 1)")
    slow = tmp_path / "slow-python"
    slow.write_text(f'#!/bin/bash\ntouch "$CRITIC_ATTEMPT_DIR/starting"\nsleep 1\nexec {sys.executable} "$@"\n')
    slow.chmod(0o755)
    process = job.start(CRITIC_PYTHON=str(slow))
    job.wait_for("starting")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 85


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_trainer_killed_by_a_signal_leaves_128_plus_n_and_its_name(tmp_path: Path, number: signal.Signals) -> None:
    job = Job(tmp_path, f"import os; os.kill(os.getpid(), {int(number)})")
    assert job.run()[0] == 128 + number
    assert (job.outcome["exit_code"], job.outcome["signal"]) == (128 + number, number.name)


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("CRITIC_IMAGE", "/nowhere.sif", "expected absolute paths of an image and of a program in it"),
        ("CRITIC_PYTHON", "python3", "absolute path of a program"),
        ("CRITIC_PYTHON", "/nowhere/python", "absolute path of a program"),
        ("CRITIC_TRAINER", "$(touch /tmp/pwned)", "absolute path of a folder"),
        ("CRITIC_TRAINER", "/nowhere", "absolute path of a folder"),
    ],
)
def test_a_wrong_environment_ends_with_78_and_an_outcome(tmp_path: Path, variable: str, value: str, told: str) -> None:
    job = Job(tmp_path, "")
    code, log = job.run(**{variable: value})
    assert (code, job.outcome["exit_code"]) == (78, 78)
    assert told in log
    assert value in log


@pytest.mark.parametrize("value", ["", "relative", "/nowhere"])
def test_without_an_attempt_folder_it_ends_with_78(tmp_path: Path, value: str) -> None:
    assert Job(tmp_path, "").run(CRITIC_ATTEMPT_DIR=value)[0] == 78


def test_names_that_are_not_safe_never_reach_the_json(tmp_path: Path) -> None:
    job = Job(tmp_path, "")
    job.run(SLURM_JOB_NAME='a","exit_code":0,"x":"', SLURM_JOB_ID="1; rm -rf /", SLURMD_NODENAME="$(id)")
    assert (job.outcome["name"], job.outcome["job_id"], job.outcome["host"]) == ("unnamed", "none", "unknown")


def test_a_trainer_in_an_image_is_started_by_apptainer_with_the_folders_that_it_needs(tmp_path: Path) -> None:
    job = Job(tmp_path, "raise SystemExit(7)")
    tools, image = tmp_path / "bin", tmp_path / "verl.sif"
    tools.mkdir()
    image.touch()
    in_image = {"CRITIC_IMAGE": str(image), "CRITIC_IMAGE_BINDS": "/shared,/models"}
    code, log = job.run(**in_image)
    assert code == 78
    assert "apptainer is not on this node's PATH" in log

    shutil.rmtree(job.directory)
    job.directory.mkdir()
    # Stands for Apptainer: writes down what it is asked for, then runs the program without an image.
    text = f'#!/bin/bash\nprintf "%s\\n" "$@" >{tmp_path}/asked\nexec "${{@:6}}"\n'
    (tools / "apptainer").write_text(text)
    (tools / "apptainer").chmod(0o755)
    code, _ = job.run(**in_image, PATH=f"{tools}:{job.environment['PATH']}")
    assert (code, job.outcome["exit_code"]) == (7, 7)
    asked = (tmp_path / "asked").read_text().split("\n")
    assert asked[:6] == ["exec", "--nv", "--bind", "/shared,/models", str(image), sys.executable]


def test_a_folder_with_blanks_and_quotes_in_its_name_works(tmp_path: Path) -> None:
    odd = tmp_path / 'it\'s a "folder" $HOME'
    odd.mkdir()
    job = Job(odd, "import os; print(os.getcwd())")
    assert job.run()[0] == 0
    assert job.outcome["exit_code"] == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux")
def test_a_folder_that_cannot_be_written_ends_with_75_and_runs_nothing(tmp_path: Path) -> None:
    job = Job(tmp_path, "raise SystemExit('ran')")
    # Not by permissions: root passes them. /proc refuses mkdir for everyone.
    code, log = job.run(CRITIC_ATTEMPT_DIR="/proc/self")
    assert code == 75
    assert "cannot write" in log


def test_an_outcome_that_cannot_be_written_keeps_the_code(tmp_path: Path) -> None:
    job = Job(tmp_path, "import os; os.mkdir('.outcome.json.tmp'); raise SystemExit(70)")
    code, log = job.run()
    assert code == 70
    assert "outcome.json could not be written" in log


def test_home_falls_back_to_the_attempt_and_nothing_else_is_needed(tmp_path: Path) -> None:
    job = Job(tmp_path, "import os; open('home', 'w').write(os.environ['HOME'])")
    assert "HOME" not in job.environment
    assert job.run()[0] == 0
    assert (job.directory / "home").read_text() == str(job.directory)


def test_before_its_time_limit_it_asks_for_a_checkpoint_by_itself(tmp_path: Path) -> None:
    job = Job(tmp_path, WAITS_FOR_CHECKPOINT)
    process = job.start(CRITIC_CHECKPOINT_AFTER="2")
    job.wait_for("ready")
    assert process.poll() is None
    assert process.wait(timeout=20) == 85
    assert job.outcome["exit_code"] == 85


def test_a_job_that_ends_before_leaves_nothing_that_would_ring(tmp_path: Path) -> None:
    job = Job(tmp_path, "")
    # communicate() waits until every process has closed stderr.
    code, log = job.run(CRITIC_CHECKPOINT_AFTER="3600")
    assert code == 0
    assert log.splitlines()[-1] == "job.sh: the trainer ended with 0"


@pytest.mark.parametrize("value", ["0", "-5", "1; touch /tmp/pwned", "soon"])
def test_a_time_that_is_none_is_left_alone(tmp_path: Path, value: str) -> None:
    assert Job(tmp_path, "").run(CRITIC_CHECKPOINT_AFTER=value)[0] == 0


STUCK = """
import pathlib, threading, time
from critic_trainer.attempt.stop_request import show_stacks_on_request
def get_stuck(): time.sleep(60)
show_stacks_on_request(pathlib.Path.cwd())
threading.Thread(target=get_stuck, name="loader", daemon=True).start()
pathlib.Path("ready").touch()
get_stuck()
"""


def test_usr1_writes_the_stacks_of_all_threads_and_the_job_goes_on(tmp_path: Path) -> None:
    job = Job(tmp_path, STUCK)
    package = Path("critic_trainer") / "attempt"
    (tmp_path / "trainer" / package).mkdir()
    for name in ("stop_request.py", "native_stacks.py"):
        (tmp_path / "trainer" / package / name).write_text((Path(__file__).parents[1] / package / name).read_text())
    process = job.start()
    job.wait_for("ready")
    process.send_signal(signal.SIGUSR1)
    deadline = time.monotonic() + 10
    while (job.directory / "stacks.txt").read_text().count("in get_stuck") < 2:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert process.poll() is None
    process.kill()
    process.wait()
    subprocess.run(["/bin/kill", "-9", (job.directory / "claim" / "pid").read_text().strip()], check=True)


@pytest.mark.parametrize(("verdict", "code", "name"), [("78", 78, None), ("", 137, "SIGKILL")])
def test_ranks_are_started_by_srun_and_the_first_that_says_why_it_ends_is_believed(
    tmp_path: Path, verdict: str, code: int, name: str | None
) -> None:
    job = Job(tmp_path, f"open('claim/verdict', 'w').write('{verdict}\\n')" if verdict else "")
    srun = tmp_path / "bin" / "srun"
    srun.parent.mkdir()
    srun.write_text('#!/bin/bash\nwhile [[ "$1" == --* ]]; do echo "$1" >>srun-options; shift; done\n"$@"\nexit 137\n')
    srun.chmod(0o755)
    path = f"{srun.parent}:/usr/bin:/bin"
    done, log = job.run(PATH=path, CRITIC_RANKS_PER_NODE="4", SLURM_JOB_NUM_NODES="2", SLURM_CPUS_PER_TASK="8")
    assert done == code, log
    assert (job.outcome["exit_code"], job.outcome["signal"]) == (code, name)
    options = (job.directory / "srun-options").read_text().split()
    assert {"--nodes=2", "--ntasks=8", "--ntasks-per-node=4", "--cpus-per-task=2"} <= set(options)
