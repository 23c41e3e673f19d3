"""predictions.jsonl: written whole into a folder, read back from a checkpoint."""

import json
from pathlib import Path

from critic_trainer.failures import BadConfigurationError

NAME = "predictions.jsonl"


def write_rows(folder: Path, lines: list[str]) -> None:
    """Makes `folder` (must not exist) with the lines in predictions.jsonl."""
    folder.mkdir()
    (folder / NAME).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def read_rows(checkpoint: Path) -> tuple[list[str], list[str]]:
    """(ids, lines) of a checkpoint. Raises BadConfigurationError if it is not there or a line is not a prediction."""
    path = checkpoint / NAME
    if not path.is_file():
        raise BadConfigurationError(f'attempt.json: resume_from: "{path}" is not there')
    # Not splitlines(): U+2028 and others may stand unescaped within a JSON string.
    lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    try:
        ids = [str(json.loads(line)["id"]) for line in lines]
    except (ValueError, KeyError, TypeError) as error:
        raise BadConfigurationError(f"attempt.json: resume_from: {path} cannot be read ({error!r})") from error
    return ids, lines
