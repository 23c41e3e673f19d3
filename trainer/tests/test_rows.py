"""Prompts: who needs people's opinion of a pair, and who does not."""

import json
from pathlib import Path

import pytest

from critic_trainer.failures import BadDataError
from critic_trainer.inputs.rows import read_prompts


def prompts(folder: Path, **fields: object) -> Path:
    for name in ("a.png", "b.png"):
        (folder / name).touch()
    file = folder / "test.jsonl"
    file.write_text(json.dumps({"id": "1", "prompt": "Judge.", "images": ["a.png", "b.png"], **fields}) + "\n")
    return file


def test_a_prediction_takes_a_pair_that_nobody_has_judged(tmp_path: Path) -> None:
    for file in (prompts(tmp_path, mos=None), prompts(tmp_path)):
        (row,) = read_prompts(file, tmp_path, verify=False, judged=False)
        assert row.mos is None


def test_training_takes_none(tmp_path: Path) -> None:
    with pytest.raises(BadDataError, match=r"test\.jsonl:1: mos: got null"):
        read_prompts(prompts(tmp_path, mos=None), tmp_path, verify=False)


@pytest.mark.parametrize("mos", [0, 5.01, float("nan"), "3"])
def test_an_opinion_that_is_none_is_refused_in_both(tmp_path: Path, mos: object) -> None:
    for judged in (True, False):
        with pytest.raises(BadDataError, match=r"test\.jsonl:1: mos: "):
            read_prompts(prompts(tmp_path, mos=mos), tmp_path, verify=False, judged=judged)
