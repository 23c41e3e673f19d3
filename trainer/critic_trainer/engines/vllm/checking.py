"""vLLM's settings: what it would refuse only once its model is loaded. Loads nothing but the model's config.json."""

import json
from typing import Any

from critic_trainer.attempt.manifest import Attempt
from critic_trainer.engines.protocol import Fault


def vllm_faults(attempt: Attempt) -> list[Fault]:
    """Lengths against the model's, the share of memory, and a config.json without the model's class."""
    params = attempt.params
    config = json.loads((attempt.model / "config.json").read_text(encoding="utf-8"))
    faults = []
    share = params.get("gpu_memory_utilization")
    if share is not None and not 0 < share <= 1:
        faults.append(_fault("gpu_memory_utilization", share, "a share of the GPU's memory, above 0, at most 1"))
    if not config.get("architectures"):
        faults.append(_fault("engine", "vllm", f"a model whose config.json has architectures, unlike {attempt.model}"))
    most = _longest(config)
    if most is not None:
        faults += _length_faults(params, most)
    return faults


def _length_faults(params: dict[str, Any], most: int) -> list[Fault]:
    answer, prompt = params["max_new_tokens"], params.get("max_prompt_length")
    positions = f"the model's {most} positions"
    if answer >= most:
        return [_fault("max_new_tokens", answer, f"less than {positions}, which the prompt needs too")]
    if prompt is not None and prompt + answer > most:
        return [_fault("max_prompt_length", prompt, f"at most {most - answer}: {positions} less max_new_tokens")]
    return []


def _longest(config: dict[str, Any]) -> int | None:
    """Positions of the language model, which newer folders describe in a section of their own."""
    text = config.get("text_config") or {}
    return text.get("max_position_embeddings", config.get("max_position_embeddings"))


def _fault(key: str, value: Any, expected: str) -> Fault:
    return {"field": f"predict.{key}", "value": value, "expected": expected}
