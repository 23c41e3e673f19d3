"""The recipes of this repository, in the hands of LLaMA-Factory's and TRL's own parsers.

tests/golden/recipe-attempts.json is what the orchestrator makes of them (tests/activities/jobs/).
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from critic_trainer.attempt.manifest import Attempt, attempt_of
from critic_trainer.engines import deepspeed, fitting
from critic_trainer.engines.checking import check_all
from critic_trainer.engines.fitting import fitting_faults

ATTEMPTS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "tests" / "golden" / "recipe-attempts.json").read_text(encoding="utf-8")
)
SEVEN_B = {"num_attention_heads": 28, "num_key_value_heads": 4, "max_position_embeddings": 128_000}
"""Of Qwen2.5-VL-7B-Instruct's config.json, which the recipes are for."""
HERE = ("llamafactory", "trl", "transformers")


@pytest.fixture(scope="module")
def large(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model that says of itself what the large one says."""
    folder = tmp_path_factory.mktemp("large") / "model"
    shutil.copytree(model, folder)
    config = json.loads((folder / "config.json").read_text())
    config["text_config"] |= SEVEN_B
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def faults_of(recipe: str, model: Path, change: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    attempts = [
        {"attempt": entry["attempt"] | {"params": entry["attempt"]["params"] | (change or {})}}
        for entry in ATTEMPTS
        if entry["recipe"] == recipe and entry["attempt"]["engine"]["name"] in HERE
    ]
    assert attempts
    where = {"directory": str(model.parent), "base_model": str(model), "gpu": True}
    return check_all({"attempts": [attempt | where for attempt in attempts if change is None or is_sft(attempt)]})


def is_sft(entry: dict[str, Any]) -> bool:
    return entry["attempt"]["kind"] == "sft"


@pytest.mark.parametrize("recipe", sorted({entry["recipe"] for entry in ATTEMPTS}))
def test_the_parsers_of_the_engines_take_every_setting(recipe: str, large: Path) -> None:
    assert faults_of(recipe, large) == []


@pytest.mark.parametrize("recipe", ["paper", "paper-2-nodes", "paper-verl"])
def test_grpo_on_ray_fits_the_model(recipe: str, large: Path) -> None:
    assert fitting_faults(on_ray(recipe, large)) == []
    heads = {
        "field": "grpo.tensor_parallel",
        "value": 8,
        "expected": "a divisor of 28, the attention heads of the model",
    }
    assert fitting_faults(on_ray(recipe, large, tensor_parallel=8)) == [heads]
    assert [fault["field"] for fault in fitting_faults(on_ray(recipe, large, tensor_parallel=7))] == [
        "grpo.tensor_parallel"
    ]
    assert fitting_faults(on_ray(recipe, large, max_prompt_length=125_000)) == [
        {
            "field": "grpo.max_prompt_length",
            "value": 125_000,
            "expected": "at most 123904: the model's 128000 positions less max_completion_length",
        }
    ]
    longest = {
        "field": "grpo.max_completion_length",
        "value": 128_000,
        "expected": "less than 128000, the model's positions",
    }
    assert fitting_faults(on_ray(recipe, large, max_completion_length=128_000)) == [longest]


def on_ray(recipe: str, model: Path, **params: int) -> Attempt:
    entry = next(one for one in ATTEMPTS if one["recipe"] == recipe and one["attempt"]["kind"] == "grpo")["attempt"]
    return replace(attempt_of(entry | {"params": entry["params"] | params}, model), model=model)


def test_deepspeed_that_is_not_installed_is_found_before_the_queue(
    large: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(deepspeed, "deepspeed_folder", lambda: tmp_path / "deepspeed")
    monkeypatch.setattr(fitting, "deepspeed_folder", lambda: tmp_path / "deepspeed")
    [fault] = faults_of("paper", large, {})
    assert fault["field"] == "sft.deepspeed"
    assert fault["expected"].startswith(f"DeepSpeed 0.19.8 in {tmp_path}/deepspeed, which has none (run `trainer/")


def test_and_would_refuse_a_wrong_one(large: Path) -> None:
    assert faults_of("paper", large, {"llamafactory": {"image_max_pixels": "a million"}}) == [
        {"field": "sft.llamafactory.image_max_pixels", "value": "a million", "expected": "a whole number"}
    ]
