"""verl's settings: its Hydra keys, from attempt.json. verl 0.9, trainer/config/ppo_trainer.yaml.

Flat: `{"data.train_batch_size": 8, …}`. The driver gets them as overrides on its command line, since Hydra refuses
unknown keys there and takes them in a file. Loads the standard library alone.
"""

import json
import re
from pathlib import Path
from typing import Any

from critic_trainer.attempt.manifest import Attempt
from critic_trainer.failures import SettingRefusedError

PROMPTS, VALIDATION = "train.parquet", "dev.parquet"
_OURS = "pkg://critic_trainer.engines.verl."
"""What verl loads of ours, from PYTHONPATH."""
_ACTOR, _ROLLOUT, _REF = "actor_rollout_ref.actor", "actor_rollout_ref.rollout", "actor_rollout_ref.ref"
_MODEL = "actor_rollout_ref.model"
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)+")
EAGER = f"{_ROLLOUT}.enforce_eager"
"""Whether vLLM does without compilation and CUDA graphs."""
OPEN_KEYS = (
    f"{_MODEL}.override_config.",
    f"{_ROLLOUT}.engine_kwargs.",
    "reward.custom_reward_function.reward_kwargs.",
)
"""Mappings that verl's own files leave empty: any key may be added below them."""


def verl_settings(attempt: Attempt, work: Path, gpu: bool, save_steps: int | None = None) -> dict[str, Any]:
    """verl's keys and values: defaults, then `params.settings`, then the keys we own.

    work: where the driver reads its data and writes. save_steps: in place of the attempt's.
    Raises SettingRefusedError for a key of ours in `params.settings`.
    """
    extra = attempt.params.get("settings", {})
    owned = _owned(attempt, work, gpu) | {"trainer.save_freq": save_steps or attempt.params["save_steps"]}
    for key in extra:
        if key in owned or key.startswith("hydra."):
            raise SettingRefusedError(key)
        if _KEY.fullmatch(key) is None:
            # Hydra takes `~key` and `++key` for orders to remove and to add.
            raise SettingRefusedError(key, "a dotted name")
    return _defaults(gpu) | extra | owned


def overrides(settings: dict[str, Any]) -> list[str]:
    """The settings as Hydra's command line has them. A key that only `++` may add is one below OPEN_KEYS."""
    return [f"{'++' if key.startswith(OPEN_KEYS) else ''}{key}={_literal(value)}" for key, value in settings.items()]


def _literal(value: Any) -> str:
    """In Hydra's grammar. A text is quoted, so that nothing in it is read as syntax."""
    if isinstance(value, list):
        return f"[{','.join(_literal(item) for item in value)}]"
    if not isinstance(value, str):
        return json.dumps(value)
    # A backslash means something only before a quote, and before ${, which would be an interpolation.
    text = re.sub(r"(\\*)\$\{", lambda found: f"{found[1] * 2}\\${{", value)
    text = re.sub(r"(\\*)'", lambda found: f"{found[1] * 2}\\'", text)
    text = re.sub(r"\\+$", lambda found: found[0] * 2, text)
    return f"'{text}'"


def _defaults(gpu: bool) -> dict[str, Any]:
    """What a recipe may change."""
    few = 8 if gpu else 1
    return {
        f"{_ACTOR}.calculate_entropy": True,
        f"{_ACTOR}.loss_agg_mode": "token-mean",
        # The jobs' nodes need not have a compiler (device.py).
        f"{_ACTOR}.use_torch_compile": False,
        EAGER: True,
        f"{_MODEL}.enable_gradient_checkpointing": True,
        f"{_MODEL}.use_remove_padding": gpu,
        f"{_ROLLOUT}.agent.num_workers": few,
        "reward.num_workers": few,
        "transfer_queue.backend.SimpleStorage.num_data_storage_units": few,
        "data.dataloader_num_workers": 8 if gpu else 0,
        "data.filter_overlong_prompts_workers": few,
        "algorithm.norm_adv_by_std_in_grpo": True,
    }


