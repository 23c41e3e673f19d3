"""EasyR1's own parser, without torch, Ray and vLLM, and what it lets through although the job would fail by it.

It lets through: words that mean nothing to the trainer, batches that do not divide, and paths that are not there, of
which it prints "not found" and goes on without.
"""

import contextlib
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from critic_trainer.attempt.manifest import Attempt
from critic_trainer.engines.easyr1.generations import AUTHORS, Generation
from critic_trainer.engines.easyr1.settings import easyr1_settings, nested
from critic_trainer.engines.protocol import Fault
from critic_trainer.engines.refusals import REFUSALS, words_of
from critic_trainer.failures import BadConfigurationError, SettingRefusedError

# What its packages import beside the configuration, with the names they take from it.
_PLACEHOLDERS = {
    "verl.workers.rollout.vllm_rollout_spmd": ("vLLMRollout",),
    "verl.workers.reward.function": ("AutoRewardManager", "FunctionRewardManager"),
}
_PRECISIONS = ("fp32", "float32", "fp16", "float16", "bf16", "bfloat16")
_CHOICES = {
    "worker.actor.optim.strategy": ("adamw", "adamw_bf16"),
    "worker.actor.optim.lr_scheduler_type": ("constant", "cosine"),
    "worker.actor.optim.warmup_style": ("constant",),
    "worker.actor.loss_avg_mode": ("token", "seq"),
    "worker.actor.loss_type": ("default", "gspo", "gspo_token", "cispo", "sapo"),
    "worker.actor.fsdp.mp_param_dtype": _PRECISIONS,
    "worker.actor.fsdp.mp_reduce_dtype": _PRECISIONS,
    "worker.actor.fsdp.mp_buffer_dtype": _PRECISIONS,
    "worker.actor.fsdp.torch_dtype": _PRECISIONS,
    "worker.rollout.dtype": _PRECISIONS,
}
_PATHS = (
    "data.train_files",
    "data.val_files",
    "data.image_dir",
    "data.format_prompt",
    "data.override_chat_template",
    "worker.actor.model.model_path",
    "worker.actor.model.tokenizer_path",
    "worker.reward.reward_function",
    "worker.reward.score_function",
    "trainer.load_checkpoint_path",
)


def easyr1_faults(attempt: Attempt, generation: Generation) -> list[Fault]:
    """Faults of the recipe's own keys, and of all settings together."""
    extra = attempt.params.get("settings", {})
    try:
        settings = easyr1_settings(attempt, generation, attempt.work, gpu=False)
    except SettingRefusedError as error:
        return [_fault(error.key, extra[error.key], error.expected)]
    except BadConfigurationError as error:
        return [{"field": "grpo", "value": extra, "expected": str(error)}]
    refusal = refusal_of(settings)
    if refusal is not None:
        guilty = [key for key in extra if refusal_of(nested({key: extra[key]})) is not None]
        taken = f"what EasyR1's configuration takes ({refusal})"
        return [_fault(key, extra[key], taken) for key in guilty] or [
            {"field": "grpo.easyr1", "value": extra, "expected": taken}
        ]
    return [*_words(extra), *_paths(extra), *_batches(settings, generation)]


def refusal_of(settings: dict[str, Any]) -> str | None:
    """What EasyR1's parser says to the settings, or None: unknown keys and values of another type."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    with _configuration() as structure:
        try:
            OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(structure()), settings)).deep_post_init()
        except (*REFUSALS, OmegaConfBaseException) as error:
            return words_of(error)
    return None


@contextlib.contextmanager
def _configuration() -> Iterator[type]:
    """EasyR1's class of settings. Placeholders stand for what would load torch, and nothing of `verl` stays loaded."""
    before = {name for name in sys.modules if name.split(".")[0] == "verl"}
    for name, parts in _PLACEHOLDERS.items():
        module = types.ModuleType(name)
        for part in parts:
            setattr(module, part, None)
        sys.modules[name] = module
    try:
        from verl.trainer.config import PPOConfig

        yield PPOConfig
    finally:
        for name in [name for name in sys.modules if name.split(".")[0] == "verl" and name not in before]:
            del sys.modules[name]


def missing_paths(settings: dict[str, Any]) -> list[str]:
    """`key: path` of each path in the settings that is not there."""
    missing = []
    for key in _PATHS:
        value = _at(settings, key)
        if value is not None and not Path(str(value).rsplit(":", 1)[0]).exists():
            missing.append(f"{key}: {value}")
    return missing


def _words(extra: dict[str, Any]) -> list[Fault]:
    return [
        _fault(key, extra[key], f"one of {', '.join(choices)}")
        for key, choices in _CHOICES.items()
        if key in extra and extra[key] not in choices
    ]


def _paths(extra: dict[str, Any]) -> list[Fault]:
    return [
        _fault(key, extra[key], "a file or folder that is there")
        for key in _PATHS
        if key in extra and not Path(str(extra[key])).exists()
    ]


def _batches(settings: dict[str, Any], generation: Generation) -> list[Fault]:
    """What the trainer asserts once it runs, and a recipe's keys decide."""
    answers = _at(settings, "data.rollout_batch_size") * _at(settings, "worker.rollout.n")
    seen = "worker.actor.micro_batch_size_per_device_for_experience"
    faults = []
    if _at(settings, seen) < 1 or answers % _at(settings, seen):
        faults.append(_fault(seen, _at(settings, seen), f"a divisor of {answers}, the answers of a step"))
    most, longest = "worker.rollout.max_num_batched_tokens", _longest(settings)
    if _at(settings, most) < longest:
        faults.append(_fault(most, _at(settings, most), f"at least {longest}, the longest prompt and answer together"))
    world = _at(settings, "trainer.nnodes") * _at(settings, "trainer.n_gpus_per_node")
    if generation is AUTHORS and world == 1:
        faults.append(
            {
                "field": "grpo.resources",
                "value": world,
                "expected": "at least 2 processes: the merger of the authors' EasyR1 cannot read the shard of one",
            }
        )
    return faults


def _longest(settings: dict[str, Any]) -> int:
    return int(_at(settings, "data.max_prompt_length") + _at(settings, "data.max_response_length"))


def _at(settings: dict[str, Any], key: str) -> Any:
    value: Any = settings
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _fault(key: str, value: Any, expected: str) -> Fault:
    return {"field": f"grpo.easyr1.{key}", "value": value, "expected": expected}
