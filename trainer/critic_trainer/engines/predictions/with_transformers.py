"""A model that answers batches of pairs, by `generate` of transformers."""

import torch
from transformers import AutoModelForImageTextToText, AutoProcessor, GenerationConfig
from transformers.feature_extraction_utils import BatchFeature

from critic_trainer.attempt.manifest import Attempt
from critic_trainer.device import has_gpu
from critic_trainer.engines.predictions.answers import Answer, Answers, answer_of, decoded
from critic_trainer.inputs.encoding import encode
from critic_trainer.inputs.rows import PromptRow


class TransformersAnswerer:
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
        self._seed = attempt.seed
        self._samples = attempt.params.get("samples", 1)
        self._prefill = attempt.params.get("prefill", "")
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

    def answers(self, rows: list[PromptRow], index: int) -> list[Answers]:
        """As answer_of makes them. Batch `index` is seeded by itself, whatever was answered before it."""
        inputs = encode(self._processor, rows, self._prefill).to(self._device)
        greedy = self._generate(inputs, self._greedy)
        torch.manual_seed(self._seed + index)
        # One after another: the first is the same however many there are, and memory does not grow.
        sampled = [self._generate(inputs, self._sampled) for _ in range(self._samples)]
        return [answer_of(one, list(others)) for one, *others in zip(greedy, *sampled, strict=True)]

    def _generate(self, inputs: BatchFeature, config: GenerationConfig) -> list[Answer]:
        """One answer a row. inputs["input_ids"]: (rows, prompt), left-padded."""
        with torch.inference_mode():
            ids = self._model.generate(**inputs, generation_config=config)
        return [self._answer(row) for row in ids[:, inputs["input_ids"].shape[1] :].tolist()]

    def _answer(self, ids: list[int]) -> Answer:
        return decoded(self._processor.tokenizer, ids, self._ends, self._prefill)
