"""Server: /v1/chat/completions, /v1/models and /healthz, one thread a connection.

Every answer says what it is: `model` is `stand-in-teacher` whatever was asked for, `system_fingerprint` is
`fp_offline_stand_in`.
"""

import json
import threading
import time
import uuid
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from .answer import write_critique
from .faults import FaultPicker
from .limits import Limits
from .request import BadRequestError, Question, read_question

MODEL = "stand-in-teacher"
FINGERPRINT = "fp_offline_stand_in"
MAX_BODY = 64 * 1024 * 1024
#: How long a request that is never answered is held, if the caller does not give up before.
SILENCE_SECONDS = 3600.0


@dataclass
class Settings:
    """What the server needs to know. `journal` gets one JSON line for each chat request."""

    key: str
    faults: FaultPicker
    limits: Limits
    retry_after: float = 1.0
    slow_seconds: float = 5.0
    latency_seconds: float = 0.0
    journal: Path | None = None
    journal_lock: threading.Lock = field(default_factory=threading.Lock)
    stopping: threading.Event = field(default_factory=threading.Event)


class TeacherServer(ThreadingHTTPServer):
    """Threads end with the process: a request that is never answered must not hold it."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], settings: Settings) -> None:
        self.settings = settings
        super().__init__(address, Handler)

    def shutdown(self) -> None:
        """Also ends requests that are held on purpose."""
        self.settings.stopping.set()
        super().shutdown()


def make_server(host: str, port: int, settings: Settings) -> TeacherServer:
    """A bound server, not yet serving."""
    if not settings.key:
        raise ValueError("the key file is empty")
    return TeacherServer((host, port), settings)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: TeacherServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Health and the list of models."""
        if self.path == "/healthz":
            self._send(200, {"status": "ok", "stand_in": True})
        elif not self._authorised():
            return
        elif self.path == "/v1/models":
            model = {"id": MODEL, "object": "model", "created": 0, "owned_by": "offline stand-in"}
            self._send(200, {"object": "list", "data": [model]})
        else:
            self._send_error(404, "not_found", f"no such path: {self.path}")

    def do_POST(self) -> None:
        """A chat completion."""
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BODY:
            self.close_connection = True
            return self._send_error(413, "too_large", f"expected at most {MAX_BODY} bytes")
        body = self.rfile.read(length)
        if not self._authorised():
            return None
        if self.path != "/v1/chat/completions":
            return self._send_error(404, "not_found", f"no such path: {self.path}")
        try:
            fault = self.server.settings.faults.pick(self.headers.get("X-Teacher-Fault"))
            return self._complete(read_question(body), fault)
        except BadRequestError as error:
            return self._send_error(400, "invalid_request", str(error))
        except ValueError as error:
            return self._send_error(400, "unknown_fault", str(error))

    def _complete(self, question: Question, fault: str | None) -> None:
        settings = self.server.settings
        wait, limits = settings.limits.admit(question.prompt_tokens() + question.max_tokens)
        if wait > 0:
            self._note(question, 429, 0)
            return self._refuse_rate(max(0.001, wait), limits)
        settings.stopping.wait(settings.latency_seconds + (settings.slow_seconds if fault == "slow" else 0))
        match fault:
            case "rate-limit":
                self._note(question, 429, 0)
                return self._refuse_rate(settings.retry_after, limits)
            case "quota":
                self._note(question, 429, 0)
                return self._send_error(429, "insufficient_quota", "You exceeded your current quota.", limits)
            case "server-error":
                self._note(question, 500, 0)
                return self._send_error(500, "server_error", "The server had an error (asked for).", limits)
            case "reset":
                self.close_connection = True
                return self._note(question, 0, 0)
            case "silence":
                self._note(question, 0, 0)
                settings.stopping.wait(SILENCE_SECONDS)
                self.close_connection = True
                return None
            case "error-body":
                self._note(question, 200, 0)
                error = {"message": "upstream failed (asked for)", "type": "server_error", "code": None, "param": None}
                return self._send(200, {"error": error}, limits)
        completion = make_completion(question, fault)
        self._note(question, 200, completion["usage"]["completion_tokens"])
        return self._send(200, completion, limits, cut=fault == "cut-body")

    def _refuse_rate(self, wait: float, headers: dict[str, str]) -> None:
        stated = {"retry-after": str(max(1, round(wait))), "retry-after-ms": str(round(wait * 1000))}
        self._send_error(429, "rate_limit_exceeded", f"Rate limit reached. Try again in {wait:.3f}s.", headers | stated)

    def _authorised(self) -> bool:
        if self.headers.get("Authorization") == f"Bearer {self.server.settings.key}":
            return True
        self._send_error(401, "invalid_api_key", "Incorrect API key provided.")
        return False

    def _send_error(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        kind = (
            "insufficient_quota" if code == "insufficient_quota" else "invalid_request_error" if status < 429 else code
        )
        self._send(status, {"error": {"message": message, "type": kind, "param": None, "code": code}}, headers)

    def _send(self, status: int, value: Any, headers: dict[str, str] | None = None, *, cut: bool = False) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-request-id", f"req_{uuid.uuid4().hex}")
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        self.end_headers()
        if cut:
            self.close_connection = True
            body = body[: len(body) // 2]
        try:
            self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _note(self, question: Question, status: int, tokens: int) -> None:
        journal = self.server.settings.journal
        if journal is None:
            return
        line = {
            "time": time.time(),
            "key": self.headers.get("Idempotency-Key"),
            "status": status,
            "prompt_tokens": question.prompt_tokens(),
            "completion_tokens": tokens,
        }
        with self.server.settings.journal_lock, journal.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def log_message(self, *_: Any) -> None:
        """Quiet: requests are counted in the journal, not printed."""


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
