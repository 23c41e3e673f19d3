"""EasyR1's settings, from attempt.json: what `python -m verl.trainer.main config=…` reads, nested as its YAML is."""

import math
from pathlib import Path
from typing import Any

from critic_trainer.attempt.checkpoints import checkpoint_step
from critic_trainer.attempt.manifest import Attempt
from critic_trainer.engines.easyr1.generations import AUTHORS, Generation
from critic_trainer.failures import BadConfigurationError, SettingRefusedError
from critic_trainer.inputs.rows import IMAGES_PER_PROMPT
from critic_trainer.model_folder import read_pixel_limits

PROMPT_FILE, REWARD_FILE, BASE, SAVED = "prompt.jinja", "easyr1_reward.py", "base", "easyr1"
_LEAST_BATCHED_TOKENS = 8192


def easyr1_settings(
    attempt: Attempt, generation: Generation, work: Path, gpu: bool, save_steps: int | None = None
) -> dict[str, Any]:
    """EasyR1's keys and values, nested: defaults, then `params.settings`, then the keys we own.

    work: where it reads its data and writes. save_steps: in place of the attempt's. Raises BadConfigurationError for a
    key of ours in `params.settings`, and for steps that this generation cannot end at.
    """
    values = _values(attempt, generation, work) | {"save_steps": _save_steps(attempt, generation, save_steps)}
    owned = {key: values[name] for name, key in generation.keys.items()}
    extra = attempt.params.get("settings", {})
    for key in sorted(extra):
        if any(key == own or key.startswith(f"{own}.") or own.startswith(f"{key}.") for own in owned):
            raise SettingRefusedError(key)
    return nested(_defaults(attempt, gpu) | extra | owned)


def episodes_left(steps: int, per_episode: int, resumed: int) -> int:
    """How often the authors' trainer must go through the data so that it makes `steps` updates and counts right.

    It counts one more step for each time that it starts on the data once it is done, so no time may be left over.
    per_episode: updates in one time. resumed: updates made before. It goes on within that time through the data, of
    which nothing may be left: then this time is an empty one.
    """
    begun = max(resumed - 1, 0) // per_episode
    return math.ceil(steps / per_episode) - begun


def nested(flat: dict[str, Any]) -> dict[str, Any]:
    """`{"a.b": 1}` as `{"a": {"b": 1}}`."""
    result: dict[str, Any] = {}
    for key, value in flat.items():
        *folders, last = key.split(".")
        inner = result
        for folder in folders:
            inner = inner.setdefault(folder, {})
        inner[last] = value
    return result


def _save_steps(attempt: Attempt, generation: Generation, wanted: int | None) -> int:
    """The authors' trainer must save its last step: what comes after it saves as a later step, or not at all."""
    steps, stated = int(attempt.params["steps"]), int(attempt.params["save_steps"])
    often = stated if wanted is None else wanted
    if generation is not AUTHORS:
        return often
    if steps % stated:
        raise BadConfigurationError(
            f"attempt.json: params.save_steps: expected a divisor of steps, {steps}, got {stated}: "
            "the authors' EasyR1 loses what follows its last save"
        )
    return max(number for number in range(1, often + 1) if steps % number == 0)


def _defaults(attempt: Attempt, gpu: bool) -> dict[str, Any]:
    """What a recipe may change. EasyR1's own defaults stand for the rest."""
    params = attempt.params
    longest = params["max_prompt_length"] + params["max_completion_length"]
    return {
        "worker.actor.micro_batch_size_per_device_for_experience": params["micro_batch_size"],
        # Without padding needs flash attention, which needs a GPU.
        "worker.actor.padding_free": gpu,
        # The jobs' nodes need not have a compiler (device.py).
        "worker.actor.use_torch_compile": False,
        "worker.actor.fsdp.enable_rank0_init": True,
        "worker.actor.offload.offload_params": True,
        "worker.actor.offload.offload_optimizer": True,
        "worker.rollout.max_num_batched_tokens": max(_LEAST_BATCHED_TOKENS, longest),
        "worker.rollout.val_override_config.n": 1,
        "worker.rollout.val_override_config.temperature": params["temperature"],
    }


def _values(attempt: Attempt, generation: Generation, work: Path) -> dict[str, Any]:
    """Every setting that we own, under our name. A generation takes those that its table names."""
    params = attempt.params
    smallest, largest = read_pixel_limits(attempt.model)
    form = "parquet" if generation.embeds_images else "jsonl"
    return {
        "train_files": str(work / f"train.{form}"),
        # It validates at the end whatever is asked, so there is always something: of training where dev is not wanted.
        "validation_files": str(work / f"validation.{form}"),
        "image_folder": str(attempt.inputs["dataset"]),
        "prompt_key": "prompt",
        "answer_key": "mos",
        "image_key": "images",
        "prompt_length": params["max_prompt_length"],
        "completion_length": params["max_completion_length"],
        "prompts_per_step": params["prompts_per_step"],
        "validation_batch": params["prompts_per_step"],
        "prompt_file": str(work / PROMPT_FILE),
        "shuffle": True,
        "smallest": smallest,
        "largest": largest,
        # The authors' counts characters, and both drop rows without a word. files.py refuses long prompts.
        "filter": False,
        "model": str(work / BASE if generation is AUTHORS else attempt.model),
        "foreign_code": False,
        "images": max(IMAGES_PER_PROMPT),
        "top_p": 1.0,
        "top_k": -1,
        **_learning(params, attempt.seed),
        **_reward(params["reward"], work),
        **_course(attempt, generation, work),
    }


def _learning(params: dict[str, Any], seed: int) -> dict[str, Any]:
    return {
        "data_seed": seed,
        "rollout_seed": seed,
        "estimator": "grpo",
        # Without a weight there is no reference model to hold.
        "without_kl": params["beta"] == 0,
        "kl_loss": params["beta"] > 0,
        "kl_kind": "low_var_kl",
        "kl_weight": float(params["beta"]),
        "prompts_per_update": params.get("prompts_per_update", params["prompts_per_step"]),
        "micro_batch": params["micro_batch_size"],
        "epsilon": float(params["epsilon"]),
        "epsilon_high": float(params["epsilon_high"]),
        "learning_rate": float(params["learning_rate"]),
        "generations": params["generations"],
        "temperature": float(params["temperature"]),
        "memory": float(params["gpu_memory_utilization"]),
        "tensor_parallel": params["tensor_parallel"],
    }


def _reward(reward: dict[str, Any], work: Path) -> dict[str, Any]:
    return {
        "reward_file": f"{work / REWARD_FILE}:compute_score",
        "reward_arguments": {name: reward[name] for name in ("shape", "floor", "format_weight")},
        "reward_kind": "function",
        "think_template": False,
    }


def _course(attempt: Attempt, generation: Generation, work: Path) -> dict[str, Any]:
    params, resume_from = attempt.params, attempt.resume_from
    step = 0 if resume_from is None else checkpoint_step(resume_from)
    return {
        # Of the authors' generation render() sets it, which knows how many prompts there are.
        "epochs": params["steps"],
        "steps": params["steps"],
        "project": attempt.name,
        "experiment": attempt.name,
        "loggers": list(generation.loggers),
        "nodes": params["nodes"],
        "processes_per_node": params["processes_per_node"],
        "validate_steps": params["validate_steps"] or -1,
        "validate_first": False,
        "validate_only": False,
        "save_limit": params["save_limit"],
        "saved": str(work / SAVED),
        "resume_from": None if resume_from is None else str(resume_from / f"global_step_{step}"),
        "search": False,
        "weights_only": False,
        "quiet": True,
    }
