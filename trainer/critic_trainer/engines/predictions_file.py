"""predictions.jsonl: written whole into a folder, read back from a checkpoint."""

import json
from pathlib import Path

NAME = "predictions.jsonl"


def write_rows(folder: Path, lines: list[str]) -> None:
    """Makes `folder` (must not exist) with the lines in predictions.jsonl."""
    folder.mkdir()
    (folder / NAME).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def read_rows(folder: Path) -> tuple[list[str], list[str]]:
    """(ids, lines). Raises OSError if the file cannot be read, ValueError naming a line that is not a prediction."""
    # Not splitlines(): U+2028 and others may stand unescaped within a JSON string.
    lines = (folder / NAME).read_text(encoding="utf-8").removesuffix("\n").split("\n")
    return [_id_of(line, number) for number, line in enumerate(lines, start=1)], lines


def _id_of(line: str, number: int) -> str:
    try:
        return str(json.loads(line)["id"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{NAME}:{number}: {error!r}") from error
