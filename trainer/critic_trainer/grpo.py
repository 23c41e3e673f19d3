"""GRPO by TRL's GRPOTrainer: groups of answers, rewarded by distance to the mean opinion score and by format."""

import time
from typing import Any

from .attempt import Attempt, Metrics, read_rows
from .checkpoints import Keeper, check_resume
from .exits import Checkpointed, ConfigError
from .result import check_model, write_result
from .reward import SHAPES, accuracy_reward, format_reward

NAMES = {
    "reward": "reward",
    "reward_std": "reward_std",
    "rewards/accuracy/mean": "reward_l1",
    "rewards/form/mean": "reward_format",
    "completions/mean_length": "response_length",
    "completions/clipped_ratio": "clip_ratio",
    "frac_reward_zero_std": "zero_std_share",
    "learning_rate": "lr",
    "entropy": "entropy",
    "grad_norm": "grad_norm",
    "kl": "kl",
}


def run(attempt: Attempt) -> None:
    """Trains `steps` steps from the model (or the checkpoint), writes model and result."""
    started = time.time()
    resumed = check_resume(attempt)
    rewards, weight = reward_functions(attempt)
    rows = read_rows(attempt.inputs["prompts"] / "train.jsonl", attempt.inputs["dataset"])
    from transformers import AutoProcessor, Qwen2_5_VLForConditionalGeneration  # noqa: PLC0415
    from trl import GRPOTrainer  # noqa: PLC0415

    start = attempt.resume_from or attempt.model
    processor = AutoProcessor.from_pretrained(start)
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(start, dtype="float32")
    steps = attempt.param("steps", int, 1, 10**6)
    metrics = Metrics(attempt)
    keeper = Keeper(attempt, metrics, NAMES, steps)
    trainer = GRPOTrainer(
        model=model,
        reward_funcs=rewards,
        args=arguments(attempt, model.generation_config, weight),
        train_dataset=dataset(rows),
        processing_class=processor,
        callbacks=[keeper],
    )
    trainer.train(resume_from_checkpoint=None if attempt.resume_from is None else str(attempt.resume_from))
    if keeper.stopped:
        raise Checkpointed(f"checkpointed at step {keeper.last_step} of {steps}")
    trainer.save_model(str(attempt.output))
    processor.save_pretrained(attempt.output)
    check_model(attempt.output)
    write_result(
        attempt,
        started,
        steps_done=keeper.last_step,
        first_step=min(metrics.steps, default=None),
        resumed_from_step=resumed,
        finite=metrics.finite,
    )


def arguments(attempt: Attempt, generation: Any, format_weight: float) -> Any:
    """TRL's settings. One optimiser step sees prompts_per_step x generations answers."""
    import torch  # noqa: PLC0415
    from trl import GRPOConfig  # noqa: PLC0415

    generations = attempt.param("generations", int, 2, 64)
    cpu = not torch.cuda.is_available()
    suppressed = getattr(generation, "suppress_tokens", None)
    return GRPOConfig(
        output_dir=str(attempt.directory / "work"),
        per_device_train_batch_size=attempt.param("prompts_per_step", int, 1, 4096) * generations,
        num_generations=generations,
        max_steps=attempt.param("steps", int, 1, 10**6),
        learning_rate=attempt.param("learning_rate", float, 0, 1),
        lr_scheduler_type="constant",
        adam_beta2=0.99,
        temperature=attempt.param("temperature", float, 0.01, 2),
        top_p=1.0,
        top_k=0,
        max_prompt_length=None,
        max_completion_length=attempt.param("max_completion_length", int, 1, 32768),
        beta=attempt.param("beta", float, 0, 10),
        epsilon=attempt.param("epsilon", float, 0, 1),
        epsilon_high=attempt.param("epsilon_high", float, 0, 1),
        loss_type="dapo",
        scale_rewards="group",
        reward_weights=[1.0, format_weight],
        use_cpu=cpu,
        bf16=not cpu,
        gradient_checkpointing=False,
        disable_dropout=True,
        remove_unused_columns=False,
        generation_kwargs={"suppress_tokens": suppressed} if suppressed else None,
        save_strategy="steps",
        save_steps=attempt.param("save_steps", int, 1, 10**9),
        logging_steps=1,
        disable_tqdm=True,
        report_to="none",
        seed=attempt.seed,
        data_seed=attempt.seed,
    )


def reward_functions(attempt: Attempt) -> tuple[list[Any], float]:
    """TRL reward functions (accuracy, form) and the weight of form. An error in one is a bug, never a reward of 0."""
    settings = attempt.params.get("reward", {})
    shape, weight, floor = settings.get("shape"), settings.get("format_weight"), settings.get("floor")
    if shape not in SHAPES:
        raise ConfigError(f"params.reward.shape: expected one of {SHAPES}, got {shape!r}")

    def accuracy(completions: list[Any], mos: list[float], **_: Any) -> list[float]:
        return [accuracy_reward(text_of(one), score, shape, floor) for one, score in zip(completions, mos, strict=True)]

    def form(completions: list[Any], **_: Any) -> list[float]:
        return [format_reward(text_of(one)) for one in completions]

    return [accuracy, form], float(weight)


def text_of(completion: Any) -> str:
    """Text of a completion as TRL passes it: a list of one assistant message."""
    return completion if isinstance(completion, str) else completion[0]["content"]


def dataset(rows: list[dict[str, Any]]) -> Any:
    """Rows with `prompt` (fresh messages each time: TRL rewrites them in place), `images` as PIL, and `mos`."""
    from datasets import Dataset  # noqa: PLC0415
    from PIL import Image  # noqa: PLC0415

    def load(batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        return {
            "prompt": [[{"role": "user", "content": text}] for text in batch["text"]],
            "images": [[Image.open(path).convert("RGB") for path in paths] for paths in batch["paths"]],
            "mos": batch["mos"],
        }

    table = {
        "text": [row["prompt"] for row in rows],
        "paths": [row["images"] for row in rows],
        "mos": [row["mos"] for row in rows],
    }
    return Dataset.from_dict(table).with_transform(load)
