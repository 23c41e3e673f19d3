"""Checking: the settings that jobs would have, in the hands of their engines (Engine.faults).

May load an engine, which costs some ten CPU seconds once. Nothing is written, and no GPU is needed.
"""

import contextlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from critic_trainer.attempt.manifest import attempt_of
from critic_trainer.engines import engine_for
from critic_trainer.engines.fitting import fitting_faults
from critic_trainer.engines.protocol import Fault


def check_all(request: dict[str, Any]) -> list[Fault]:
    """Faults of the settings of these attempts (as in preview.py), by field, value and expectation."""
    faults = []
    # Engines log to stdout, where the answer goes.
    with contextlib.redirect_stdout(sys.stderr):
        for entry in request["attempts"]:
            attempt = attempt_of(entry["attempt"], Path(entry["directory"]))
            attempt = replace(attempt, model=Path(entry["base_model"]))
            faults += engine_for(attempt).faults()
            faults += fitting_faults(attempt)
    return [fault for index, fault in enumerate(faults) if fault not in faults[:index]]
