"""Predictions on a split: one greedy and one sampled answer a pair."""

import json
import time
from typing import Any

import torch
from PIL import Image
from transformers import AutoProcessor, Qwen2_5_VLForConditionalGeneration

from .attempt import Attempt, Metrics, read_rows
from .exits import Checkpointed, ConfigError
from .result import write_result

SPLITS = ("dev", "test")


def run(attempt: Attempt) -> None:
    """Writes output/predictions.jsonl in the rows' order. A request to stop is heeded between batches."""
    started = time.time()
    split = attempt.params.get("split")
    if split not in SPLITS:
        raise ConfigError(f"params.split: expected one of {SPLITS}, got {split!r}")
    rows = read_rows(attempt.inputs["prompts"] / f"{split}.jsonl", attempt.inputs["dataset"])
    size = attempt.param("batch_size", int, 1, 4096)
    processor = AutoProcessor.from_pretrained(attempt.model)
    processor.tokenizer.padding_side = "left"
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(attempt.model, dtype="auto").to(device).eval()
    metrics = Metrics(attempt)
    attempt.output.mkdir(exist_ok=True)
    done = 0
    with (attempt.output / "predictions.jsonl").open("w") as file:
        for number, start in enumerate(range(0, len(rows), size), start=1):
            if attempt.checkpoint_requested():
                raise Checkpointed(f"stopped after {done} of {len(rows)} rows")
            batch = rows[start : start + size]
            for row, answers in zip(batch, answer(model, processor, batch, attempt), strict=True):
                file.write(json.dumps({"id": row["id"], "mos": row["mos"], **answers}) + "\n")
            file.flush()
            done += len(batch)
            metrics.row(number, -(-len(rows) // size), rows=done)
    write_result(attempt, started, rows=done)


@torch.inference_mode()
def answer(model: Any, processor: Any, batch: list[dict[str, Any]], attempt: Attempt) -> list[dict[str, Any]]:
    """One {"greedy": {text, tokens}, "sampled": {text, tokens}} for each row."""
    texts = [processor.apply_chat_template(message(row), add_generation_prompt=True, tokenize=False) for row in batch]
    images = [Image.open(path).convert("RGB") for row in batch for path in row["images"]]
    inputs = processor(text=texts, images=images, padding=True, return_tensors="pt").to(model.device)
    limit = attempt.param("max_new_tokens", int, 1, 32768)
    temperature = attempt.param("sampled_temperature", float, 0.01, 2)
    greedy = model.generate(**inputs, max_new_tokens=limit, do_sample=False)
    torch.manual_seed(attempt.seed)
    sampled = model.generate(
        **inputs, max_new_tokens=limit, do_sample=True, temperature=temperature, top_p=1.0, top_k=0
    )
    width = inputs["input_ids"].shape[1]
    both = zip(greedy[:, width:], sampled[:, width:], strict=True)
    return [{"greedy": spoken(processor, one), "sampled": spoken(processor, two)} for one, two in both]


def message(row: dict[str, Any]) -> list[dict[str, Any]]:
    """The chat of one row: its images, then its prompt."""
    parts = [{"type": "image"} for _ in row["images"]] + [{"type": "text", "text": row["prompt"]}]
    return [{"role": "user", "content": parts}]


def spoken(processor: Any, ids: torch.Tensor) -> dict[str, Any]:
    """Text without end and padding marks; tags like <think> are ordinary tokens and stay."""
    special = set(processor.tokenizer.all_special_ids)
    kept = [token for token in ids.tolist() if token not in special]
    return {"text": processor.tokenizer.decode(kept).strip(), "tokens": len(kept)}
