"""Sampled answers: which are kept, and what a disk that takes nothing costs."""

import json
from pathlib import Path

from critic_trainer.attempt.answers import AnswerLog


def test_the_first_answer_to_each_of_at_most_eight_prompts_is_kept_a_line_each_step(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    kept = AnswerLog(path, generations=2)
    texts = [f"{prompt} {answer} {'x' * 3000}" for prompt in range(9) for answer in range(2)]
    mos = [1.0 + prompt / 4 for prompt in range(9) for _ in range(2)]
    kept.append(1, texts, mos)
    kept.append(2, texts[:2], mos[:2])
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2]
    assert [answer["text"][:3] for answer in rows[0]["answers"]] == [f"{prompt} 0" for prompt in range(8)]
    assert {len(answer["text"]) for answer in rows[0]["answers"]} == {2000}
    assert rows[1]["answers"] == [{"text": texts[0][:2000], "mos": 1.0}]


def test_a_disk_that_takes_nothing_costs_the_lines_and_not_the_training(tmp_path: Path) -> None:
    kept = AnswerLog(tmp_path / "nowhere" / "answers.jsonl", generations=1)
    kept.append(1, ["<think></think>"], [3.0])
    kept.append(2, ["<think></think>"], [3.0])
    assert list(tmp_path.iterdir()) == []
