"""The reward against the cases it shares with domain/critique/reward.ts."""

import json
from pathlib import Path

import pytest

from critic_trainer.engines.trl.engine import reward_weights
from critic_trainer.reward import accuracy_reward, format_reward

GOLDEN = Path(__file__).parents[2] / "tests" / "golden" / "reward.json"
CASES = json.loads(GOLDEN.read_text())["cases"]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_reward(case: dict) -> None:
    text, mos, params = case["text"], case["mos"], case["params"]
    accuracy, form = accuracy_reward(text, mos, params["shape"], params["floor"]), format_reward(text)
    weights = reward_weights(params)
    given = {"accuracy": accuracy, "format": form, "overall": weights[0] * accuracy + weights[1] * form}
    assert given == pytest.approx(case["expected"], abs=1e-9)


def test_an_unknown_shape_is_a_bug_and_never_a_reward_of_zero() -> None:
    with pytest.raises(ValueError, match="cubic"):
        accuracy_reward("3", 3, "cubic", 0.05)
