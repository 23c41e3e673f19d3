"""The attempt: attempt.json read, checked against the schema, and checked against what is on disk."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from critic_trainer.attempt.schemas import ATTEMPT_SCHEMA
from critic_trainer.failures import BadConfigurationError

_EXPECTED = {
    "type": "of type {}",
    "enum": "one of {}",
    "const": "{}",
    "minimum": ">= {}",
    "maximum": "<= {}",
    "exclusiveMinimum": "> {}",
    "pattern": "text matching {}",
    "maxLength": "at most {} characters",
}


@dataclass(frozen=True)
class Attempt:
    """A checked attempt. `directory` is its folder. Every other path is absolute and exists."""

    directory: Path
    name: str
    attempt: int
    kind: str
    model: Path
    inputs: dict[str, Path]
    resume_from: Path | None
    seed: int
    threads: int
    planned_steps: int | None
    planned_rows: int | None
    engine: str
    """Its name in the registry (engines/)."""
    versions: dict[str, str]
    """Those in the artifact's key, by package. Empty: not compared."""
    params: dict[str, Any]

    @property
    def work(self) -> Path:
        """Where the trainer works. Nothing in it is promised to anyone."""
        return self.directory / "work"

    @property
    def output(self) -> Path:
        """What the orchestrator publishes. Appears whole, by one rename."""
        return self.directory / "output"

    @property
    def checkpoints(self) -> Path:
        """Complete checkpoints only, each `checkpoint-<step>`."""
        return self.directory / "checkpoints"

    @property
    def result(self) -> Path:
        return self.directory / "result.json"


def read_attempt(directory: Path) -> Attempt:
    """Reads `directory`/attempt.json. Raises BadConfigurationError with one line: field, expected, got."""
    path = directory / "attempt.json"
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise BadConfigurationError(f"{path} is not there") from error
    except ValueError as error:
        raise BadConfigurationError(f"{path} is not JSON: {error}") from error
    check_schema(raw, ATTEMPT_SCHEMA, "attempt.json")
    attempt = attempt_of(raw, directory)
    _check_paths(attempt)
    return attempt


def attempt_of(raw: dict[str, Any], directory: Path) -> Attempt:
    """The attempt that checked JSON describes. Its paths are not looked at."""
    return Attempt(
        directory=directory,
        name=raw["name"],
        attempt=raw["attempt"],
        kind=raw["kind"],
        model=Path(raw["model"]),
        inputs={name: Path(value) for name, value in raw["inputs"].items()},
        resume_from=None if raw["resume_from"] is None else Path(raw["resume_from"]),
        seed=raw["seed"],
        threads=raw["threads"],
        planned_steps=raw["planned"]["steps"],
        planned_rows=raw["planned"].get("rows"),
        engine=raw["engine"]["name"],
        versions=raw["engine"]["versions"],
        params=raw["params"],
    )


def check_schema(value: Any, schema: dict[str, Any], what: str) -> None:
    """Raises BadConfigurationError for the worst fault: `attempt.json: params.epochs: expected > 0, got -1`."""
    # Here, since engines are asked for their versions where no package need be importable.
    import jsonschema
    from jsonschema.exceptions import best_match

    fault = best_match(jsonschema.Draft202012Validator(schema).iter_errors(value))
    if fault is None:
        return
    field = ".".join(str(part) for part in fault.absolute_path)
    if fault.validator in ("required", "additionalProperties"):
        raise BadConfigurationError(f"{what}: {field or 'top level'}: {fault.message}")
    expected = _EXPECTED.get(str(fault.validator), "{}").format(json.dumps(fault.validator_value))
    raise BadConfigurationError(f"{what}: {field}: expected {expected}, got {json.dumps(fault.instance)[:200]}")


def _check_paths(attempt: Attempt) -> None:
    if not (attempt.model / "config.json").is_file():
        raise BadConfigurationError(f'attempt.json: model: expected a folder with a config.json, got "{attempt.model}"')
    for name, path in attempt.inputs.items():
        if not path.is_dir():
            raise BadConfigurationError(f'attempt.json: inputs.{name}: expected a folder, got "{path}"')
    if attempt.resume_from is not None and not attempt.resume_from.is_dir():
        raise BadConfigurationError(
            f'attempt.json: resume_from: expected the folder of a complete checkpoint, got "{attempt.resume_from}"'
        )
