"""Versions of what computes a job's output. They are part of its artifact's key, so an upgrade trains anew.

A job compares them with its own before it does anything: its environment may have changed while it waited, or differ on
its node. Nothing is imported to find them, so it costs a fraction of a second.

Not among them: the CUDA driver and its libraries beyond the build that torch's version names (`2.11.0+cu128`), the
hardware and its number. `environment` stands for what the named packages need.
"""

import hashlib
import importlib.metadata
import json
import re
import sys

from critic_trainer.engines.protocol import Engine
from critic_trainer.failures import BadConfigurationError

# The name at the start of a requirement, if it is not one of an extra.
_NEEDED = re.compile(r"[A-Za-z0-9._-]+(?!.*\bextra *==)")
_TAKEN_IF_THERE = ("flash-attn", "flash-attn-3", "liger-kernel")
"""Kernels that LLaMA-Factory, verl and EasyR1 compute with where they are, and that no package says it needs."""


def versions_of(engine: type[Engine]) -> dict[str, str]:
    """Python's minor version, the engine's packages, the hash of what they need, and what the engine adds.

    Raises BadConfigurationError naming what is not installed.
    """
    found = {
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "environment": environment_hash(engine.packages),
    }
    missing = []
    for name in engine.packages:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        raise BadConfigurationError(f"{sys.executable}: {', '.join(missing)} not installed, which {engine.name} needs")
    try:
        return found | engine.further_versions()
    except ImportError as error:
        raise BadConfigurationError(f"{sys.executable}: {error}, which {engine.name} needs") from error


def environment_hash(packages: tuple[str, ...]) -> str:
    """12 hex digits over names and versions of these packages and of all installed ones that they need, however far.

    Kernels count wherever they are installed. Another package that none of these needs does not, so an upgrade of one
    engine leaves another's hash alone. Optional needs (extras) do not count either.
    """
    found: dict[str, str] = {}
    left = [*packages, *_TAKEN_IF_THERE]
    while left:
        name = re.sub(r"[-_.]+", "-", left.pop()).lower()
        if name in found:
            continue
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        found[name] = distribution.version
        left += [match[0] for need in distribution.requires or [] if (match := _NEEDED.match(need))]
    return hashlib.sha256(json.dumps(sorted(found.items())).encode()).hexdigest()[:12]


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
