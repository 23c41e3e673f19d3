"""`python -m critic_trainer.scenes.selection`: what would each reward select among a model's own answers, before GRPO?

GRPO moves a model towards those of its answers to one prompt that get more reward than the others. So its answers can
only grow where longer ones do. For each shape of the reward: Pearson's correlation of an answer's tokens with its
advantage (reward less the group's mean, over the group's standard deviation), both within the prompt; and by the number
of cells that an answer of `inspection` looks at: share, tokens, distance from the MOS, rewards. Printed as JSON.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from critic_trainer.inputs.rows import PromptRow, read_prompts
from critic_trainer.reward import SHAPES, accuracy_reward, read_score

FLOOR = 0.05


def main() -> None:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(prog="critic_trainer.scenes.selection", description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--prompts", type=Path, required=True, help="a .jsonl file of a run's prompts")
    parser.add_argument("--dataset", type=Path, required=True, help="the run's dataset, where the pictures are")
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--generations", type=int, default=8)
    parser.add_argument("--max-new-tokens", type=int, default=96)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    rows = read_prompts(args.prompts, args.dataset)[: args.rows]
    groups = sample(args.model, rows, args.generations, args.max_new_tokens, args.seed)
    print(json.dumps(selection([row.mos or 0.0 for row in rows], groups), indent=2))


def sample(model: Path, rows: list[PromptRow], generations: int, limit: int, seed: int) -> list[list[tuple[int, str]]]:
    """For each row `generations` answers at T = 1, as (tokens, text). On the CPU, in fp32."""
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    from critic_trainer.inputs.encoding import encode

    torch.manual_seed(seed)
    loaded = AutoModelForImageTextToText.from_pretrained(model, dtype=torch.float32).eval()
    processor = AutoProcessor.from_pretrained(model, use_fast=True)
    pad = processor.tokenizer.pad_token_id
    groups = []
    for row in rows:
        inputs = encode(processor, [row] * generations)
        with torch.inference_mode():
            ids = loaded.generate(**inputs, do_sample=True, temperature=1.0, top_p=1.0, top_k=0, max_new_tokens=limit)
        answers = ids[:, inputs["input_ids"].shape[1] :]
        texts = processor.tokenizer.batch_decode(answers, skip_special_tokens=True)
        groups.append(list(zip((answers != pad).sum(dim=1).tolist(), texts, strict=True)))
    return groups


def selection(mos: list[float], groups: list[list[tuple[int, str]]]) -> dict:
    """Statistics of answers (tokens, text), the same number for each MOS; see the module's text.

    Raises ValueError without groups, and if there are not as many as scores.
    """
    if not groups:
        raise ValueError("groups: expected at least one, got none")
    judged = list(zip(mos, groups, strict=True))
    tokens = np.array([[length for length, _ in group] for group in groups], dtype=float)
    cells = np.array([[text.count(" kept") + text.count(" became") for _, text in group] for group in groups])
    distances = np.array([[_distance(text, score) for _, text in group] for score, group in judged])
    rewards = {
        shape: np.array([[accuracy_reward(text, score, shape, FLOOR) for _, text in group] for score, group in judged])
        for shape in SHAPES
    }
    return {
        "answers": int(tokens.size),
        "unreadable": int(np.isnan(distances).sum()),
        "tokens": round(float(tokens.mean()), 2),
        "tokens_sd_within": round(float(tokens.std(axis=1).mean()), 2),
        "reward": {shape: round(float(values.mean()), 3) for shape, values in rewards.items()},
        "length_with_advantage": {shape: _correlation(tokens, values) for shape, values in rewards.items()},
        "by_cells": {
            int(count): {
                "share": round(float((cells == count).mean()), 3),
                "tokens": round(float(tokens[cells == count].mean()), 1),
                "distance": _mean(distances[cells == count]),
                "reward": {shape: round(float(values[cells == count].mean()), 3) for shape, values in rewards.items()},
            }
            for count in np.unique(cells)
        },
    }


def _distance(text: str, mos: float) -> float:
    score = read_score(text)
    return float("nan") if score is None else abs(score - mos)


def _mean(values: NDArray[np.float64]) -> float | None:
    known = values[~np.isnan(values)]
    return round(float(known.mean()), 3) if known.size else None


def _correlation(tokens: NDArray[np.float64], rewards: NDArray[np.float64]) -> float | None:
    """Of length and advantage within groups; None if either never varies."""
    spread = rewards.std(axis=1, keepdims=True)
    advantage = (rewards - rewards.mean(axis=1, keepdims=True)) / (spread + 1e-4)
    length = tokens - tokens.mean(axis=1, keepdims=True)
    scale = float(np.sqrt((advantage**2).mean() * (length**2).mean()))
    return None if scale == 0 else round(float((advantage * length).mean()) / scale, 3)


if __name__ == "__main__":
    main()
