"""Batches: rows cut at fixed places, so that a batch is the same in every attempt and in every process.

A prediction, a batch and a checkpoint are written alike: `predictions.jsonl`, or a file of the same lines. A checkpoint
holds any whole batches in the order of the rows, and beside them `settings.json`: what the answers depend on.
"""

import json
import math
import os
import uuid
from pathlib import Path
from typing import Any

from critic_trainer.files import sync_folder
from critic_trainer.inputs.rows import PromptRow

NAME = "predictions.jsonl"
SETTINGS = "settings.json"
Lines = list[str]


class Batches:
    """The rows of a prediction in batches of `size`; the last one may be shorter."""

    def __init__(self, rows: list[PromptRow], size: int) -> None:
        self.rows = rows
        self.size = size

    @property
    def count(self) -> int:
        return math.ceil(len(self.rows) / self.size)

    def rows_of(self, index: int) -> list[PromptRow]:
        """The rows of batch `index`, from 0."""
        return self.rows[index * self.size : (index + 1) * self.size]

    def fault_of(self, index: int, ids: list[str]) -> str | None:
        """Why lines with these ids are not batch `index`, whole and in order, or None if they are."""
        expected = [row.id for row in self.rows_of(index)]
        return None if ids == expected else f"{len(ids)} of its {len(expected)} rows"

    def found_in(self, ids: list[str], lines: Lines) -> dict[int, Lines]:
        """The batches that these lines are, by index. Raises ValueError where they are not whole batches in order."""
        first_rows = {self.rows_of(index)[0].id: index for index in range(self.count)}
        found: dict[int, Lines] = {}
        at = 0
        while at < len(ids):
            index = first_rows.get(ids[at])
            if index is None or index <= max(found, default=-1):
                raise ValueError(f"line {at + 1} begins no further batch")
            end = at + len(self.rows_of(index))
            if self.fault_of(index, ids[at:end]) is not None:
                raise ValueError(f"batch {index} is not whole at line {at + 1}")
            found[index] = lines[at:end]
            at = end
        return found


def write_lines(path: Path, lines: Lines) -> None:
    """Writes a file of lines beside its place, syncs it and renames it there: it is whole or absent.

    Two processes may write the same file at once, each under a name of its own.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def read_lines(path: Path) -> tuple[list[str], Lines]:
    """(ids, lines). Raises OSError if the file cannot be read, ValueError naming a line that is not a prediction."""
    text = path.read_text(encoding="utf-8")
    if not text:
        return [], []
    # Not splitlines(): U+2028 and others may stand unescaped within a JSON string.
    lines = text.removesuffix("\n").split("\n")
    return [_id_of(line, f"{path.name}:{number}") for number, line in enumerate(lines, start=1)], lines


def write_rows(folder: Path, lines: Lines, settings: dict[str, Any] | None = None) -> None:
    """Makes `folder` (must not exist) with the lines in predictions.jsonl; with `settings` for a checkpoint."""
    folder.mkdir()
    write_lines(folder / NAME, lines)
    if settings is not None:
        (folder / SETTINGS).write_text(json.dumps(settings, sort_keys=True) + "\n", encoding="utf-8")


def read_rows(folder: Path) -> tuple[list[str], Lines]:
    """As read_lines, of the folder's predictions."""
    return read_lines(folder / NAME)


def read_settings(folder: Path) -> dict[str, Any] | None:
    """The checkpoint's settings; None in those of earlier releases. Raises ValueError if they are no JSON object."""
    try:
        settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    if not isinstance(settings, dict):
        raise ValueError(f"{SETTINGS} is no object")
    return settings


def _id_of(line: str, where: str) -> str:
    try:
        return str(json.loads(line)["id"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{where}: {error!r}") from error
