"""The reward function that EasyR1 calls: `critic_trainer.reward` and nothing else. Copied to work/, loaded by path."""

from typing import Any

from critic_trainer.reward import accuracy_reward, format_reward

REWARD_NAME = "critic"
REWARD_TYPE = "sequential"


def compute_score(
    answer: str | dict[str, Any], mos: float | None = None, *, shape: str, floor: float, format_weight: float
) -> dict[str, float]:
    """`overall` is accuracy + format_weight · format. Called once an answer, in either generation's way.

    current: `answer` is `{"response", "response_length", "ground_truth"}`. authors: the response, and the MOS as `mos`.
    """
    response, truth = (answer, mos) if isinstance(answer, str) else (answer["response"], answer["ground_truth"])
    accuracy = accuracy_reward(response, float(truth), shape, floor)
    form = format_reward(response)
    return {"overall": accuracy + format_weight * form, "format": form, "accuracy": accuracy}
