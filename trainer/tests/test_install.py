"""trainer/environments/install on a wheel made here, so without a network: by pip alone and by uv."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

INSTALL = Path(__file__).parents[1] / "environments" / "install"
PYTHON = str(Path(sys.executable).resolve())
"""The interpreter that this environment was made from: it has pip, the environment has none."""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A copy of the command beside requirements of its own: one small wheel everywhere."""
    (tmp_path / "environments").mkdir()
    shutil.copy(INSTALL, tmp_path / "environments" / "install")
    for name in ("requirements", "environments/tiny", "environments/easyr1", "environments/deepspeed"):
        require(tmp_path / f"{name}.txt", wheel(tmp_path, "1.0"))
    return tmp_path


def wheel(folder: Path, version: str) -> Path:
    """A package `tiny` that says its version."""
    path = folder / f"tiny-{version}-py3-none-any.whl"
    about = f"tiny-{version}.dist-info"
    files = {
        "tiny.py": f"VERSION = '{version}'\n",
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in [*files, f"{about}/RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in (files | {f"{about}/RECORD": record}).items():
            archive.writestr(name, text)
    return path


def require(file: Path, package: Path, digest: str | None = None) -> None:
    digest = digest or hashlib.sha256(package.read_bytes()).hexdigest()
    file.write_text(f"tiny @ {package.as_uri()} --hash=sha256:{digest}\n")


def checkout(folder: Path, version: str) -> Path:
    """What a checkout of EasyR1 has that the command looks at."""
    (folder / "verl" / "trainer").mkdir(parents=True)
    (folder / "verl" / "__init__.py").write_text(f'import os\n\n__version__ = "{version}"\n')
    (folder / "verl" / "trainer" / "main.py").write_text("")
    return folder


def real_uv() -> str:
    """uv as the local stack has it: beside the folder of its environments."""
    found = shutil.which("uv") or next(map(str, Path(sys.prefix).parents[1].glob("uv-*/bin/uv")), None)
    assert found is not None, "no uv on PATH and none where infra/local/install.ts puts it"
    return found


def environment(**more: str) -> dict[str, str]:
    """Without uv on PATH, so that pip does the work."""
    return {"PATH": "/usr/bin:/bin", "HOME": os.environ.get("HOME", "/"), **more}


def install(place: Path, *argv: object) -> subprocess.CompletedProcess[str]:
    command = [PYTHON, str(place / "environments" / "install"), *map(str, argv)]
    return subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=120)


def imported(folder: Path, what: str = "tiny; print(tiny.VERSION)") -> str:
    program = [str(folder / "bin/python"), "-c", f"import {what}"]
    return subprocess.run(program, capture_output=True, text=True, check=True).stdout.strip()


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that says why."""
    assert done.returncode != 0
    said = [line for line in done.stderr.splitlines() if line.startswith("install:") and "installs" not in line]
    assert len(said) == 1, done.stderr
    return said[0]


@pytest.mark.parametrize("by", ["pip", "uv"])
def test_makes_an_environment_once_and_prints_the_line_for_the_worker(place: Path, by: str) -> None:
    folder = place / "made"
    more = ["--uv", real_uv()] if by == "uv" else []
    done = install(place, "tiny", folder, *more)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f'tiny: {{ python: "{folder}/bin/python" }}\n'
    assert imported(folder) == "1.0"
    assert json.loads((folder / "complete").read_text())["name"] == "tiny"
    assert not (folder / "building").exists()

    before = (folder / "complete").stat().st_ino
    again = install(place, "tiny", folder, *more)
    assert (again.returncode, again.stdout) == (0, done.stdout)
    assert "nothing to do" in again.stderr
    assert (folder / "complete").stat().st_ino == before


def test_what_is_complete_is_never_changed(place: Path) -> None:
    folder = place / "made"
    assert install(place, "tiny", folder).returncode == 0
    require(place / "environments" / "tiny.txt", wheel(place, "2.0"))
    assert "holds another environment" in refusal(install(place, "tiny", folder))
    assert "holds another environment" in refusal(install(place, "base", folder))
    assert imported(folder) == "1.0"


def test_a_wrong_hash_makes_no_environment_and_the_next_call_starts_anew(place: Path) -> None:
    folder, list_ = place / "made", place / "environments" / "tiny.txt"
    good = list_.read_text()
    require(list_, wheel(place, "1.0"), digest="0" * 64)
    assert "exited with" in refusal(install(place, "tiny", folder))
    assert not (folder / "complete").exists()
    (folder / "left-over").write_text("")
    list_.write_text(good)
    assert install(place, "tiny", folder).returncode == 0
    assert not (folder / "left-over").exists()


def install_that_does_not_end(place: Path, *argv: object) -> subprocess.Popen[bytes]:
    """Once it has installed every package. It is a session of its own, to kill."""
    slow = place / "uv"
    slow.write_text(f'#!/bin/bash\n{real_uv()} "$@"\ntouch {place}/begun\nexec sleep 60\n')
    slow.chmod(0o755)
    command = [PYTHON, place / "environments" / "install", *argv, "--uv", slow]
    process = subprocess.Popen(command, env=environment(), stderr=subprocess.DEVNULL, start_new_session=True)
    for _ in range(600):
        if (place / "begun").exists():
            break
        time.sleep(0.1)
    return process


def test_a_build_that_is_killed_is_not_taken_for_whole_and_two_do_not_build_at_once(place: Path) -> None:
    folder = place / "made"
    first = install_that_does_not_end(place, "tiny", folder)
    try:
        # Every package is there by now, and yet it is not whole.
        assert imported(folder) == "1.0"
        assert not (folder / "complete").exists()
        assert "another install is at work" in refusal(install(place, "tiny", folder))
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
    assert not (folder / "complete").exists()
    assert install(place, "tiny", folder).returncode == 0
    assert imported(folder) == "1.0"


def test_leaves_a_folder_alone_that_holds_something_else(place: Path) -> None:
    (place / "home").mkdir()
    (place / "home" / "thesis.tex").write_text("years")
    assert "holds something else" in refusal(install(place, "tiny", place / "home"))
    assert [path.name for path in (place / "home").iterdir()] == ["thesis.tex"]


def test_easyr1_comes_from_a_checkout_of_its_generation(place: Path) -> None:
    folder = place / "made"
    source = checkout(place / "EasyR1", "0.3.3.dev0")
    done = install(place, "easyr1", folder, "--source", source)
    assert done.stdout == f'easyr1: {{ python: "{folder}/bin/python" }}\n', done.stderr
    assert imported(folder, "verl; print(verl.__file__)") == f"{source}/verl/__init__.py"
    other = checkout(place / "other", "0.3.3.dev0")
    assert "holds another environment" in refusal(install(place, "easyr1", folder, "--source", other))


@pytest.mark.parametrize(
    ("argv", "why"),
    [
        (["tiny"], "required: FOLDER"),
        (["no-such", "made"], "invalid choice: 'no-such' (choose from 'base', 'deepspeed', 'easyr1', 'tiny')"),
        (["easyr1", "made"], "--source: easyr1 takes a checkout of EasyR1"),
        (["tiny", "made", "--source", "old"], "--source: tiny takes nothing, since it is on PyPI"),
        (["easyr1", "made", "--source", "environments"], "is no checkout of EasyR1: No such file or directory"),
        (["easyr1", "made", "--source", "old"], "easyr1 takes EasyR1 0.3.3.dev"),
        (["tiny", "made", "--python", "/no/python"], "/no/python cannot be run: No such file or directory"),
        (["tiny", "made", "--python", "./old-python"], "expected an interpreter of Python 3.11, ./old-python is 3.9"),
        (["tiny", "made", "--uv", "/no/uv"], "/no/uv cannot be run"),
        (["tiny", "requirements.txt"], "requirements.txt cannot be made: File exists"),
        (["deepspeed", "made"], "is no complete environment"),
    ],
)
def test_refuses_in_one_sentence(place: Path, monkeypatch: pytest.MonkeyPatch, argv: list[str], why: str) -> None:
    monkeypatch.chdir(place)
    checkout(place / "old", "0.3.0")
    Path("old-python").write_text("#!/bin/sh\necho 3.9\n")
    Path("old-python").chmod(0o755)
    assert why in refusal(install(place, *argv))
    assert not (place / "made" / "complete").exists()


def test_deepspeed_lies_beside_a_base_and_follows_its_list(place: Path) -> None:
    base = place / "made"
    assert install(place, "base", base).stdout == f"CRITIC_PYTHON={base}/bin/python\n"
    assert install(place, "deepspeed", base).returncode == 0
    assert (base / "deepspeed" / "tiny.py").read_text() == "VERSION = '1.0'\n"
    assert "nothing to do" in install(place, "deepspeed", base).stderr
    require(place / "environments" / "deepspeed.txt", wheel(place, "2.0"))
    assert install(place, "deepspeed", base).returncode == 0
    assert (base / "deepspeed" / "tiny.py").read_text() == "VERSION = '2.0'\n"
    assert imported(base) == "1.0"


def test_two_do_not_add_deepspeed_at_once(place: Path) -> None:
    """They would build in one folder, which the first to end would rename while the other writes."""
    base = place / "made"
    assert install(place, "base", base).returncode == 0
    first = install_that_does_not_end(place, "deepspeed", base)
    try:
        assert "another install of DeepSpeed is at work" in refusal(install(place, "deepspeed", base))
        assert not (base / "deepspeed").exists()
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.wait()
    assert install(place, "deepspeed", base).returncode == 0


def test_help_says_of_each_environment_what_it_is_for() -> None:
    text = subprocess.run([sys.executable, INSTALL, "--help"], check=True, capture_output=True, text=True).stdout
    names = ["base", *sorted(path.stem for path in INSTALL.parent.glob("*.txt"))]
    described = [line.split("  ")[0] for line in text.splitlines() if line.split(" ")[0] in names and "  " in line]
    assert described == names
