"""A model that answers batches of pairs, by `generate` of transformers."""

from typing import Any

import torch
from transformers import AutoModelForImageTextToText, AutoProcessor, GenerationConfig
from transformers.feature_extraction_utils import BatchFeature

from critic_trainer.attempt.manifest import Attempt
from critic_trainer.device import has_gpu
from critic_trainer.inputs.encoding import encode
from critic_trainer.inputs.rows import PromptRow

Answer = dict[str, Any]


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
