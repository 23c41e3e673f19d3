"""LLM: a model of Hugging Face that answers prompts one after another, so an answer never depends on its neighbours."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor, GenerationConfig

from vllm.outputs import CompletionOutput, RequestOutput
from vllm.prompts import PromptReader
from vllm.sampling import SamplingParams
from vllm.weights import Weights

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16, "auto": "auto"}


class LLM:
    """A loaded model. `load_format="dummy"`: it has no weights until `load_weights` brought all of them."""

    def __init__(
        self,
        model: str,
        *,
        tokenizer: str | None = None,
        dtype: str = "auto",
        seed: int | None = None,
        max_model_len: int | None = None,
        load_format: str = "auto",
        tensor_parallel_size: int = 1,
        limit_mm_per_prompt: dict[str, int] | None = None,
        enable_sleep_mode: bool = False,
        mm_processor_kwargs: dict[str, Any] | None = None,
        # Known, and without a meaning here.
        trust_remote_code: bool = False,
        skip_tokenizer_init: bool = False,
        gpu_memory_utilization: float = 0.9,
        enforce_eager: bool = False,
        distributed_executor_backend: str | None = None,
        max_num_batched_tokens: int | None = None,
        max_num_seqs: int | None = None,
        disable_log_stats: bool = True,
        disable_custom_all_reduce: bool = False,
        enable_chunked_prefill: bool | None = None,
        enable_prefix_caching: bool | None = None,
        disable_mm_preprocessor_cache: bool = False,
        mm_processor_cache_gb: float = 4,
        generation_config: str = "auto",
    ) -> None:
        if tensor_parallel_size != 1:
            raise NotImplementedError("the stand-in for vLLM knows no tensor parallelism")
        if load_format not in ("auto", "safetensors", "dummy"):
            raise ValueError(f"unknown load_format {load_format}")
        self._limits = limit_mm_per_prompt or {}
        self._seed = 0 if seed is None else seed
        self._requests = 0
        self._sleeping = False
        self._may_sleep = enable_sleep_mode
        self._processor = AutoProcessor.from_pretrained(model, **(mm_processor_kwargs or {}))
        self._tokenizer = self._processor.tokenizer
        self._prompts = PromptReader(self._processor)
        config = AutoConfig.from_pretrained(model)
        options: dict[str, Any] = {"torch_dtype": _DTYPES[dtype], "attn_implementation": "sdpa"}
        if load_format == "dummy":
            built = AutoModelForImageTextToText.from_config(config, **options)
        else:
            built = AutoModelForImageTextToText.from_pretrained(model, **options)
        self._model = built.eval()
        self._weights = Weights(built, complete=load_format != "dummy")
        self._ends = self._end_tokens(model)
        # What the folder's generation_config says besides the end tokens is not vLLM's to heed.
        self._model.generation_config = GenerationConfig()
        text = getattr(config, "text_config", None) or config
        self._length = max_model_len or text.max_position_embeddings
        # Where EasyR1's sharding manager finds the model, at vLLM's address.
        runner = SimpleNamespace(model=self._weights)
        worker = SimpleNamespace(worker=SimpleNamespace(model_runner=runner))
        self.llm_engine = SimpleNamespace(model_executor=SimpleNamespace(driver_worker=worker), list_loras=list)

    def get_tokenizer(self) -> Any:
        """The tokenizer of Hugging Face."""
        return self._tokenizer

    def sleep(self, level: int = 1) -> None:
        """No answers until `wake_up`."""
        if not self._may_sleep:
            raise ValueError("sleep mode is not enabled")
        self._sleeping = True

    def wake_up(self, tags: list[str] | None = None) -> None:
        """Answers again; with tags, once the last of vLLM's two, kv_cache, is awake."""
        if tags is None or "kv_cache" in tags:
            self._sleeping = False

    def generate(
        self,
        prompts: Any,
        sampling_params: SamplingParams | list[SamplingParams] | None = None,
        *,
        use_tqdm: bool = True,
        lora_request: Any = None,
    ) -> list[RequestOutput]:
        """One RequestOutput a prompt, in order. Raises ValueError for a prompt that is too long or lacks its images."""
        if self._sleeping:
            raise RuntimeError("the engine is asleep: wake_up comes first")
        if not self._weights.complete:
            raise RuntimeError("load_format is dummy and load_weights brought no weights")
        if lora_request is not None and any(_listed(lora_request)):
            raise NotImplementedError("the stand-in for vLLM knows no LoRA")
        requests = _listed(prompts)
        given = sampling_params or SamplingParams()
        every = given if isinstance(given, list) else [given] * len(requests)
        return [self._answer(prompt, params) for prompt, params in zip(requests, every, strict=True)]

    def _answer(self, prompt: Any, params: SamplingParams) -> RequestOutput:
        inputs = self._prompts.read(prompt, self._limits)
        length = inputs.tensors["input_ids"].shape[1]
        if length >= self._length:
            raise ValueError(f"the prompt has {length} tokens, max_model_len is {self._length}")
        self._requests += 1
        room = self._length - length
        most = room if params.max_tokens is None else min(params.max_tokens, room)
        seed = self._seed + self._requests if params.seed is None else params.seed
        with torch.inference_mode(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            ids = self._model.generate(**inputs.tensors, generation_config=self._config(params, most))
        outputs = [self._output(index, row, params) for index, row in enumerate(ids[:, length:].tolist())]
        return RequestOutput(str(self._requests - 1), inputs.text, inputs.token_ids, outputs)

    def _config(self, params: SamplingParams, most: int) -> GenerationConfig:
        ends = self._stops(params)
        sampled: dict[str, Any] = {"do_sample": False}
        if not params.greedy:
            sampled = {
                "do_sample": True,
                "temperature": params.temperature,
                "top_p": params.top_p,
                "top_k": max(params.top_k, 0),
                "num_return_sequences": params.n,
            }
        return GenerationConfig(
            max_new_tokens=most,
            eos_token_id=sorted(ends) or None,
            pad_token_id=self._tokenizer.pad_token_id if self._tokenizer.pad_token_id is not None else 0,
            sequence_bias=[[[token], float(bias)] for token, bias in (params.logit_bias or {}).items()] or None,
            suppress_tokens=self._suppressed(params),
            **sampled,
        )

    def _suppressed(self, params: SamplingParams) -> list[int] | None:
        if params.allowed_token_ids is None:
            return None
        allowed = set(params.allowed_token_ids)
        return [token for token in range(self._weights.vocabulary) if token not in allowed]

    def _stops(self, params: SamplingParams) -> set[int]:
        return (set() if params.ignore_eos else self._ends) | set(params.stop_token_ids or [])

    def _output(self, index: int, row: list[int], params: SamplingParams) -> CompletionOutput:
        ends = self._stops(params)
        end = next((place for place, token in enumerate(row) if token in ends), None)
        ids = row if end is None else row[: end + 1]
        shown = ids if end is None else row[:end]
        text = (
            self._tokenizer.decode(shown, skip_special_tokens=params.skip_special_tokens) if params.detokenize else ""
        )
        reason = "length" if end is None else "stop"
        # vLLM names a stop token of the request, and not the model's own end.
        stop = None if end is None or row[end] in self._ends else row[end]
        return CompletionOutput(index, text, ids, reason, stop)

    def _end_tokens(self, model: str) -> set[int]:
        own = GenerationConfig.from_pretrained(model).eos_token_id
        given = own if isinstance(own, list) else [own]
        return {token for token in [*given, self._tokenizer.eos_token_id] if token is not None}


def _listed(value: Any) -> list[Any]:
    if isinstance(value, str | dict):
        return [value]
    return list(value) if isinstance(value, Iterable) else [value]
