"""verl's files: prompts as its data set reads them, answers as it dumps them, a checkpoint's shards."""

import json
import time
import zipfile
from pathlib import Path
from statistics import mean, pstdev
from typing import Any

from critic_trainer.failures import BadDataError
from critic_trainer.inputs.rows import PromptRow
from critic_trainer.reward import accuracy_reward, format_reward

_MARKS = ("<image>", "<video>", "<audio>")
_DUMP_SECONDS = 30
_PADDING = "pad"
"""How verl names what it trains on in the place of an answer (trainer/ppo/padding_utils.py). Others are UUIDs."""


def write_prompts(rows: list[PromptRow], file: Path) -> None:
    """Parquet: one user message, its images before its text. Raises BadDataError for a text that verl would cut up."""
    import pyarrow
    import pyarrow.parquet

    table = []
    for index, row in enumerate(rows):
        mark = next((mark for mark in _MARKS if mark in row.prompt), None)
        if mark is not None:
            raise BadDataError(f"{row.id}: prompt: {mark} stands in its text, where verl would look for one more image")
        content = "<image>" * len(row.images) + row.prompt
        table.append(
            {
                "data_source": "critic",
                "prompt": [{"role": "user", "content": content}],
                "images": [{"image": path.as_uri()} for path in row.images],
                "reward_model": {"style": "rule", "ground_truth": row.mos},
                "extra_info": {"index": index, "id": row.id},
            }
        )
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(table), file)


def answers_numbers(file: Path, answers: int, generations: int, reward: dict[str, Any]) -> dict[str, float]:
    """Means that verl's log does not have, from the dump of a step's answers: accuracy, format, spread of each group.

    The dump is written beside the training, so it is waited for. {} if it does not come. It is removed.
    Raises RuntimeError where answers failed: verl only logs what was raised, and goes on with padding in their place.
    """
    until = time.monotonic() + _DUMP_SECONDS
    while (rows := _rows(file)) is None or len(rows) < answers:
        if time.monotonic() > until:
            return {}
        time.sleep(0.1)
    file.unlink()
    failed = sum(str(row["uid"]).startswith(_PADDING) for row in rows)
    if failed:
        raise RuntimeError(
            f"step {file.stem}: {failed} of {answers} answers could not be made or rewarded, and verl would train on "
            "without them: the job's log says why"
        )
    groups: dict[str, list[float]] = {}
    for row in rows:
        # prompt_answer_turn
        groups.setdefault(str(row["uid"]).split("_", 1)[0], []).append(float(row["score"]))
    spreads = [pstdev(scores) * (generations / (generations - 1)) ** 0.5 for scores in groups.values()]
    texts = [(str(row["output"]), float(row["gts"])) for row in rows]
    return {
        "reward_l1": mean(accuracy_reward(text, mos, reward["shape"], reward["floor"]) for text, mos in texts),
        "reward_format": mean(format_reward(text) for text, _ in texts),
        "reward_std": mean(spreads),
        "reward_std_zero": mean(spread < 1e-6 for spread in spreads),
    }


def _rows(file: Path) -> list[dict[str, Any]] | None:
    """None while it is not there, or a line of it is not whole."""
    try:
        return [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line]
    except (FileNotFoundError, ValueError):
        return None


def shards_fault(folder: Path, world: int) -> str | None:
    """Why `global_step_<N>` is not whole for `world` processes, or None. A zip archive that is cut lacks its end."""
    actor = folder / "actor"
    kinds = ("model", "optim", "extra_state")
    shards = [actor / f"{kind}_world_size_{world}_rank_{rank}.pt" for rank in range(world) for kind in kinds]
    for file in [*shards, folder / "data.pt"]:
        if not zipfile.is_zipfile(file):
            return f"{file.relative_to(folder.parent)} is missing or cut short"
    for file in (actor / "fsdp_config.json", actor / "huggingface" / "config.json"):
        try:
            noted = json.loads(file.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError) as error:
            return f"{file.relative_to(folder.parent)} cannot be read ({error})"
        if noted.get("world_size", world) != world:
            return f"{file.relative_to(folder.parent)} is of {noted['world_size']} processes"
    return None
