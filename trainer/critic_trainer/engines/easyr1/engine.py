"""GRPO by EasyR1, of either generation (generations.py): its own command on Ray, its merger at the end."""

import shutil
from functools import cached_property
from pathlib import Path
from typing import Any

from critic_trainer.attempt.checkpoints import checkpoint_step
from critic_trainer.device import has_gpu
from critic_trainer.engines.easyr1.checking import easyr1_faults, missing_paths
from critic_trainer.engines.easyr1.checkpoints import shards_fault, tracked_step
from critic_trainer.engines.easyr1.files import check_lengths, write_base, write_code, write_rows
from critic_trainer.engines.easyr1.generations import (
    AUTHORS,
    Generation,
    installed_generation,
    merger_script,
    source_hash,
)
from critic_trainer.engines.easyr1.log import normalised, updated
from critic_trainer.engines.easyr1.recorder import LOG_VARIABLE
from critic_trainer.engines.easyr1.settings import BASE, SAVED, easyr1_settings, episodes_left
from critic_trainer.engines.easyr1.workers import HOOK
from critic_trainer.engines.protocol import COMMON_PACKAGES, Fault
from critic_trainer.engines.ray.engine import RayEngine
from critic_trainer.failures import BadConfigurationError, BadDataError
from critic_trainer.inputs.rows import PromptRow

_SETTINGS = "easyr1.yaml"
_MERGER = "critic_trainer.engines.easyr1.merger"


class EasyR1(RayEngine):
    """One of the two generations, whichever this environment has."""

    name = "easyr1"
    packages = (*COMMON_PACKAGES, "ray", "tensordict", "torchdata", "datasets", "accelerate", "peft", "vllm")
    settings_file = _SETTINGS
    driver = "verl.trainer.main"

    @classmethod
    def further_versions(cls) -> dict[str, str]:
        return {"easyr1": f"{installed_generation().version}+{source_hash()}"}

    @cached_property
    def generation(self) -> Generation:
        return installed_generation()

    @property
    def log(self) -> Path:
        return self.attempt.work / SAVED / self.generation.log

    def render(self) -> None:
        settings = self.settings(has_gpu())
        if not merger_script().is_file():
            raise BadConfigurationError(
                f"grpo.engine: easyr1: {merger_script()} is not there: install a whole checkout"
            )
        if not self.ranks.first:
            return
        rows = self.prompts("train")
        each = len(rows) // self.attempt.params["prompts_per_step"]
        if each == 0:
            needed = self.attempt.params["prompts_per_step"]
            raise BadDataError(
                f"prompts/train.jsonl: {len(rows)} rows, but a step of EasyR1 takes {needed} of one epoch"
            )
        if self.generation is AUTHORS:
            resumed = self.attempt.resume_from
            begun = 0 if resumed is None else checkpoint_step(resumed) or 0
            settings["trainer"]["total_episodes"] = episodes_left(self.attempt.params["steps"], each, begun)
        # It validates at its end whatever is asked: on a pair of training, where dev is not wanted, and never on test.
        shown = self.prompts("dev") if self.attempt.params["validate_steps"] > 0 else rows[:1]
        for prompts in (rows, shown):
            check_lengths(self.attempt.model, prompts, self.attempt.params["max_prompt_length"])
        self._write(rows, shown, settings)

    def _write(self, rows: list[PromptRow], shown: list[PromptRow], settings: dict[str, Any]) -> None:
        import yaml

        work, dataset, generation = self.attempt.work, self.attempt.inputs["dataset"], self.generation
        write_rows(Path(settings["data"]["train_files"]), rows, dataset, generation)
        write_rows(Path(settings["data"]["val_files"]), shown, dataset, generation)
        write_code(work)
        if generation is AUTHORS:
            write_base(self.attempt.model, work / BASE)
            # Its logger of files is ours, which makes no folder.
            self.log.parent.mkdir()
        (work / _SETTINGS).write_text(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True), encoding="utf-8")
        missing = missing_paths(settings)
        if missing:
            raise BadConfigurationError(f"params.settings: {missing[0]}: expected a file or folder that is there")

    def settings(self, gpu: bool) -> dict[str, Any]:
        return easyr1_settings(self.attempt, self.generation, self.attempt.work, gpu, self.save_steps)

    def faults(self) -> list[Fault]:
        return easyr1_faults(self.attempt, self.generation)

    def arguments(self) -> list[str]:
        return [f"config={_SETTINGS}"]

    def variables(self) -> dict[str, str]:
        if self.generation is not AUTHORS:
            return {}
        return {"RAY_RUNTIME_ENV_HOOK": HOOK, LOG_VARIABLE: str(self.log)}

    def numbers(self, entry: dict[str, Any]) -> tuple[int, dict[str, float]] | None:
        return normalised(entry) if updated(entry) else None

    def tracked_step(self) -> int | None:
        """The authors' trainer may save once more at the end, the same weights under one step more."""
        step = tracked_step(self.attempt.work / SAVED, self.generation)
        return None if step is None else min(step, self.attempt.params["steps"])

    def written(self, step: int) -> Path:
        return self.attempt.work / SAVED / f"global_step_{step}"

    def shards_fault(self, folder: Path) -> str | None:
        return shards_fault(folder, self.world)

    def merge(self, checkpoint: Path) -> None:
        """EasyR1's merger writes into the folder of shards. That is a published checkpoint, so it gets a copy."""
        from critic_trainer.engines.ray.merging import assemble, run_merger

        shards = checkpoint / self.written(checkpoint_step(checkpoint) or 0).name / "actor"
        copy = self.attempt.work / "merging"
        (copy / "huggingface").mkdir(parents=True)
        for file in shards.glob("model_*.pt"):
            (copy / file.name).symlink_to(file)
        for file in (shards / "huggingface").iterdir():
            shutil.copyfile(file, copy / "huggingface" / file.name)
        run_merger([_MERGER, str(merger_script()), "--local_dir", str(copy)], self.attempt.work)
        assemble(copy / "huggingface", self.attempt.model, self.attempt.work / "trainer")
