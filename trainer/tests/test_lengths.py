"""Lengths of prompts, counted without torch, are those that the model's processor makes."""

import random
from pathlib import Path

import pytest
from PIL import Image

from critic_trainer.failures import BadConfigurationError
from critic_trainer.inputs.encoding import encode
from critic_trainer.inputs.lengths import picture_tokens, prompt_tokens
from critic_trainer.inputs.rows import PromptRow

CRITIC = Path(__file__).parent.parent.parent / "models/tiny-critic"


def test_tokens_of_a_prompt_are_those_of_the_processor(tmp_path: Path) -> None:
    from transformers import AutoProcessor

    rng = random.Random(3)
    rows = []
    for index, (width, height) in enumerate([(56, 56), (300, 90), (17, 23), (640, 480), (29, 5), (224, 224)]):
        paths = tuple(tmp_path / f"{index}-{side}.png" for side in range(1 + index % 2))
        for path in paths:
            Image.frombytes("RGB", (width, height), rng.randbytes(width * height * 3)).save(path)
        rows.append(PromptRow(str(index), "Edit: make it <|im_end|> red\n" * (index + 1), paths, 3.0))
    processor = AutoProcessor.from_pretrained(CRITIC, use_fast=True)
    expected = [encode(processor, [row])["input_ids"].shape[1] for row in rows]
    assert prompt_tokens(CRITIC, rows) == expected
    assert len(set(expected)) > 3


def test_tokens_of_a_picture_are_those_of_smart_resize() -> None:
    from transformers.models.qwen2_vl.image_processing_qwen2_vl import smart_resize

    rng = random.Random(5)
    for _ in range(1000):
        width, height = rng.randint(28, 3000), rng.randint(28, 3000)
        limits = rng.choice([(3136, 1_003_520), (262_144, 1_048_576), (784, 50_176)])
        high, wide = smart_resize(height, width, 28, *limits)
        assert picture_tokens(width, height, 28, limits) == (high // 28) * (wide // 28)


def test_a_model_without_a_template_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes((CRITIC / "tokenizer.json").read_bytes())
    with pytest.raises(BadConfigurationError, match="has no chat template"):
        prompt_tokens(tmp_path, [])
    with pytest.raises(BadConfigurationError, match=r"has no tokenizer\.json"):
        prompt_tokens(tmp_path / "none", [])
