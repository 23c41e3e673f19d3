"""Prediction: one greedy and one sampled answer for each pair, in batches, resumable between batches."""

import json
from typing import Any

import torch
from transformers import AutoModelForImageTextToText, AutoProcessor, GenerationConfig
from transformers.feature_extraction_utils import BatchFeature

from critic_trainer.attempt import Attempt
from critic_trainer.checkpoints import checkpoint_step, prune
from critic_trainer.device import has_gpu
from critic_trainer.encoding import encode
from critic_trainer.failures import BadConfigurationError, CheckpointedError
from critic_trainer.files import publish_folder
from critic_trainer.metrics import Metrics
from critic_trainer.predictions_file import read_rows, write_rows
from critic_trainer.rows import PromptRow, read_prompts
from critic_trainer.stop_request import StopRequest
from critic_trainer.work_done import WorkDone

_BATCHES_PER_CHECKPOINT = 8
Answer = dict[str, Any]


def predict(attempt: Attempt, metrics: Metrics, stop: StopRequest) -> WorkDone:
    """Writes output/predictions.jsonl. Raises CheckpointedError when asked to stop, the rows so far kept.

    A checkpoint is `checkpoint-<rows>/predictions.jsonl`; batches start at fixed rows and are seeded by their index, so
    a resumed prediction gives the rows an uninterrupted one would have given.
    """
    split = attempt.params["split"]
    rows = read_prompts(attempt.inputs["prompts"] / f"{split}.jsonl", attempt.inputs["dataset"])
    size = attempt.params["batch_size"]
    lines = _resumed_lines(attempt, rows, size)
    generator = BatchGenerator(attempt)
    total = -(-len(rows) // size)
    for index in range(len(lines) // size, total):
        batch = rows[index * size : (index + 1) * size]
        greedy, sampled = generator.answers(batch, seed=attempt.seed + index)
        for row, one, other in zip(batch, greedy, sampled, strict=True):
            line = {"id": row.id, "mos": row.mos, "greedy": one, "sampled": other}
            lines.append(json.dumps(line, ensure_ascii=False))
        metrics.append(index + 1, total, {"rows": len(lines)})
        if len(lines) < len(rows):
            _checkpoint(attempt, lines, index, stop)
    staging = attempt.work / "output"
    write_rows(staging, lines)
    publish_folder(staging, attempt.output)
    return WorkDone(None, None, None, finite=True, rows=len(lines), has_model=False)


class BatchGenerator:
    """A loaded model that answers batches. fp32 on a CPU, bf16 on a GPU."""

    def __init__(self, attempt: Attempt) -> None:
        gpu = has_gpu()
        self._device = torch.device("cuda" if gpu else "cpu")
        self._model = AutoModelForImageTextToText.from_pretrained(
            attempt.model, dtype=torch.bfloat16 if gpu else torch.float32, attn_implementation="sdpa"
        ).to(self._device)
        self._model.eval()
        self._processor = AutoProcessor.from_pretrained(attempt.model, use_fast=True)
        tokenizer = self._processor.tokenizer
        own = self._model.generation_config
        eos = own.eos_token_id if own.eos_token_id is not None else tokenizer.eos_token_id
        self._ends = set(eos if isinstance(eos, list) else [eos])
        # Only what is named here: a published generation_config also penalises repetition and cuts the distribution.
        common = {
            "max_new_tokens": attempt.params["max_new_tokens"],
            "eos_token_id": sorted(self._ends),
            "pad_token_id": tokenizer.pad_token_id if tokenizer.pad_token_id is not None else min(self._ends),
            "suppress_tokens": own.suppress_tokens,
        }
        self._model.generation_config = GenerationConfig(**common)
        self._greedy = GenerationConfig(do_sample=False, **common)
        temperature = float(attempt.params["sampled_temperature"])
        self._sampled = GenerationConfig(do_sample=True, temperature=temperature, top_p=1.0, top_k=0, **common)

    def answers(self, rows: list[PromptRow], seed: int) -> tuple[list[Answer], list[Answer]]:
        """(greedy, sampled), each `{"text", "tokens"}` a row; tokens include the end token, as TRL counts them."""
        inputs = encode(self._processor, rows).to(self._device)
        greedy = self._generate(inputs, self._greedy)
        torch.manual_seed(seed)
        return greedy, self._generate(inputs, self._sampled)

    def _generate(self, inputs: BatchFeature, config: GenerationConfig) -> list[Answer]:
        """inputs["input_ids"]: (rows, prompt), left-padded."""
        with torch.inference_mode():
            ids = self._model.generate(**inputs, generation_config=config)
        return [self._answer(row) for row in ids[:, inputs["input_ids"].shape[1] :].tolist()]

    def _answer(self, ids: list[int]) -> Answer:
        end = next((index for index, token in enumerate(ids) if token in self._ends), None)
        text = self._processor.tokenizer.decode(ids[:end], skip_special_tokens=True)
        return {"text": text, "tokens": len(ids) if end is None else end + 1}


def _checkpoint(attempt: Attempt, lines: list[str], index: int, stop: StopRequest) -> None:
    wanted = stop.requested
    if not wanted and (index + 1) % _BATCHES_PER_CHECKPOINT:
        return
    written = attempt.work / f"checkpoint-{len(lines)}"
    write_rows(written, lines)
    publish_folder(written, attempt.checkpoints / written.name)
    prune(attempt.checkpoints)
    if wanted:
        raise CheckpointedError(f"{len(lines)} rows kept, as asked")


def _resumed_lines(attempt: Attempt, rows: list[PromptRow], size: int) -> list[str]:
    """Lines of the checkpoint: whole batches, of the same rows in the same order. BadConfigurationError otherwise."""
    if attempt.resume_from is None:
        return []
    ids, lines = read_rows(attempt.resume_from)
    fits = ids == [row.id for row in rows[: len(ids)]] and len(ids) % size == 0
    if not fits or checkpoint_step(attempt.resume_from) != len(ids):
        raise BadConfigurationError(
            f"attempt.json: resume_from: {attempt.resume_from} is not of these prompts in batches of {size}"
        )
    return lines
