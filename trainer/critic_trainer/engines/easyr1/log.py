"""EasyR1's log under the names of metrics.jsonl. Its lines are nested: `{"step": 3, "actor": {"lr": 1e-06}, …}`."""

import math
from typing import Any

NAMES = {
    "actor/pg_loss": "loss",
    "actor/grad_norm": "grad_norm",
    "actor/lr": "lr",
    # Estimated by −log p of the sampled tokens, which is what EasyR1 logs under this name.
    "actor/entropy_loss": "entropy",
    "actor/kl_loss": "kl",
    "actor/pg_clipfrac_higher": "clip_fraction",
    "reward/overall": "reward",
    "reward/accuracy": "reward_l1",
    "reward/format": "reward_format",
    "response_length/mean": "response_length",
    "response_length/clip_ratio": "response_clipped",
    "val/reward_score": "validation_reward",
    "val/accuracy_reward": "validation_reward_l1",
    "val/format_reward": "validation_reward_format",
    "timing_s/step": "step_seconds",
    "timing_s/gen": "generation_seconds",
    "timing_s/save_checkpoint": "save_seconds",
}
"""A key that is not here is not written."""
TRAINED = "actor/grad_norm"
"""Every step that updated the model has it. A validation alone has not."""


def normalised(line: dict[str, Any]) -> tuple[int, dict[str, float]]:
    """(step, numbers under our names) of a line. Raises ValueError, KeyError or TypeError for another one."""
    flat = flattened(line)
    return int(flat["step"]), {ours: float(flat[its]) for its, ours in NAMES.items() if its in flat}


def updated(line: dict[str, Any]) -> bool:
    """Does the line tell of an update of the model?"""
    return TRAINED in flattened(line)


def diverged(values: dict[str, float]) -> bool:
    """Is a number not finite? EasyR1 then skips the update and goes on."""
    return not all(math.isfinite(value) for value in values.values())


def flattened(value: dict[str, Any], above: str = "") -> dict[str, Any]:
    """`{"a": {"b": 1}}` as `{"a/b": 1}`."""
    flat: dict[str, Any] = {}
    for key, inner in value.items():
        name = f"{above}/{key}" if above else key
        flat |= flattened(inner, name) if isinstance(inner, dict) else {name: inner}
    return flat
