"""SamplingParams: the fields of vLLM's that its users here set. An unknown one is a TypeError, as in vLLM."""

from dataclasses import dataclass, field

_GREEDY_BELOW = 1e-5


@dataclass
class SamplingParams:
    """How to sample. `temperature` 0 is greedy; `top_k` -1 or 0 and `top_p` 1 cut nothing."""

    n: int = 1
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = -1
    min_p: float = 0.0
    seed: int | None = None
    max_tokens: int | None = 16
    min_tokens: int = 0
    ignore_eos: bool = False
    stop_token_ids: list[int] | None = None
    logit_bias: dict[int, float] | None = None
    detokenize: bool = True
    skip_special_tokens: bool = True
    logprobs: int | None = None
    allowed_token_ids: list[int] | None = None
    extra_args: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.n < 1 or self.temperature < 0 or not 0 < self.top_p <= 1:
            raise ValueError(f"SamplingParams: n {self.n}, temperature {self.temperature}, top_p {self.top_p}")
        if self.max_tokens is not None and self.max_tokens < 1:
            raise ValueError(f"SamplingParams: max_tokens must be at least 1, got {self.max_tokens}")
        if self.logprobs is not None or self.min_p or self.min_tokens or self.extra_args:
            raise NotImplementedError("the stand-in for vLLM has no logprobs, min_p, min_tokens and extra_args")
        if self.temperature < _GREEDY_BELOW and self.n > 1:
            raise ValueError(f"n must be 1 when using greedy sampling, got {self.n}.")

    @property
    def greedy(self) -> bool:
        """Is the likeliest token taken each time?"""
        return self.temperature < _GREEDY_BELOW
