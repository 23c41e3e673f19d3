"""GRPO by TRL: the settings of GRPOTrainer. training.py, which needs torch, runs it."""

from pathlib import Path
from typing import Any

from critic_trainer.attempt.manifest import Attempt
from critic_trainer.attempt.result import WorkDone
from critic_trainer.device import has_gpu, prepare_torch, quick_imports
from critic_trainer.engines.protocol import COMMON_PACKAGES, Engine, Fault, Progress
from critic_trainer.engines.trainer_checkpoints import trainer_checkpoint_fault
from critic_trainer.engines.trl.checking import trl_faults
from critic_trainer.failures import BadConfigurationError
from critic_trainer.inputs.rows import read_prompts
from critic_trainer.model_folder import publish_model


class Trl(Engine):
    """GRPO on one device, in this process."""

    name = "trl"
    kind = "grpo"
    packages = (*COMMON_PACKAGES, "trl", "accelerate", "datasets")
    settings_file = "grpo_config.json"

    def render(self) -> None:
        attempt = self.attempt
        self._rows = read_prompts(attempt.inputs["prompts"] / "train.jsonl", attempt.inputs["dataset"])
        self._written = attempt.work / "trainer"
        self._settings = grpo_settings(attempt, self._written, has_gpu())

    def settings(self, gpu: bool) -> dict[str, Any]:
        return grpo_settings(self.attempt, self.attempt.work / "trainer", gpu)

    def faults(self) -> list[Fault]:
        return trl_faults(self.settings(gpu=False))

    def checkpoint_fault(self, path: Path) -> str | None:
        return trainer_checkpoint_fault(path)

    def launch(self, progress: Progress) -> WorkDone:
        prepare_torch(self.attempt.threads)
        with quick_imports():
            from critic_trainer.engines.trainer_callback import StepObserver
            from critic_trainer.engines.trl.training import train_grpo

        return train_grpo(self.attempt, self._rows, self._settings, StepObserver(self.attempt, progress))

    def publish(self) -> None:
        publish_model(self._written, self.attempt.work / "model", self.attempt.output)


def reward_weights(settings: dict[str, Any]) -> list[float]:
    """Weights of [accuracy, format]. Upstream's strict_format is false: accuracy counts without the form."""
    return [1.0, settings["format_weight"]]


def grpo_settings(attempt: Attempt, output_dir: Path, gpu: bool) -> dict[str, Any]:
    """GRPOConfig's arguments. A step is prompts_per_step x generations answers, on-policy, whatever the accumulation.

    Raises BadConfigurationError if gradient_accumulation does not divide a step's answers.
    """
    params = attempt.params
    answers = params["prompts_per_step"] * params["generations"]
    accumulation = params.get("gradient_accumulation", 1)
    if answers % accumulation:
        raise BadConfigurationError(
            f"attempt.json: params.gradient_accumulation: expected a divisor of {answers}, got {accumulation}"
        )
    return {
        "output_dir": str(output_dir),
        "max_steps": params["steps"],
        "per_device_train_batch_size": answers // accumulation,
        "gradient_accumulation_steps": accumulation,
        "num_generations": params["generations"],
        "learning_rate": params["learning_rate"],
        "lr_scheduler_type": "constant",
        "adam_beta2": 0.99,
        "temperature": params["temperature"],
        "top_p": 1.0,
        "top_k": 0,
        "beta": params["beta"],
        "epsilon": params["epsilon"],
        "epsilon_high": params["epsilon_high"],
        "loss_type": "dapo",
        "scale_rewards": "group",
        "reward_weights": reward_weights(params["reward"]),
        "max_prompt_length": None,
        "max_completion_length": params["max_completion_length"],
        "disable_dropout": True,
        "remove_unused_columns": False,
        "gradient_checkpointing": gpu,
        "use_cpu": not gpu,
        "bf16": gpu,
        "save_strategy": "steps",
        "save_steps": params["save_steps"],
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "report_to": "none",
        "disable_tqdm": True,
        "seed": attempt.seed,
        "data_seed": attempt.seed,
    }
