"""TRL's GRPOTrainer at work, with two reward functions, accuracy and format, each logged under its own name."""

import logging
from collections.abc import Callable
from typing import Any

import torch
from transformers import AutoModelForImageTextToText, AutoProcessor, PreTrainedModel, ProcessorMixin, TrainerState
from trl import GRPOConfig, GRPOTrainer

from critic_trainer.attempt.answers import AnswerLog
from critic_trainer.attempt.manifest import Attempt
from critic_trainer.attempt.result import WorkDone
from critic_trainer.engines.trainer_callback import DivergedError, StepObserver
from critic_trainer.inputs.encoding import encode
from critic_trainer.inputs.images import open_image
from critic_trainer.inputs.rows import PromptRow
from critic_trainer.reward import accuracy_reward, format_reward

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


def reward_functions(settings: dict[str, Any], answers: AnswerLog) -> list[RewardFunction]:
    """[accuracy, format] for TRL, whose metrics bear the functions' names. What they raise is a bug and leaves train().

    completions: one assistant message a row. mos: one score a row. Some of the answers are kept.
    """

    def accuracy(
        completions: list[list[dict[str, str]]], mos: list[float], trainer_state: TrainerState, **_: Any
    ) -> list[float]:
        texts = [message[0]["content"] for message in completions]
        answers.append(trainer_state.global_step + 1, texts, mos)
        pairs = zip(texts, mos, strict=True)
        return [accuracy_reward(text, score, settings["shape"], settings["floor"]) for text, score in pairs]

    def form(completions: list[list[dict[str, str]]], **_: Any) -> list[float]:
        return [format_reward(message[0]["content"]) for message in completions]

    form.__name__ = "format"
    return [accuracy, form]


def train_grpo(attempt: Attempt, rows: list[PromptRow], settings: dict[str, Any], observer: StepObserver) -> WorkDone:
    """Trains and writes the model into settings["output_dir"]. Raises CheckpointedError, or what TRL raises."""
    # Weights come from the checkpoint itself: Trainer's resume restores none for Qwen2.5-VL (transformers#43701).
    source = attempt.resume_from or attempt.model
    model = AutoModelForImageTextToText.from_pretrained(source, dtype=torch.float32, attn_implementation="sdpa")
    processor = AutoProcessor.from_pretrained(source, use_fast=True)
    suppressed = never_generated(model)
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=reward_functions(
            attempt.params["reward"], AnswerLog(attempt.directory / "answers.jsonl", attempt.params["generations"])
        ),
        args=GRPOConfig(**settings, generation_kwargs={"suppress_tokens": suppressed} if suppressed else None),
        train_dataset=PromptDataset(rows),
        processing_class=processor,
        callbacks=[observer],
    )
    try:
        trainer.train(resume_from_checkpoint=None if attempt.resume_from is None else str(attempt.resume_from))
    except DivergedError as error:
        log.error("%s: training stops, no model is published", error)
        return observer.work_done()
    except RuntimeError as error:
        # Weights may explode within one step whose own numbers were finite: then sampling the next answers fails.
        if gives_finite_logits(model, processor, rows[0]):
            raise
        log.error("the model gives no finite numbers any more (%s): training stops, no model is published", error)
        return observer.work_done(diverged=True)
    trainer.save_model(settings["output_dir"])
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
