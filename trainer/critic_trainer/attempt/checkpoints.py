"""Checkpoints: complete before they are visible. Each engine says what complete means.

An engine writes `checkpoint-<step>` into the attempt's work folder. When it is whole, it is renamed into
`checkpoints/`, so that folder lists only complete ones.
"""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from critic_trainer.files import publish_folder

KEEP = 2


def checkpoint_step(path: Path) -> int | None:
    """The step in the name `checkpoint-<step>`, else None."""
    match = re.fullmatch(r"checkpoint-(\d+)", path.name)
    return None if match is None else int(match[1])


def publish_checkpoint(written: Path, folder: Path, fault_of: Callable[[Path], str | None], keep: int = KEEP) -> None:
    """Moves a checkpoint without fault into `folder`, then removes all but the `keep` newest.

    Raises RuntimeError if it is incomplete, and then removes nothing.
    """
    fault = fault_of(written)
    if fault is not None:
        raise RuntimeError(f"the checkpoint just written at {written} is incomplete: {fault}")
    publish_folder(written, folder / written.name)
    prune(folder, keep)


def prune(folder: Path, keep: int = KEEP) -> None:
    """Removes all but the `keep` newest checkpoints of this attempt. One being resumed from is another attempt's."""
    found = sorted((path for path in folder.iterdir() if checkpoint_step(path) is not None), key=checkpoint_step)
    for old in found[:-keep]:
        # Out of sight first: a half-removed folder must not look like a checkpoint.
        doomed = old.with_name(f".removing-{old.name}")
        old.rename(doomed)
        shutil.rmtree(doomed)
