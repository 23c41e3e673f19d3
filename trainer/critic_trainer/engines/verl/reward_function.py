"""The reward as verl calls for it, in its own processes. It loads nothing but critic_trainer.reward."""

from typing import Any

from critic_trainer.reward import accuracy_reward, format_reward


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: float,
    extra_info: dict[str, Any] | None = None,
    *,
    shape: str,
    floor: float,
    format_weight: float,
    **_: Any,
) -> dict[str, float]:
    """The reward of one answer, as verl calls for it. ground_truth: the MOS, 1 to 5."""
    accuracy = accuracy_reward(solution_str, float(ground_truth), shape, floor)
    form = format_reward(solution_str)
    return {"score": accuracy + format_weight * form, "accuracy": accuracy, "format": form}
