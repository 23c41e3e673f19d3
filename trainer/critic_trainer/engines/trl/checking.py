"""TRL's own parser."""

from typing import Any

from critic_trainer.engines.protocol import Fault
from critic_trainer.engines.refusals import REFUSALS, WITHOUT_GPU, words_of


def trl_faults(settings: dict[str, Any]) -> list[Fault]:
    """What TRL's GRPOConfig refuses of the settings for a node without a GPU."""
    from trl import GRPOConfig

    try:
        GRPOConfig(**settings | WITHOUT_GPU)
    except REFUSALS as error:
        refusal = words_of(error)
        return [{"field": "grpo", "value": "its settings", "expected": f"what TRL's GRPOConfig takes ({refusal})"}]
    return []
