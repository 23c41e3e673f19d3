"""The result: the trainer's last act, after it has looked at its own work."""

import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from safetensors import safe_open

from .attempt import Attempt, write_json
from .exits import JobError


def check_model(folder: Path) -> None:
    """Can the weights' header be read, and is there everything the next job loads? Raises JobError if not."""
    for name in ("config.json", "model.safetensors", "tokenizer_config.json", "preprocessor_config.json"):
        if not (folder / name).is_file():
            raise JobError(f"the output lacks {name}")
    with safe_open(folder / "model.safetensors", framework="pt") as weights:
        if not list(weights.keys()):
            raise JobError("the output's model.safetensors holds no tensor")


def write_result(attempt: Attempt, started: float, **facts: Any) -> None:
    """result.json, atomically."""
    packages = ("torch", "transformers", "trl", "llamafactory")
    base = {
        "schema": 1,
        "name": attempt.name,
        "kind": attempt.kind,
        "steps_planned": attempt.planned_steps,
        "steps_done": None,
        "first_step": None,
        "resumed_from_step": None,
        "finite": True,
        "rows": None,
        "trainer": {name: version(name) for name in packages},
        "seconds": round(time.time() - started, 1),
    }
    write_json(attempt.directory / "result.json", base | facts)
