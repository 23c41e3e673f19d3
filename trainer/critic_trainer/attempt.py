"""The attempt: what a job is to do (attempt.json, checked here) and the folder it works in."""

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .exits import ConfigError, DataError

KINDS = ("sft", "grpo", "predict")


@dataclass(frozen=True)
class Attempt:
    """One try of one job. Paths are absolute; `params` is checked by the kind that uses it."""

    name: str
    number: int
    kind: str
    directory: Path
    model: Path
    inputs: dict[str, Path]
    resume_from: Path | None
    seed: int
    threads: int
    planned_steps: int | None
    planned_rows: int | None
    params: dict[str, Any]

    @property
    def output(self) -> Path:
        """Where the model or the predictions go."""
        return self.directory / "output"

    @property
    def checkpoints(self) -> Path:
        """Complete checkpoints only: `checkpoint-<step>`, renamed into place."""
        return self.directory / "checkpoints"

    def checkpoint_requested(self) -> bool:
        """Was the job asked to checkpoint and stop?"""
        return (self.directory / "checkpoint-requested").exists()

    def param(self, name: str, kind: type, low: float, high: float) -> Any:
        """A parameter of the right type and within [low, high], or a ConfigError that names it."""
        value = self.params.get(name)
        numeric = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not numeric or (kind is int and int(value) != value) or not low <= value <= high:
            raise ConfigError(f"params.{name}: expected {kind.__name__} in [{low}, {high}], got {value!r}")
        return kind(value)


def read_attempt(directory: Path) -> Attempt:
    """Reads and checks `<directory>/attempt.json`. Raises ConfigError naming field, value and what was expected."""
    path = directory / "attempt.json"
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: expected JSON, got {error}") from error
    _expect("schema", data.get("schema"), data.get("schema") == 1, "1")
    _expect("kind", data.get("kind"), data.get("kind") in KINDS, " or ".join(KINDS))
    model = _folder("model", data.get("model"))
    inputs = data.get("inputs")
    _expect("inputs", inputs, isinstance(inputs, dict), "an object of folders")
    resume = data.get("resume_from")
    planned = data.get("planned") or {}
    threads, seed = data.get("threads"), data.get("seed")
    _expect("threads", threads, isinstance(threads, int) and threads > 0, "a positive whole number")
    _expect("seed", seed, isinstance(seed, int) and seed >= 0, "a whole number from 0")
    _expect("params", data.get("params"), isinstance(data.get("params"), dict), "an object")
    return Attempt(
        name=str(data.get("name")),
        number=int(data.get("attempt", 1)),
        kind=data["kind"],
        directory=directory,
        model=model,
        inputs={name: _folder(f"inputs.{name}", value) for name, value in inputs.items()},
        resume_from=None if resume is None else _folder("resume_from", resume),
        seed=seed,
        threads=threads,
        planned_steps=planned.get("steps"),
        planned_rows=planned.get("rows"),
        params=data["params"],
    )


def read_rows(path: Path, root: Path) -> list[dict[str, Any]]:
    """Rows {id, prompt, images, mos} of a prompts file; image paths are made absolute and must stay below `root`."""
    rows = []
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise DataError(f"{path}: expected a JSON Lines file, got {error}") from error
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            images = [confined(root, image) for image in row["images"]]
            rows.append({"id": row["id"], "prompt": row["prompt"], "images": images, "mos": float(row["mos"])})
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}:{number}: expected id, prompt, images and mos, got {error!r}") from error
    if not rows:
        raise DataError(f"{path}: expected at least one row, got none")
    return rows


def confined(root: Path, relative: str) -> str:
    """Absolute path of an image below `root`; anything that leads out of it, or nowhere, is bad data."""
    path = (root / relative).resolve()
    if not path.is_relative_to(root.resolve()) or not path.is_file():
        raise DataError(f"image {relative!r}: expected a file below {root}, got none")
    return str(path)


def write_json(path: Path, value: Any) -> None:
    """Atomic: temporary file, fsync, rename."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w") as file:
        json.dump(value, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)


class Metrics:
    """metrics.jsonl: one row a step, flushed at once. NaN and infinity become null and are named in `non_finite`."""

    def __init__(self, attempt: Attempt) -> None:
        self.attempt = attempt
        self.file = (attempt.directory / "metrics.jsonl").open("a", buffering=1)
        self.finite = True
        self.steps: list[int] = []

    def row(self, step: int, total_steps: int | None, **values: float | None) -> None:
        """Appends one row; values that are None are left out."""
        given = {name: float(value) for name, value in values.items() if value is not None}
        broken = [name for name, value in given.items() if not _is_finite(value)]
        self.finite = self.finite and not broken
        self.steps.append(step)
        row: dict[str, Any] = {"step": step, "attempt": self.attempt.number, "time": round(time.time(), 3)}
        if total_steps is not None:
            row["total_steps"] = total_steps
        row |= {name: None if name in broken else round(value, 6) for name, value in given.items()}
        if broken:
            row["non_finite"] = broken
        self.file.write(json.dumps(row) + "\n")


def _is_finite(value: float) -> bool:
    return value == value and value not in (float("inf"), float("-inf"))  # noqa: PLR0124


def _expect(field: str, value: Any, holds: bool, expected: str) -> None:
    if not holds:
        raise ConfigError(f"attempt.json: {field}: expected {expected}, got {value!r}")


def _folder(field: str, value: Any) -> Path:
    if not isinstance(value, str) or not value.startswith("/") or not Path(value).is_dir():
        raise ConfigError(f"attempt.json: {field}: expected an existing folder (absolute path), got {value!r}")
    return Path(value)
