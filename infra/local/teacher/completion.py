"""Completion: what the stand-in answers to a question, alone or as a line of a batch. It says what it is."""

import json
import time
import uuid
from typing import Any

from .answer import write_critique
from .request import BadRequestError, Question, read_question

MODEL = "stand-in-teacher"
FINGERPRINT = "fp_offline_stand_in"


def make_completion(question: Question, fault: str | None) -> dict[str, Any]:
    """The completion, spoiled as `fault` asks."""
    content: str | None = json.dumps(write_critique(question))
    tokens = max(1, len(content or "") // 4)
    finish, refusal = "stop", None
    if tokens > question.max_tokens or fault == "truncated":
        finish = "length"
        tokens = min(tokens // 2, question.max_tokens)
        content = (content or "")[: tokens * 4]
    elif fault == "cut-json":
        content = (content or "")[: tokens * 2]
    elif fault == "refusal":
        content, refusal = None, "I'm sorry, but I can't assist with that."
    elif fault == "content-filter":
        content, finish = None, "content_filter"
    prompt = question.prompt_tokens()
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": MODEL,
        "system_fingerprint": FINGERPRINT,
        "choices": [
            {
                "index": 0,
                "finish_reason": finish,
                "logprobs": None,
                "message": {"role": "assistant", "content": content, "refusal": refusal},
            }
        ],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": tokens,
            "total_tokens": prompt + tokens,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        },
    }


def answer_line(body: Any, fault: str | None) -> tuple[int, dict[str, Any], Question | None]:
    """Status and body of a batch's line. What breaks a connection for a chat request is a 500 here: there is none."""
    try:
        question = read_question(json.dumps(body).encode())
        match fault:
            case "rate-limit":
                return 429, error("rate_limit_exceeded", "Rate limit reached (asked for)."), question
            case "quota":
                return 429, error("insufficient_quota", "You exceeded your current quota."), question
            case "server-error" | "reset" | "silence" | "cut-body":
                return 500, error("server_error", "The server had an error (asked for)."), question
            case "error-body":
                return 200, error("server_error", "upstream failed (asked for)"), question
        return 200, make_completion(question, fault), question
    except BadRequestError as problem:
        return 400, error("invalid_request", str(problem)), None


def error(code: str, message: str) -> dict[str, Any]:
    """An error as the API words it."""
    return {"error": {"message": message, "type": code, "param": None, "code": code}}
