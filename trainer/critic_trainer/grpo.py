"""GRPO: TRL's GRPOTrainer with two reward functions, accuracy and format, each logged under its own name."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForImageTextToText, AutoProcessor, PreTrainedModel, ProcessorMixin
from trl import GRPOConfig, GRPOTrainer

from critic_trainer.attempt import Attempt
from critic_trainer.checkpoints import require_complete
from critic_trainer.device import has_gpu
from critic_trainer.encoding import encode
from critic_trainer.failures import BadConfigurationError
from critic_trainer.images import open_image
from critic_trainer.metrics import Metrics
from critic_trainer.model_folder import publish_model
from critic_trainer.reward import accuracy_reward, format_reward
from critic_trainer.rows import PromptRow, read_prompts
from critic_trainer.step_observer import DivergedError, StepObserver
from critic_trainer.stop_request import StopRequest
from critic_trainer.work_done import WorkDone

log = logging.getLogger(__name__)
RewardFunction = Callable[..., list[float]]


class PromptDataset(torch.utils.data.Dataset):
    """Rows as TRL takes them: `prompt` one user message of plain text, `images` PIL in RGB, `mos` for the reward.

    Built anew at each access: TRL rewrites the messages in place.
    """

    def __init__(self, rows: list[PromptRow]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        row = self._rows[index]
        return {
            "prompt": [{"role": "user", "content": row.prompt}],
            "images": [open_image(path) for path in row.images],
            "mos": row.mos,
        }


def reward_functions(settings: dict[str, Any]) -> list[RewardFunction]:
    """[accuracy, format] for TRL, whose metrics bear the functions' names. What they raise is a bug and leaves train().

    completions: one assistant message a row. mos: one score a row.
    """

    def accuracy(completions: list[list[dict[str, str]]], mos: list[float], **_: Any) -> list[float]:
        texts = [message[0]["content"] for message in completions]
        pairs = zip(texts, mos, strict=True)
        return [accuracy_reward(text, score, settings["shape"], settings["floor"]) for text, score in pairs]

    def form(completions: list[list[dict[str, str]]], **_: Any) -> list[float]:
        return [format_reward(message[0]["content"]) for message in completions]

    form.__name__ = "format"
    return [accuracy, form]


def train_grpo(attempt: Attempt, metrics: Metrics, stop: StopRequest) -> WorkDone:
    """Trains and publishes the model. Raises CheckpointedError, BadDataError, BadConfigurationError, or TRL's own."""
    rows = read_prompts(attempt.inputs["prompts"] / "train.jsonl", attempt.inputs["dataset"])
    resumed = None if attempt.resume_from is None else require_complete(attempt.resume_from)
    # Weights come from the checkpoint itself: Trainer's resume restores none for Qwen2.5-VL (transformers#43701).
    source = attempt.resume_from or attempt.model
    model = AutoModelForImageTextToText.from_pretrained(source, dtype=torch.float32, attn_implementation="sdpa")
    processor = AutoProcessor.from_pretrained(source, use_fast=True)
    written = attempt.work / "trainer"
    observer = StepObserver(attempt, metrics, stop, resumed)
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=reward_functions(attempt.params["reward"]),
        args=grpo_config(attempt, written, never_generated(model)),
        train_dataset=PromptDataset(rows),
        processing_class=processor,
        callbacks=[observer],
    )
    try:
        trainer.train(resume_from_checkpoint=None if resumed is None else str(attempt.resume_from))
    except DivergedError as error:
        log.error("%s: training stops, no model is published", error)
        return observer.work_done()
    except RuntimeError as error:
        # Weights may explode within one step whose own numbers were finite: then sampling the next answers fails.
        if gives_finite_logits(model, processor, rows[0]):
            raise
        log.error("the model gives no finite numbers any more (%s): training stops, no model is published", error)
        return observer.work_done(diverged=True)
    trainer.save_model(str(written))
    publish_model(written, attempt.work / "model", attempt.output)
    return observer.work_done()


def gives_finite_logits(model: PreTrainedModel, processor: ProcessorMixin, row: PromptRow) -> bool:
    """Does the model still answer this pair with finite numbers?"""
    with torch.inference_mode():
        return bool(torch.isfinite(model(**encode(processor, [row]).to(model.device)).logits).all())


def never_generated(model: PreTrainedModel) -> list[int]:
    """Token ids that must not be sampled: the model's own list, else its image and video marks.

    An image mark in an answer stops Qwen2.5-VL with "Image features and image tokens do not match".
    """
    own = model.generation_config.suppress_tokens
    if own:
        return list(own)
    marks = (getattr(model.config, name, None) for name in ("image_token_id", "video_token_id"))
    return [mark for mark in marks if mark is not None]


def grpo_config(attempt: Attempt, output_dir: Path, suppressed: list[int]) -> GRPOConfig:
    """TRL's settings. A step is prompts_per_step x generations answers, on-policy, whatever the accumulation.

    Raises BadConfigurationError if gradient_accumulation does not divide a step's answers.
    """
    params = attempt.params
    answers = params["prompts_per_step"] * params["generations"]
    accumulation = params.get("gradient_accumulation", 1)
    if answers % accumulation:
        raise BadConfigurationError(
            f"attempt.json: params.gradient_accumulation: expected a divisor of {answers}, got {accumulation}"
        )
    gpu = has_gpu()
    return GRPOConfig(
        output_dir=str(output_dir),
        max_steps=params["steps"],
        per_device_train_batch_size=answers // accumulation,
        gradient_accumulation_steps=accumulation,
        num_generations=params["generations"],
        learning_rate=params["learning_rate"],
        lr_scheduler_type="constant",
        adam_beta2=0.99,
        temperature=params["temperature"],
        top_p=1.0,
        top_k=0,
        beta=params["beta"],
        epsilon=params["epsilon"],
        epsilon_high=params["epsilon_high"],
        loss_type="dapo",
        scale_rewards="group",
        reward_weights=[1.0, params["reward"]["format_weight"]],
        max_prompt_length=None,
        max_completion_length=params["max_completion_length"],
        generation_kwargs={"suppress_tokens": suppressed} if suppressed else None,
        disable_dropout=True,
        remove_unused_columns=False,
        gradient_checkpointing=gpu,
        use_cpu=not gpu,
        bf16=gpu,
        save_strategy="steps",
        save_steps=params["save_steps"],
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        seed=attempt.seed,
        data_seed=attempt.seed,
    )
