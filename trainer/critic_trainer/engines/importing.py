"""Importing: does what an engine computes with load on this node?

A driver or a library may be missing where all versions are right.
"""

import contextlib
import importlib
import importlib.metadata
import sys

from critic_trainer.engines import ENGINES
from critic_trainer.engines.versions import versions_of


def import_all(names: list[str]) -> dict[str, str]:
    """Why an engine's packages do not load, by the engine's name. Empty if all do."""
    faults = {}
    modules: dict[str, list[str]] = {}
    for module, distributions in importlib.metadata.packages_distributions().items():
        for distribution in distributions:
            modules.setdefault(distribution.lower(), []).append(module)
    # Packages may print, and the answer goes to stdout.
    with contextlib.redirect_stdout(sys.stderr):
        for name in names:
            try:
                versions_of(ENGINES[name])
                for package in ENGINES[name].packages:
                    for module in modules.get(package, []):
                        if module.isidentifier() and not module.startswith("_"):
                            importlib.import_module(module)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever an import raises is the finding
                faults[name] = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    return faults
