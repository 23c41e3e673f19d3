"""What `LLM.generate` answers, under vLLM's names."""

from dataclasses import dataclass


@dataclass
class CompletionOutput:
    """One answer. `token_ids` includes the end token. `finish_reason`: "stop" or "length"."""

    index: int
    text: str
    token_ids: list[int]
    finish_reason: str
    stop_reason: int | None = None
    cumulative_logprob: None = None
    logprobs: None = None


@dataclass
class RequestOutput:
    """One prompt's answers, `n` of them."""

    request_id: str
    prompt: str | None
    prompt_token_ids: list[int]
    outputs: list[CompletionOutput]
    finished: bool = True
