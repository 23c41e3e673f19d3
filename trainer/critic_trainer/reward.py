"""Reward: agreement with the mean opinion score plus format.

Formulas and reading rules: Coobiw/IE-Critic-R1 @357c239, examples/score_function/ie_critic_r1.py, with
diff_at_rmin = 1. The TypeScript side has the same; both are held to tests/golden/reward.json.
"""

import math
import re

_ANSWER = re.compile(r"<answer>(.*?)</answer>")
_FORMAT = re.compile(r"<think>.*?</think>\s*<answer>.*?</answer>", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
SHAPES = ("l1", "l2", "gaussian", "laplace")


def parse_answer(text: str) -> float | None:
    """Score in [1, 5] of an answer; None if it cannot be read. Never raises."""
    found = _ANSWER.search(text)
    inside = (found.group(1) if found else text).strip()
    if not _NUMBER.fullmatch(inside):
        return None
    score = float(inside)
    return score if math.isfinite(score) and 1 <= score <= 5 else None


def accuracy_reward(text: str, mos: float, shape: str, floor: float) -> float:
    """0 if unreadable, else in [floor, 1]: 1 at no distance, `floor` (r_min) at one score point."""
    score = parse_answer(text)
    if score is None:
        return 0.0
    distance = abs(score - mos)
    match shape:
        case "l1":
            value = 1 - (1 - floor) * distance
        case "l2":
            value = 1 - (1 - floor) * distance**2
        case "gaussian":
            value = floor ** (distance**2)
        case "laplace":
            value = floor**distance
        case _:
            raise ValueError(f"reward.shape: expected one of {SHAPES}, got {shape!r}")
    return max(floor, value)


def format_reward(text: str) -> float:
    """1 if the whole text is think block, blanks, answer block; else 0."""
    return 1.0 if _FORMAT.fullmatch(text) else 0.0