def _owned(attempt: Attempt, work: Path, gpu: bool) -> dict[str, Any]:
    params = attempt.params
    prompts_per_update = params.get("prompts_per_update", params["prompts_per_step"])
    micro_batch = params["micro_batch_size"]
    settings = {
        **_data(attempt, work),
        f"{_MODEL}.path": str(attempt.model),
        f"{_ACTOR}.optim.lr": params["learning_rate"],
        f"{_ACTOR}.ppo_mini_batch_size": prompts_per_update,
        f"{_ACTOR}.ppo_micro_batch_size_per_gpu": micro_batch,
        f"{_ACTOR}.clip_ratio": params["epsilon"],
        f"{_ACTOR}.clip_ratio_low": params["epsilon"],
        f"{_ACTOR}.clip_ratio_high": params["epsilon_high"],
        f"{_ACTOR}.use_kl_loss": params["beta"] > 0,
        f"{_ACTOR}.kl_loss_coef": params["beta"],
        f"{_ACTOR}.data_loader_seed": attempt.seed,
        f"{_ACTOR}.fsdp_config.seed": attempt.seed,
        f"{_ACTOR}.checkpoint.save_contents": ["model", "optimizer", "extra"],
        f"{_REF}.log_prob_micro_batch_size_per_gpu": micro_batch,
        f"{_ROLLOUT}.name": "vllm",
        f"{_ROLLOUT}.n": params["generations"],
        f"{_ROLLOUT}.seed": attempt.seed,
        f"{_ROLLOUT}.temperature": params["temperature"],
        f"{_ROLLOUT}.top_p": 1.0,
        f"{_ROLLOUT}.top_k": -1,
        f"{_ROLLOUT}.tensor_model_parallel_size": params["tensor_parallel"],
        f"{_ROLLOUT}.gpu_memory_utilization": params["gpu_memory_utilization"],
        f"{_ROLLOUT}.log_prob_micro_batch_size_per_gpu": micro_batch,
        "algorithm.adv_estimator": "grpo",
        "algorithm.use_kl_in_reward": False,
        **_trainer(attempt, work, gpu),
    }
    if not gpu:
        # transformers itself refuses flash attention on a CPU.
        settings[f"{_MODEL}.override_config.attn_implementation"] = "sdpa"
    return settings


def _data(attempt: Attempt, work: Path) -> dict[str, Any]:
    params, reward = attempt.params, attempt.params["reward"]
    validates = params["validate_steps"] > 0
    return {
        "data.train_files": [str(work / PROMPTS)],
        # verl reads a validation set even where it never validates.
        "data.val_files": [str(work / (VALIDATION if validates else PROMPTS))],
        "data.val_max_samples": -1 if validates else 1,
        "data.train_batch_size": params["prompts_per_step"],
        "data.max_prompt_length": params["max_prompt_length"],
        "data.max_response_length": params["max_completion_length"],
        "data.shuffle": True,
        "data.seed": attempt.seed,
        "data.truncation": "error",
        # verl leaves out what is too long, and says so in its log alone. Our class refuses it.
        "data.filter_overlong_prompts": True,
        "data.custom_cls.path": f"{_OURS}strict_prompts",
        "data.custom_cls.name": "Prompts",
        "reward.custom_reward_function.path": f"{_OURS}reward_function",
        "reward.custom_reward_function.name": "compute_score",
        "reward.custom_reward_function.reward_kwargs.shape": reward["shape"],
        "reward.custom_reward_function.reward_kwargs.floor": reward["floor"],
        "reward.custom_reward_function.reward_kwargs.format_weight": reward["format_weight"],
    }


def _trainer(attempt: Attempt, work: Path, gpu: bool) -> dict[str, Any]:
    params, resume_from = attempt.params, attempt.resume_from
    resumed = None if resume_from is None else str(resume_from / f"global_step_{resume_from.name.split('-')[-1]}")
    return {
        "trainer.project_name": attempt.name,
        "trainer.experiment_name": attempt.name,
        "trainer.logger": ["console", "file"],
        "trainer.default_local_dir": str(work / "verl"),
        "trainer.rollout_data_dir": str(work / "rollouts"),
        "trainer.resume_mode": "disable" if resumed is None else "resume_path",
        "trainer.resume_from_path": resumed,
        # Each epoch is one step at least, and the steps end it.
        "trainer.total_epochs": params["steps"],
        "trainer.total_training_steps": params["steps"],
        "trainer.test_freq": params["validate_steps"] or -1,
        "trainer.val_before_train": False,
        # Checkpoints are moved away when they are whole, and pruned there.
        "trainer.max_actor_ckpt_to_keep": None,
        "trainer.nnodes": params["nodes"],
        "trainer.n_gpus_per_node": params["processes_per_node"],
        "trainer.device": "cuda" if gpu else "cpu",
        "hydra.run.dir": str(work / "hydra"),
        "hydra.output_subdir": None,
    }
