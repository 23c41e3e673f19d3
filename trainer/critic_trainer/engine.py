"""The engine: versions of what computes a job's output. They are part of its artifact's key, so an upgrade trains anew.

`python -m critic_trainer.engine` prints those of every kind of work; the orchestrator asks before a run. A job compares
them with its own before it does anything: its environment may have changed while it waited, or differ on its node.
Imports nothing but the standard library's view of installed packages, so it costs a fraction of a second.

Not among them: the CUDA driver and its libraries beyond the build that torch's version names (`2.11.0+cu128`), the
hardware and its number, packages that only test, draw or read (pytest, ruff, py-spy, jsonschema).
"""

import importlib.metadata
import json
import sys

from critic_trainer.failures import BAD_CONFIGURATION, OK, BadConfigurationError

_COMMON = ["torch", "torchvision", "transformers", "tokenizers", "numpy", "pillow"]
PACKAGES: dict[str, list[str]] = {
    "sft": [*_COMMON, "llamafactory", "accelerate", "datasets"],
    "grpo": [*_COMMON, "trl", "accelerate", "datasets"],
    "predict": _COMMON,
}


def engine_of(kind: str) -> dict[str, str]:
    """Python's minor version and the packages of `kind`. Raises BadConfigurationError naming what is not installed."""
    found = {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    missing = []
    for name in PACKAGES[kind]:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        raise BadConfigurationError(f"{sys.executable}: {', '.join(missing)} not installed, which {kind} needs")
    return found


def check_engine(kind: str, expected: dict[str, str]) -> None:
    """Raises BadConfigurationError where this environment is not the one that the artifact's key names."""
    if not expected:
        return
    found = engine_of(kind)
    others = [
        f"{name} {found.get(name, 'unknown')} instead of {version}"
        for name, version in expected.items()
        if found.get(name) != version
    ]
    if others:
        raise BadConfigurationError(
            f"attempt.json: engine: {sys.executable} on this node has {', '.join(others)}: the environment changed "
            "after the run began, or differs from the one the worker asked. Start a new run, which has keys of its own"
        )


def main() -> int:
    """Prints one line of JSON; returns the process's exit code (failures.py)."""
    try:
        engines = {kind: engine_of(kind) for kind in PACKAGES}
    except BadConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return BAD_CONFIGURATION
    sys.stdout.write(json.dumps({"schema": 1, "engines": engines}) + "\n")
    return OK


if __name__ == "__main__":
    sys.exit(main())
