"""Fitting: settings against the model and the environment, where no engine's parser looks. Loads nothing.

Each of these would be an error of the job itself, some of them after the model has been loaded on every GPU.
"""

import json
from typing import Any

from critic_trainer.attempt.manifest import Attempt
from critic_trainer.engines.deepspeed import VERSION, deepspeed_folder, installed_deepspeed
from critic_trainer.engines.protocol import Fault
from critic_trainer.failures import BadConfigurationError

_ON_RAY = ("easyr1", "verl")


def fitting_faults(attempt: Attempt) -> list[Fault]:
    """Faults by field, value and expectation. BadConfigurationError if the model's config.json cannot be read."""
    faults = []
    if attempt.params.get("deepspeed") is not None:
        found = installed_deepspeed()
        if found != VERSION:
            where = f"DeepSpeed {VERSION} in {deepspeed_folder()}, which has {found or 'none'}"
            hint = f"run `trainer/environments/install deepspeed {deepspeed_folder().parent}`"
            faults.append(_fault("sft.deepspeed", attempt.params["deepspeed"], f"{where} ({hint})"))
    if attempt.engine in _ON_RAY:
        faults += _on_vllm(attempt.params, _text_config(attempt))
    return faults


def _on_vllm(params: dict[str, Any], model: dict[str, Any]) -> list[Fault]:
    """What vLLM asserts of a model that is spread over `tensor_parallel` GPUs and of the longest sequence."""
    faults = []
    parallel, heads, shared = params["tensor_parallel"], model.get("num_attention_heads"), _kv_heads(model)
    if heads is not None and heads % parallel != 0:
        faults.append(
            _fault("grpo.tensor_parallel", parallel, f"a divisor of {heads}, the attention heads of the model")
        )
    elif shared is not None and shared % parallel != 0 and parallel % shared != 0:
        expected = f"a divisor or a multiple of {shared}, the key-value heads of the model"
        faults.append(_fault("grpo.tensor_parallel", parallel, expected))
    most, answer = model.get("max_position_embeddings"), params["max_completion_length"]
    if most is not None and answer >= most:
        faults.append(_fault("grpo.max_completion_length", answer, f"less than {most}, the model's positions"))
    elif most is not None and params["max_prompt_length"] + answer > most:
        expected = f"at most {most - answer}: the model's {most} positions less max_completion_length"
        faults.append(_fault("grpo.max_prompt_length", params["max_prompt_length"], expected))
    return faults


def _kv_heads(model: dict[str, Any]) -> int | None:
    return model.get("num_key_value_heads", model.get("num_attention_heads"))


def _text_config(attempt: Attempt) -> dict[str, Any]:
    """The language model's part of config.json, which newer folders have in a section of its own."""
    path = attempt.model / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        return config | (config.get("text_config") or {})
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise BadConfigurationError(f"recipe.base_model: {path} cannot be read ({error})") from error


def _fault(field: str, value: Any, expected: str) -> Fault:
    return {"field": field, "value": value, "expected": expected}
