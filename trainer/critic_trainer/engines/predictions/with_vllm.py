"""A model that answers batches of pairs, by vLLM. The batch is given whole, and vLLM schedules it as memory allows."""

import hashlib
from typing import Any

from transformers import AutoProcessor, GenerationConfig
from vllm import LLM, SamplingParams

from critic_trainer.attempt.manifest import Attempt
from critic_trainer.engines.predictions.answers import Answer, Answers, answer_of, decoded
from critic_trainer.failures import BadConfigurationError, BadDataError
from critic_trainer.inputs.encoding import prompt_text
from critic_trainer.inputs.images import open_image
from critic_trainer.inputs.rows import PromptRow

try:
    from vllm.exceptions import VLLMClientError

    REFUSALS: tuple[type[Exception], ...] = (ValueError, VLLMClientError)
except ImportError:
    REFUSALS = (ValueError,)
"""What vLLM raises for prompts and settings that it does not take. Since 0.33 a refused prompt is no ValueError."""

_NEVER = -100.0
"""The lowest bias that vLLM takes for a token."""


class VllmAnswerer:
    """A loaded vLLM. `settings`: arguments of LLM beside the model. Raises BadConfigurationError for those it refuses.

    It refuses some only now, e.g. a max_model_len for which no memory is left.
    """

    def __init__(self, attempt: Attempt, settings: dict[str, Any]) -> None:
        params = attempt.params
        try:
            self._llm = LLM(model=str(attempt.model), **settings)
        except REFUSALS as error:
            raise BadConfigurationError(f"attempt.json: params: vLLM takes no such settings: {error}") from error
        self._processor = AutoProcessor.from_pretrained(attempt.model, use_fast=True)
        own = GenerationConfig.from_pretrained(attempt.model)
        eos = own.eos_token_id if own.eos_token_id is not None else self._processor.tokenizer.eos_token_id
        self._ends = set(eos if isinstance(eos, list) else [eos])
        self._seed, self._size = attempt.seed, params["batch_size"]
        self._samples, self._prefill = params.get("samples", 1), params.get("prefill", "")
        self._temperature = float(params["sampled_temperature"])
        self._common = {
            "max_tokens": params["max_new_tokens"],
            "stop_token_ids": sorted(self._ends),
            "logit_bias": dict.fromkeys(own.suppress_tokens or [], _NEVER) or None,
            "detokenize": False,
        }

    def answers(self, rows: list[PromptRow], index: int) -> list[Answers]:
        """As answer_of makes them. Each row is seeded by its number.

        Raises BadDataError for a prompt that vLLM does not take: it is longer than max_model_len.
        """
        prompts = [self._prompt(row) for row in rows]
        greedy = SamplingParams(temperature=0.0, **self._common)
        sampled = [self._sampling(index * self._size + number) for number in range(len(rows))]
        try:
            ones = self._llm.generate(prompts, [greedy] * len(rows), use_tqdm=False)
            others = self._llm.generate(prompts, sampled, use_tqdm=False)
        except REFUSALS as error:
            raise BadDataError(f"rows {rows[0].id} to {rows[-1].id}: vLLM takes no such prompts: {error}") from error
        pairs = zip(ones, others, strict=True)
        return [answer_of(self._all(one)[0], self._all(other)) for one, other in pairs]

    def _prompt(self, row: PromptRow) -> dict[str, Any]:
        images = [open_image(path) for path in row.images]
        return {"prompt": prompt_text(self._processor, row, self._prefill), "multi_modal_data": {"image": images}}

    def _sampling(self, number: int) -> SamplingParams:
        # vLLM gives the samples of one row seeds that follow on one another, so rows' own seeds lie far apart.
        digest = hashlib.blake2b(f"{self._seed}:{number}".encode(), digest_size=4).digest()
        seed = int.from_bytes(digest, "big") >> 1
        return SamplingParams(
            n=self._samples, temperature=self._temperature, top_p=1.0, top_k=0, seed=seed, **self._common
        )

    def _all(self, request: Any) -> list[Answer]:
        """The answers of one request, in their order."""
        found = sorted(request.outputs, key=lambda output: output.index)
        return [decoded(self._processor.tokenizer, list(one.token_ids), self._ends, self._prefill) for one in found]
