"""The engine's versions: asked by the worker, compared by the job before it does anything."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import MakeAttempt

from critic_trainer import failures
from critic_trainer.__main__ import run_attempt
from critic_trainer.engine import PACKAGES, engine_of

TRAINER = Path(__file__).parent.parent


def test_the_environment_names_its_versions_without_loading_a_single_package() -> None:
    command = [sys.executable, "-X", "importtime", "-P", "-m", "critic_trainer.engine"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONPATH": str(TRAINER)})
    engines = json.loads(done.stdout)["engines"]
    assert engines == {kind: engine_of(kind) for kind in PACKAGES}
    assert "torch" in engines["predict"]
    assert " torch" not in done.stderr


@pytest.mark.parametrize("kind", list(PACKAGES))
def test_an_attempt_whose_key_names_another_torch_ends_with_78_before_it_works(
    kind: str, make_attempt: MakeAttempt, caplog: pytest.LogCaptureFixture
) -> None:
    directory = make_attempt(kind, engine=engine_of(kind) | {"torch": "1.13.1"})
    assert run_attempt(directory) == failures.BAD_CONFIGURATION
    assert "engine: " in caplog.messages[-1]
    assert "instead of 1.13.1" in caplog.messages[-1]
    assert not (directory / "work").exists()


def test_an_environment_without_a_package_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PACKAGES, "predict", ["torch", "no-such-package"])
    with pytest.raises(failures.BadConfigurationError, match="no-such-package not installed, which predict needs"):
        engine_of("predict")
