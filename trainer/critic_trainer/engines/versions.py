"""Versions of what computes a job's output. They are part of its artifact's key, so an upgrade trains anew.

A job compares them with its own before it does anything: its environment may have changed while it waited, or differ on
its node. Nothing is imported to find them, so it costs a fraction of a second.

Not among them: the CUDA driver and its libraries beyond the build that torch's version names (`2.11.0+cu128`), the
hardware and its number, packages that only test, draw or read (pytest, ruff, py-spy, jsonschema).
"""

import importlib.metadata
import sys

from critic_trainer.engines.protocol import Engine
from critic_trainer.failures import BadConfigurationError


def versions_of(engine: type[Engine]) -> dict[str, str]:
    """Python's minor version and the engine's packages. Raises BadConfigurationError naming what is not installed."""
    found = {"python": f"{sys.version_info.major}.{sys.version_info.minor}"}
    missing = []
    for name in engine.packages:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        raise BadConfigurationError(f"{sys.executable}: {', '.join(missing)} not installed, which {engine.name} needs")
    return found


def check_versions(engine: type[Engine], expected: dict[str, str]) -> None:
    """Raises BadConfigurationError where this environment is not the one that the artifact's key names."""
    if not expected:
        return
    found = versions_of(engine)
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
