"""Mixed SFT by LLaMA-Factory itself.

`llamafactory-cli train` on one device does nothing but call `run_exp`; we call it with a callback, which its command
line cannot take, so that training can be asked to checkpoint between steps. Everything else is its own YAML keys.
Resuming Qwen2.5-VL needs model_name_or_path to be the checkpoint too: transformers >= 4.52 loads no weights otherwise.
"""

import time
from typing import Any

from .attempt import Attempt, Metrics
from .checkpoints import Keeper, check_resume
from .exits import Checkpointed, ConfigError
from .result import check_model, write_result

OURS = {
    "model_name_or_path", "output_dir", "dataset", "dataset_dir", "media_dir", "resume_from_checkpoint",
    "overwrite_output_dir", "stage", "do_train", "report_to", "seed",
}  # fmt: skip
NAMES = {"loss": "loss", "learning_rate": "lr", "grad_norm": "grad_norm", "epoch": "epoch"}


def config(attempt: Attempt) -> dict[str, Any]:
    """LLaMA-Factory's arguments for this attempt."""
    extra = attempt.params.get("llamafactory", {})
    if taken := OURS & set(extra):
        raise ConfigError(f"params.llamafactory: {sorted(taken)} are set by the trainer, remove them from the recipe")
    start = attempt.resume_from or attempt.model
    keys: dict[str, Any] = {
        "model_name_or_path": str(start),
        "stage": "sft",
        "do_train": True,
        "finetuning_type": "full",
        "freeze_vision_tower": False,
        "freeze_multi_modal_projector": False,
        "freeze_language_model": False,
        "dataset": "critic_mix",
        "dataset_dir": str(attempt.inputs["mix"]),
        "media_dir": str(attempt.inputs["dataset"]),
        "template": "qwen2_vl",
        "cutoff_len": attempt.param("cutoff_len", int, 64, 131072),
        "overwrite_cache": True,
        "output_dir": str(attempt.directory / "work"),
        "per_device_train_batch_size": attempt.param("batch_size", int, 1, 4096),
        "gradient_accumulation_steps": attempt.param("gradient_accumulation", int, 1, 4096),
        "learning_rate": attempt.param("learning_rate", float, 0, 1),
        "num_train_epochs": attempt.param("epochs", float, 0, 1000),
        "warmup_ratio": attempt.param("warmup_ratio", float, 0, 1),
        "lr_scheduler_type": "cosine",
        "logging_steps": 1,
        "save_strategy": "steps",
        "save_steps": attempt.param("save_steps", int, 1, 10**9),
        "report_to": "none",
        "seed": attempt.seed,
        "preprocessing_num_workers": 1,
        "dataloader_num_workers": 0,
        "disable_tqdm": True,
        "plot_loss": False,
    }
    if attempt.resume_from is not None:
        keys["resume_from_checkpoint"] = str(attempt.resume_from)
    return keys | extra


def run(attempt: Attempt) -> None:
    """Trains, moves the final model to output/, writes the result. Raises Checkpointed when asked to stop."""
    started = time.time()
    resumed = check_resume(attempt)
    from llamafactory.train.tuner import run_exp  # noqa: PLC0415  (20 s of imports, after the checks)

    metrics = Metrics(attempt)
    keeper = Keeper(attempt, metrics, NAMES, attempt.planned_steps or 0)
    run_exp(args=config(attempt), callbacks=[keeper])
    if keeper.stopped:
        raise Checkpointed(f"checkpointed at step {keeper.last_step} of {attempt.planned_steps}")
    collect_model(attempt)
    write_result(
        attempt,
        started,
        steps_done=keeper.last_step,
        first_step=min(metrics.steps, default=None),
        resumed_from_step=resumed,
        finite=metrics.finite,
    )


def collect_model(attempt: Attempt) -> None:
    """The plain Hugging Face folder out of the trainer's working folder, which also holds logs and checkpoints."""
    work = attempt.directory / "work"
    attempt.output.mkdir(exist_ok=True)
    for path in work.iterdir():
        if path.is_file() and not path.name.startswith(("trainer_", "train_", "all_", "training_")):
            path.rename(attempt.output / path.name)
    check_model(attempt.output)
