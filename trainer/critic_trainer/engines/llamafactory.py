"""SFT: LLaMA-Factory does it, from a rendered YAML, through its own entry `run_exp(args, callbacks)`.

`llamafactory-cli train x.yaml` calls exactly this function, but gives no way to save and stop between steps, and would
be a second process that imports torch again. The rendered YAML stays in work/ and can be given to the CLI as it is.
"""

import logging
import os
from pathlib import Path
from typing import Any

from critic_trainer.attempt.manifest import Attempt
from critic_trainer.attempt.result import WorkDone
from critic_trainer.device import has_gpu, prepare_torch, quick_imports
from critic_trainer.engines.deepspeed import deepspeed_config, find_deepspeed, world_fault, write_world
from critic_trainer.engines.llamafactory_checking import llamafactory_faults
from critic_trainer.engines.llamafactory_keys import OWNED_KEYS
from critic_trainer.engines.protocol import COMMON_PACKAGES, Engine, Fault, Progress
from critic_trainer.engines.trainer_checkpoints import trainer_checkpoint_fault
from critic_trainer.failures import BadConfigurationError
from critic_trainer.inputs.rows import MIX_DATASET, check_mix
from critic_trainer.inputs.tokenized import check_tokenized
from critic_trainer.model_folder import publish_model, read_pixel_limits, write_pixel_limits
from critic_trainer.ranks import COLLECTIVE_MINUTES, meet

log = logging.getLogger(__name__)
_STAGES = {"zero2": 2, "zero3": 3}


class LlamaFactory(Engine):
    """SFT: in this process alone, or in the ranks of `params.processes` under DeepSpeed (`params.deepspeed`)."""

    name = "llamafactory"
    kind = "sft"
    packages = (*COMMON_PACKAGES, "llamafactory", "accelerate", "datasets")
    settings_file = "llamafactory.yaml"

    @property
    def processes(self) -> int | None:
        return self.attempt.params.get("processes")

    @property
    def _stage(self) -> int | None:
        return _STAGES.get(self.attempt.params.get("deepspeed", ""))

    def render(self) -> None:
        attempt = self.attempt
        tokenized = attempt.inputs.get("tokenized")
        if tokenized is None:
            records = check_mix(attempt.inputs["mix"], attempt.inputs["dataset"])
        else:
            records = check_tokenized(tokenized, attempt.inputs["dataset"])
        log.info("mix: %d records", records)
        self._written = attempt.work / "trainer"
        self._config = llamafactory_config(attempt, self._written, has_gpu())
        if self._stage is not None:
            find_deepspeed(has_gpu())
        if self.ranks.first:
            write_config(self._config, attempt.work / "llamafactory.yaml")

    def settings(self, gpu: bool) -> dict[str, Any]:
        return llamafactory_config(self.attempt, self.attempt.work / "trainer", gpu)

    def faults(self) -> list[Fault]:
        return llamafactory_faults(self.attempt.params.get("llamafactory", {}), self.settings(gpu=False))

    def checkpoint_fault(self, path: Path) -> str | None:
        fault = trainer_checkpoint_fault(path)
        if fault is not None or self._stage is None:
            return fault
        return world_fault(path, self._stage, self.ranks.world)

    def launch(self, progress: Progress) -> WorkDone:
        prepare_torch(self.attempt.threads)
        os.environ.setdefault("LLAMAFACTORY_VERBOSITY", "WARN")
        with quick_imports():
            from llamafactory.train.tuner import run_exp

            from critic_trainer.engines.trainer_callback import DivergedError, StepObserver

        if self._stage is not None:
            meet(self.ranks, has_gpu())
        observer = StepObserver(self.attempt, progress)
        try:
            run_exp(args=self._config, callbacks=[observer])
        except DivergedError as error:
            log.error("%s: training stops, no model is published", error)
        return observer.work_done()

    def before_checkpoint(self, written: Path) -> None:
        if self._stage is not None:
            write_world(written, self._stage, self.ranks.world)

    def publish(self) -> None:
        write_pixel_limits(self._written, self._config["image_min_pixels"], self._config["image_max_pixels"])
        publish_model(self._written, self.attempt.work / "model", self.attempt.output)


