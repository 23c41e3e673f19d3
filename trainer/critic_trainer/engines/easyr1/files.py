"""The files that EasyR1 reads, written into work/ by the first rank: prompts, reward function, settings, and for the
authors' generation a base model in the form of its time. Loads no torch.
"""

import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from critic_trainer.engines.easyr1 import reward
from critic_trainer.engines.easyr1.generations import Generation
from critic_trainer.engines.easyr1.settings import PROMPT_FILE, REWARD_FILE
from critic_trainer.failures import BadDataError
from critic_trainer.inputs.lengths import prompt_tokens
from critic_trainer.inputs.rows import PromptRow
from critic_trainer.model_folder import read_pixel_limits

IMAGE_MARK = "<image>"
_ROWS_PER_GROUP = 64
# What transformers 4.57 keeps below text_config and 4.51 beside it.
_TEXT_ONLY = {"architectures", "model_type", "torch_dtype", "dtype"}


def write_rows(path: Path, rows: list[PromptRow], dataset: Path, generation: Generation) -> None:
    """Prompts as this generation reads them: `prompt` with a mark for each image, `images`, `mos`.

    Raises BadDataError for a prompt that holds a mark itself.
    """
    for row in rows:
        if IMAGE_MARK in row.prompt:
            raise BadDataError(f'prompt "{row.id}": {IMAGE_MARK} stands in its text, which EasyR1 takes for an image')
    if generation.embeds_images:
        _write_parquet(path, rows)
        return
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            # Relative to the dataset's folder, as `data.image_dir` has it.
            images = [str(image.relative_to(dataset.resolve())) for image in row.images]
            file.write(json.dumps(_columns(row) | {"images": images}, ensure_ascii=False) + "\n")


def check_lengths(model: Path, rows: list[PromptRow], longest: int) -> None:
    """Raises BadDataError for a prompt of more than `longest` tokens, which EasyR1 cuts in its middle or leaves out."""
    limits = read_pixel_limits(model)
    counts = prompt_tokens(model, rows, lambda width, height: fitted_size(width, height, limits))
    over = [(row.id, count) for row, count in zip(rows, counts, strict=True) if count > longest]
    if over:
        raise BadDataError(
            f'{len(over)} of {len(rows)} prompts have more than {longest} tokens with their images ("{over[0][0]}": '
            f"{over[0][1]}): give grpo.max_prompt_length more, or the images fewer pixels"
        )


def fitted_size(width: int, height: int, limits: tuple[int, int]) -> tuple[int, int]:
    """The size that EasyR1's `process_image` gives a picture before the processor sees it. limits: pixels."""
    for limit, beyond in ((limits[1], width * height > limits[1]), (limits[0], width * height < limits[0])):
        if beyond:
            factor = math.sqrt(limit / (width * height))
            width, height = int(width * factor), int(height * factor)
    return width, height


def _columns(row: PromptRow) -> dict[str, Any]:
    return {"prompt": IMAGE_MARK * len(row.images) + row.prompt, "mos": row.mos}


def _write_parquet(path: Path, rows: list[PromptRow]) -> None:
    """With the images' own bytes, some rows at a time: thousands of pairs do not fit in memory."""
    import pyarrow
    from pyarrow import parquet

    image = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    columns = [("prompt", pyarrow.string()), ("mos", pyarrow.float64()), ("images", pyarrow.list_(image))]
    schema = pyarrow.schema(columns)
    with parquet.ParquetWriter(path, schema) as writer:
        for group in _groups(rows):
            filled = [
                _columns(row) | {"images": [{"bytes": one.read_bytes(), "path": None} for one in row.images]}
                for row in group
            ]
            writer.write_table(pyarrow.Table.from_pylist(filled, schema=schema))


def _groups(rows: list[PromptRow]) -> Iterator[list[PromptRow]]:
    for start in range(0, len(rows), _ROWS_PER_GROUP):
        yield rows[start : start + _ROWS_PER_GROUP]


def write_code(work: Path) -> None:
    """The prompt template, which leaves prompts as they are, and the reward function."""
    (work / PROMPT_FILE).write_text("{{ content }}\n", encoding="utf-8")
    shutil.copyfile(str(reward.__file__), work / REWARD_FILE)


def write_base(model: Path, target: Path) -> None:
    """The model as transformers 4.51 reads it: links to its files, and a config.json without text_config."""
    target.mkdir()
    for file in model.iterdir():
        if file.is_file() and file.name != "config.json":
            (target / file.name).symlink_to(file.resolve())
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    (target / "config.json").write_text(json.dumps(flat_config(config), indent=2) + "\n", encoding="utf-8")


def flat_config(config: dict[str, Any]) -> dict[str, Any]:
    """config.json of Qwen2.5-VL with the text model's settings at the top, where transformers before 4.52 has them."""
    text = config.get("text_config") or {}
    raised = {key: value for key, value in text.items() if key not in _TEXT_ONLY}
    result = {key: value for key, value in config.items() if key != "text_config"}
    dtype = result.pop("dtype", None)
    if dtype is not None:
        result.setdefault("torch_dtype", dtype)
    return raised | result
