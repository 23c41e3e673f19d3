"""GRPO by verl 0.9, on Ray: the settings, the data and the checkpoints of its own driver `verl.trainer.main_ppo`."""

from pathlib import Path
from typing import Any

from critic_trainer.device import has_gpu
from critic_trainer.engines.protocol import COMMON_PACKAGES, Fault
from critic_trainer.engines.ray.engine import RayEngine
from critic_trainer.engines.verl.data import answers_numbers, shards_fault, write_prompts
from critic_trainer.engines.verl.settings import EAGER, PROMPTS, VALIDATION, overrides, verl_settings
from critic_trainer.failures import BadConfigurationError, BadDataError, SettingRefusedError
from critic_trainer.files import write_json
from critic_trainer.model_folder import untied_fault

_NAMES = {
    "actor/loss": "loss",
    "actor/grad_norm": "grad_norm",
    "actor/lr": "lr",
    "training/epoch": "epoch",
    "critic/score/mean": "reward",
    "response_length/mean": "response_length",
    "response_length/clip_ratio": "response_clipped",
    "actor/entropy": "entropy",
    "actor/kl_loss": "kl",
    "actor/pg_clipfrac": "clip_fraction",
    # Of the dev split, in steps that validate: one answer each, the data source is "critic" (data.py).
    "val-core/critic/reward/mean@1": "validation_reward",
    "val-aux/critic/accuracy/mean@1": "validation_reward_l1",
    "val-aux/critic/format/mean@1": "validation_reward_format",
}
"""verl's names under those of metrics.jsonl. A key that is not here is not written."""


class Verl(RayEngine):
    """GRPO on any number of GPUs and nodes: FSDP trains, vLLM answers, both in the same processes' GPUs."""

    name = "verl"
    packages = (*COMMON_PACKAGES, "verl", "ray", "tensordict", "TransferQueue", "accelerate", "datasets")
    settings_file = "verl.json"
    driver = "verl.trainer.main_ppo"

    def render(self) -> None:
        attempt = self.attempt
        self._settings = verl_settings(attempt, attempt.work, has_gpu(), self.save_steps)
        if not self.ranks.first:
            return
        fault = untied_fault(attempt.model)
        if fault is not None:
            raise BadConfigurationError(f'attempt.json: model: "{attempt.model}": {fault}')
        rows = self.prompts("train")
        needed = attempt.params["prompts_per_step"]
        if len(rows) < needed:
            raise BadDataError(f"prompts/train.jsonl: {len(rows)} rows, but a step of verl takes {needed} of one epoch")
        write_prompts(rows, attempt.work / PROMPTS)
        if attempt.params["validate_steps"] > 0:
            write_prompts(self.prompts("dev"), attempt.work / VALIDATION)
        write_json(attempt.work / self.settings_file, self._settings)

    def settings(self, gpu: bool) -> dict[str, Any]:
        return verl_settings(self.attempt, self.attempt.work, gpu)

    def faults(self) -> list[Fault]:
        from critic_trainer.engines.verl.checking import verl_faults

        extra = self.attempt.params.get("settings", {})
        try:
            return verl_faults(extra, self.settings(gpu=True))
        except SettingRefusedError as error:
            return [{"field": f"grpo.verl.{error.key}", "value": extra[error.key], "expected": error.expected}]

    @property
    def log(self) -> Path:
        return self.attempt.work / "verl.jsonl"

    def arguments(self) -> list[str]:
        return overrides(self._settings)

    def variables(self) -> dict[str, str]:
        # The trainer switches compilation off (device.py). Who wants vLLM's has a compiler on the nodes.
        compiles = {} if self._settings[EAGER] else {"TORCHDYNAMO_DISABLE": "0"}
        return {"VERL_FILE_LOGGER_PATH": str(self.log)} | compiles

    def numbers(self, entry: dict[str, Any]) -> tuple[int, dict[str, float]] | None:
        """verl writes NaN and infinity as null."""
        step, data = entry.get("step"), entry.get("data")
        if not isinstance(step, int) or not isinstance(data, dict) or "critic/score/mean" not in data:
            return None
        values = {
            ours: float("nan") if data[key] is None else float(data[key]) for key, ours in _NAMES.items() if key in data
        }
        params = self.attempt.params
        generations = params["generations"]
        answers = params["prompts_per_step"] * generations
        file = self.attempt.work / "rollouts" / f"{step}.jsonl"
        return step, values | answers_numbers(file, answers, generations, params["reward"])

    def tracked_step(self) -> int | None:
        try:
            text = (self.attempt.work / "verl" / "latest_checkpointed_iteration.txt").read_text(encoding="ascii")
        except FileNotFoundError:
            return None
        return int(text) if text.isdigit() else None

    def written(self, step: int) -> Path:
        return self.attempt.work / "verl" / f"global_step_{step}"

    def shards_fault(self, folder: Path) -> str | None:
        return shards_fault(folder, self.world)

    def merge(self, checkpoint: Path) -> None:
        from critic_trainer.engines.ray.merging import assemble, run_merger

        merged = self.attempt.work / "merged"
        actor = checkpoint / checkpoint.name.replace("checkpoint-", "global_step_") / "actor"
        places = ["--local_dir", str(actor), "--target_dir", str(merged)]
        run_merger(["verl.model_merger", "merge", "--backend", "fsdp", *places], self.attempt.work)
        assemble(merged, self.attempt.model, self.attempt.work / "trainer")
