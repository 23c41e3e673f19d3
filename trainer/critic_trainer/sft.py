"""SFT: LLaMA-Factory does it, from a rendered YAML, through its own entry `run_exp(args, callbacks)`.

`llamafactory-cli train x.yaml` calls exactly this function, but gives no way to save and stop between steps, and would
be a second process that imports torch again. The rendered YAML stays in work/ and can be given to the CLI as it is.
"""

import logging
import os
from pathlib import Path
from typing import Any

from critic_trainer.attempt import Attempt
from critic_trainer.checkpoints import require_complete
from critic_trainer.device import has_gpu, quick_imports
from critic_trainer.failures import BadConfigurationError
from critic_trainer.metrics import Metrics
from critic_trainer.model_folder import publish_model, read_pixel_limits, write_pixel_limits
from critic_trainer.rows import MIX_DATASET, check_mix
from critic_trainer.stop_request import StopRequest
from critic_trainer.work_done import WorkDone

log = logging.getLogger(__name__)

# Keys that attempt.json says elsewhere, or that would break a promise: where things are written, what can be resumed,
# what is logged, what is sent out.
OWNED_KEYS = frozenset(
    {
        "stage", "do_train", "do_eval", "do_predict", "model_name_or_path", "adapter_name_or_path", "dataset",
        "dataset_dir", "eval_dataset", "media_dir", "tokenized_path", "output_dir", "overwrite_output_dir",
        "resume_from_checkpoint", "save_only_model", "save_strategy", "save_steps", "save_total_limit",
        "load_best_model_at_end", "logging_steps", "logging_strategy", "logging_first_step", "logging_nan_inf_filter",
        "report_to", "push_to_hub", "hub_model_id", "hub_token", "hf_hub_token", "ms_hub_token", "om_hub_token",
        "export_dir", "export_hub_model_id", "trust_remote_code", "seed", "data_seed", "max_steps", "max_samples",
        "per_device_train_batch_size", "gradient_accumulation_steps", "learning_rate", "num_train_epochs",
        "warmup_ratio", "cutoff_len", "use_ray", "use_cpu",
    }
)  # fmt: skip


def train_sft(attempt: Attempt, metrics: Metrics, stop: StopRequest) -> WorkDone:
    """Trains and publishes the model. Raises CheckpointedError, BadDataError, BadConfigurationError, or what
    LLaMA-Factory raises.
    """
    records = check_mix(attempt.inputs["mix"], attempt.inputs["dataset"])
    log.info("mix: %d records", records)
    resumed = None if attempt.resume_from is None else require_complete(attempt.resume_from)
    written = attempt.work / "trainer"
    config = llamafactory_config(attempt, written, has_gpu())
    write_config(config, attempt.work / "llamafactory.yaml")

    os.environ.setdefault("LLAMAFACTORY_VERBOSITY", "WARN")
    with quick_imports():
        from llamafactory.train.tuner import run_exp

        from critic_trainer.step_observer import DivergedError, StepObserver

    observer = StepObserver(attempt, metrics, stop, resumed)
    try:
        run_exp(args=config, callbacks=[observer])
    except DivergedError as error:
        log.error("%s: training stops, no model is published", error)
        return observer.work_done()
    write_pixel_limits(written, config["image_min_pixels"], config["image_max_pixels"])
    publish_model(written, attempt.work / "model", attempt.output)
    return observer.work_done()


def llamafactory_config(attempt: Attempt, output_dir: Path, gpu: bool) -> dict[str, Any]:
    """The YAML's content: defaults, then `params.llamafactory`, then the keys we own. A clash is BadConfigurationError.

    On resume, `model_name_or_path` is the checkpoint too: Trainer restores no weights of Qwen2.5-VL from
    `resume_from_checkpoint` alone (transformers#43701: saved and runtime names differ).
    """
    extra = attempt.params.get("llamafactory", {})
    clash = sorted(OWNED_KEYS & extra.keys())
    if clash:
        raise BadConfigurationError(f"attempt.json: params.llamafactory.{clash[0]}: this key is set by the trainer")
    smallest, largest = read_pixel_limits(attempt.model)
    defaults = {
        "finetuning_type": "full",
        "freeze_vision_tower": False,
        "freeze_multi_modal_projector": False,
        "freeze_language_model": False,
        "template": "qwen2_vl",
        "image_min_pixels": smallest,
        "image_max_pixels": largest,
        "flash_attn": "sdpa",
        "bf16": gpu,
        "lr_scheduler_type": "cosine",
        "preprocessing_num_workers": 1,
        "dataloader_num_workers": 0,
        "disable_tqdm": True,
    }
    return {**defaults, **extra, **_owned(attempt, output_dir, gpu)}


def _owned(attempt: Attempt, output_dir: Path, gpu: bool) -> dict[str, Any]:
    params = attempt.params
    return {
        "stage": "sft",
        "do_train": True,
        "model_name_or_path": str(attempt.resume_from or attempt.model),
        "dataset": MIX_DATASET,
        "dataset_dir": str(attempt.inputs["mix"]),
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
