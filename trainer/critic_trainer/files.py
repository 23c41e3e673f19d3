"""Files that are whole or absent: written beside their place, synced, renamed. And paths that stay where they are."""

import json
import os
from pathlib import Path
from typing import Any

from critic_trainer.failures import BadDataError


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Writes `value` atomically: temp file in the same folder, fsync, rename, fsync of the folder. NaN is refused."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(json.dumps(value, allow_nan=False, ensure_ascii=False, indent=2) + "\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def publish_folder(source: Path, target: Path) -> None:
    """Renames the folder `source` to `target`, its files synced first. `target` must not exist (OSError)."""
    for file in sorted(source.rglob("*")):
        if file.is_file():
            descriptor = os.open(file, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
    target.parent.mkdir(parents=True, exist_ok=True)
    source.rename(target)
    sync_folder(target.parent)


def sync_folder(path: Path) -> None:
    """Makes renames in `path` survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def confined(root: Path, relative: str, where: str) -> Path:
    """`relative` below `root`, links followed. `where` names the row, e.g. `train.jsonl:12`.

    Raises BadDataError if the path is absolute, leaves `root` (also through a link) or is no regular file.
    """
    path = (root / relative).resolve()
    if not relative or Path(relative).is_absolute() or not path.is_relative_to(root.resolve()):
        raise BadDataError(f'{where}: expected an image path inside {root}, got "{relative}"')
    if not path.is_file():
        raise BadDataError(f'{where}: image "{relative}" is not there ({path})')
    return path
