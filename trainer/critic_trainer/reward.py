"""The reward of a critique: how near its score is to the MOS, and whether it has the asked-for form. Pure functions.

Formulas: IE-Critic-R1 (arXiv 2511.18055), github Coobiw/IE-Critic-R1@357c239, examples/score_function/ie_critic_r1.py.
The TypeScript twins are domain/critique/reward.ts and domain/critique/score.ts; tests/golden/reward.json holds the
cases both must give.
Numbers are plain decimals in ASCII, as the twin reads them, while upstream's float() also takes `1_0`.
"""

import math
import re

LOWEST, HIGHEST = 1.0, 5.0
# White space: what str.strip and \s of Python 3.11 take for it, spelt out, so that the twin has the same 29 characters.
WHITE_SPACE = (
    "\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
SHAPES = ("l1", "l2", "gaussian", "laplace")
_ANSWER = re.compile(r"<answer>(.*?)</answer>")
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_FORM = re.compile(rf"<think>.*?</think>[{WHITE_SPACE}]*<answer>.*?</answer>", re.DOTALL)


def read_score(response: str) -> float | None:
    """The score in a response: the first `<answer>…</answer>` on one line, else the whole response as a number.

    None if that is no number or lies outside 1 to 5.
    """
    answer = _ANSWER.search(response)
    text = (response if answer is None else answer[1]).strip(WHITE_SPACE)
    if _NUMBER.fullmatch(text) is None:
        return None
    score = float(text)
    return score if math.isfinite(score) and LOWEST <= score <= HIGHEST else None


def accuracy_reward(response: str, mos: float, shape: str, floor: float) -> float:
    """Reward in [floor, 1] by d = |score - mos|, 0 for a response without a readable score.

    floor f is the reward at d = 1 and the least a readable score gets (upstream r_min and diff_at_rmin 1):
    l1 1-(1-f)d · l2 1-(1-f)d² · gaussian f^(d²) · laplace f^d. With f = 0, gaussian and laplace are 0 for every d > 0.
    Raises ValueError for an unknown shape.
    """
    if shape not in SHAPES:
        raise ValueError(f'reward.shape: expected one of {SHAPES}, got "{shape}"')
    score = read_score(response)
    if score is None:
        return 0.0
    distance = abs(score - mos)
    rewards = {
        "l1": 1 - (1 - floor) * distance,
        "l2": 1 - (1 - floor) * distance**2,
        "gaussian": floor ** (distance**2),
        "laplace": floor**distance,
    }
    return max(floor, rewards[shape])


def format_reward(response: str) -> float:
    """1 if the whole response is `<think>…</think>` white space `<answer>…</answer>`, else 0. Nothing around it."""
    return 1.0 if _FORM.fullmatch(response) else 0.0
