"""The recipes of this repository, in the hands of LLaMA-Factory's and TRL's own parsers.

tests/golden/recipe-attempts.json is what the orchestrator makes of them (tests/activities/jobs/).
"""

import json
from pathlib import Path
from typing import Any

import pytest

from critic_trainer.engines.checking import check_all

ATTEMPTS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "tests" / "golden" / "recipe-attempts.json").read_text(encoding="utf-8")
)
HERE = ("llamafactory", "trl", "transformers")


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
def test_the_parsers_of_the_engines_take_every_setting(recipe: str, model: Path) -> None:
    assert faults_of(recipe, model) == []


def test_and_would_refuse_a_wrong_one(model: Path) -> None:
    assert faults_of("paper", model, {"llamafactory": {"image_max_pixels": "a million"}}) == [
        {"field": "sft.llamafactory.image_max_pixels", "value": "a million", "expected": "a whole number"}
    ]