def llamafactory_config(attempt: Attempt, output_dir: Path, gpu: bool) -> dict[str, Any]:
    """The YAML's content: defaults, then `params.llamafactory`, then the keys we own. A clash is BadConfigurationError.

    On resume, `model_name_or_path` is the checkpoint too: Trainer restores no weights of Qwen2.5-VL from
    `resume_from_checkpoint` alone (transformers#43701: saved and runtime names differ).
    """
    defaults = {
        "finetuning_type": "full",
        "freeze_vision_tower": False,
        "freeze_multi_modal_projector": False,
        "freeze_language_model": False,
        "flash_attn": "sdpa",
        "bf16": gpu,
        "lr_scheduler_type": "cosine",
        "preprocessing_num_workers": 1,
        "dataloader_num_workers": 0,
        "disable_tqdm": True,
    }
    given = data_settings(attempt, attempt.params.get("llamafactory", {}))
    return {**defaults, **given, **_owned(attempt, output_dir, gpu), **_records(attempt), **_of_ranks(attempt)}


def data_settings(attempt: Attempt, extra: dict[str, Any]) -> dict[str, Any]:
    """Template and pixel limits, then `extra`, the recipe's further arguments.

    Raises BadConfigurationError if it has a key of ours.
    """
    clash = sorted(OWNED_KEYS & extra.keys())
    if clash:
        raise BadConfigurationError(f"attempt.json: params.llamafactory.{clash[0]}: this key is set by the trainer")
    smallest, largest = read_pixel_limits(attempt.model)
    return {"template": "qwen2_vl", "image_min_pixels": smallest, "image_max_pixels": largest, **extra}


def _records(attempt: Attempt) -> dict[str, Any]:
    """Where the records are: the mix, or the same tokenised before. The parser wants a dataset's name in any case."""
    tokenized = attempt.inputs.get("tokenized")
    if tokenized is None:
        return {"dataset": MIX_DATASET, "dataset_dir": str(attempt.inputs["mix"])}
    return {"dataset": MIX_DATASET, "dataset_dir": str(tokenized), "tokenized_path": str(tokenized)}


def _of_ranks(attempt: Attempt) -> dict[str, Any]:
    stage = _STAGES.get(attempt.params.get("deepspeed", ""))
    if stage is None:
        return {}
    return {"deepspeed": deepspeed_config(stage), "ddp_timeout": COLLECTIVE_MINUTES * 60}


def _owned(attempt: Attempt, output_dir: Path, gpu: bool) -> dict[str, Any]:
    params = attempt.params
    return {
        "stage": "sft",
        "do_train": True,
        "model_name_or_path": str(attempt.resume_from or attempt.model),
        "media_dir": str(attempt.inputs["dataset"]),
        "output_dir": str(output_dir),
        "overwrite_output_dir": False,
        "overwrite_cache": True,
        "resume_from_checkpoint": None if attempt.resume_from is None else str(attempt.resume_from),
        "per_device_train_batch_size": params["batch_size"],
        "gradient_accumulation_steps": params["gradient_accumulation"],
        "learning_rate": params["learning_rate"],
        "num_train_epochs": float(params["epochs"]),
        "warmup_ratio": params["warmup_ratio"],
        "cutoff_len": params["cutoff_len"],
        "save_strategy": "steps",
        "save_steps": params["save_steps"],
        "save_only_model": False,
        "logging_steps": 1,
        # Trainer would otherwise write the mean of the losses before in place of a NaN.
        "logging_nan_inf_filter": False,
        "report_to": "none",
        "use_cpu": not gpu,
        "seed": attempt.seed,
        "data_seed": attempt.seed,
    }


def write_config(config: dict[str, Any], path: Path) -> None:
    """Writes the YAML that `llamafactory-cli train` would take."""
    import yaml

    path.write_text(yaml.safe_dump(config, sort_keys=True), encoding="utf-8")
