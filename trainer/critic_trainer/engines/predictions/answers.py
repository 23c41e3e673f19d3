"""Answers as predictions.jsonl has them, whichever engine gave them."""

from collections.abc import Collection
from typing import Any

Answer = dict[str, Any]
"""`text`: prefill and what was generated, without special tokens. `tokens`: what was generated, its end included."""
Answers = dict[str, Any]
"""Of one row: `greedy` and `sampled`, and with several samples the list `samples`, of which `sampled` is the first."""


def answer_of(greedy: Answer, sampled: list[Answer]) -> Answers:
    """A row's answers."""
    whole: Answers = {"greedy": greedy, "sampled": sampled[0]}
    return whole if len(sampled) == 1 else whole | {"samples": sampled}


def decoded(tokenizer: Any, ids: list[int], ends: Collection[int], prefill: str) -> Answer:
    """The answer that these generated token ids are, up to the first that ends it. TRL counts tokens alike."""
    end = next((index for index, token in enumerate(ids) if token in ends), None)
    text = prefill + tokenizer.decode(ids[:end], skip_special_tokens=True)
    return {"text": text, "tokens": len(ids) if end is None else end + 1}
