"""EasyR1's checkpoints, `global_step_<N>`: is one whole, and what its tracker says. Loads no torch."""

import json
import zipfile
from pathlib import Path

from critic_trainer.engines.easyr1.generations import Generation

_PARTS = ("model", "optim", "extra_state")
_HUGGING_FACE = ("config.json", "tokenizer_config.json", "preprocessor_config.json")


def shards_fault(folder: Path, processes: int) -> str | None:
    """Why `folder`, global_step_<N>, is no checkpoint that `processes` ranks could go on from and merge, or None.

    Looks at each rank's three parts, which are whole zip archives (their directory is at the end, so a cut file is
    seen), at the data's position and at the files that a merge needs.
    """
    parts = [f"{part}_world_size_{processes}_rank_{rank}.pt" for rank in range(processes) for part in _PARTS]
    for file in [*(folder / "actor" / part for part in parts), folder / "dataloader.pt"]:
        if not zipfile.is_zipfile(file):
            return f"{file.relative_to(folder.parent)} is missing or cut short"
    for name in _HUGGING_FACE:
        file = folder / "actor/huggingface" / name
        if not file.is_file():
            return f"{file.relative_to(folder.parent)} is missing"
    return None


def tracked_step(saved: Path, generation: Generation) -> int | None:
    """The newest checkpoint's step as the tracker names it, which EasyR1 writes last.

    None while there is none, or while it is half written: EasyR1 writes it in place.
    """
    try:
        text = (saved / generation.tracker).read_text(encoding="utf-8")
        step = json.loads(text)
        return int(step["last_global_step"] if isinstance(step, dict) else step)
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
