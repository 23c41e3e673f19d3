"""How many tokens a prompt has, its pictures included, without torch: for engines that cut long prompts without a word.

For models of the Qwen2-VL family, whose processor rounds a picture's sides to whole merged patches.
"""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from critic_trainer.failures import BadConfigurationError
from critic_trainer.inputs.rows import PromptRow
from critic_trainer.model_folder import read_pixel_limits


def prompt_tokens(
    model: Path, rows: list[PromptRow], fitted: Callable[[int, int], tuple[int, int]] = lambda *size: size
) -> list[int]:
    """Tokens of each row's prompt in the model's chat template, from its first to where the answer begins.

    fitted: the size that the trainer gives a picture, in pixels, before the processor sees it.
    Raises BadConfigurationError where the model's folder has no fast tokenizer or no chat template.
    """
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    from PIL import Image
    from tokenizers import Tokenizer

    if not (model / "tokenizer.json").is_file():
        raise BadConfigurationError(f"attempt.json: model: {model} has no tokenizer.json")
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    # As transformers renders it.
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(_chat_template(model))
    unit, limits = _unit(model), read_pixel_limits(model)
    counts = []
    for row in rows:
        content = [*({"type": "image"} for _ in row.images), {"type": "text", "text": row.prompt}]
        text = template.render(messages=[{"role": "user", "content": content}], add_generation_prompt=True)
        tokens = len(tokenizer.encode(text, add_special_tokens=False).ids)
        for path in row.images:
            with Image.open(path) as image:
                # One mark stands for each picture already.
                tokens += picture_tokens(*fitted(image.width, image.height), unit, limits) - 1
        counts.append(tokens)
    return counts


def picture_tokens(width: int, height: int, unit: int, limits: tuple[int, int]) -> int:
    """Tokens of a picture, by `smart_resize` of transformers' Qwen2-VL.

    width, height: pixels. unit: pixels of a token's side. limits: least and most pixels of a picture.
    """
    smallest, largest = limits
    wide, high = round(width / unit) * unit, round(height / unit) * unit
    if wide * high > largest:
        shrink = math.sqrt(width * height / largest)
        wide = max(unit, math.floor(width / shrink / unit) * unit)
        high = max(unit, math.floor(height / shrink / unit) * unit)
    elif wide * high < smallest:
        grow = math.sqrt(smallest / (width * height))
        wide, high = math.ceil(width * grow / unit) * unit, math.ceil(height * grow / unit) * unit
    return (wide // unit) * (high // unit)


def _unit(model: Path) -> int:
    config = _read(model / "preprocessor_config.json")
    return int(config.get("patch_size", 14)) * int(config.get("merge_size", 2))


def _chat_template(model: Path) -> str:
    file = model / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    for name in ("chat_template.json", "tokenizer_config.json"):
        found = _read(model / name).get("chat_template")
        if isinstance(found, str):
            return found
    raise BadConfigurationError(f"attempt.json: model: {model} has no chat template")


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
