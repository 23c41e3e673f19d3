"""Server: /v1/chat/completions, /v1/files, /v1/batches, /v1/models and /healthz, one thread a connection.

Every answer says what it is: `model` is `stand-in-teacher` whatever was asked for, `system_fingerprint` is
`fp_offline_stand_in`.
"""

import json
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .batches import Batches, BatchFaults
from .completion import MODEL, make_completion
from .faults import FaultPicker
from .files import Files, NotFoundError
from .limits import Limits
from .request import BadRequestError, Question, read_question

MAX_BODY = 64 * 1024 * 1024
#: A batch's file may have 200 MB; the rest is its multipart frame.
MAX_FILE = 201_000_000
#: How long a request that is never answered is held, if the caller does not give up before.
SILENCE_SECONDS = 3600.0


@dataclass
class Settings:
    """What the server needs to know. `journal` gets one JSON line for each chat request and each line of a batch."""

    key: str
    faults: FaultPicker
    limits: Limits
    retry_after: float = 1.0
    slow_seconds: float = 5.0
    latency_seconds: float = 0.0
    batches: BatchFaults = field(default_factory=BatchFaults)
    journal: Path | None = None
    journal_lock: threading.Lock = field(default_factory=threading.Lock)
    stopping: threading.Event = field(default_factory=threading.Event)


class TeacherServer(ThreadingHTTPServer):
    """Threads end with the process: a request that is never answered must not hold it."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], settings: Settings) -> None:
        self.settings = settings
        self.files = Files()
        self.batches = Batches(self.files, settings.batches, settings.faults, settings.stopping, self.note)
        super().__init__(address, Handler)

    def note(self, line: dict[str, Any]) -> None:
        """One line of the journal, if there is one."""
        if self.settings.journal is None:
            return
        with self.settings.journal_lock, self.settings.journal.open("a") as file:
            file.write(json.dumps({"time": time.time()} | line) + "\n")

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
        """Health, the list of models, files and batches."""
        where = urlsplit(self.path)
        if where.path == "/healthz":
            return self._send(200, {"status": "ok", "stand_in": True})
        if not self._authorised():
            return None
        query = {name: values[0] for name, values in parse_qs(where.query).items()}
        match where.path.removeprefix("/v1/").split("/"):
            case ["models"]:
                model = {"id": MODEL, "object": "model", "created": 0, "owned_by": "offline stand-in"}
                return self._send(200, {"object": "list", "data": [model]})
            case ["files"]:
                return self._found(lambda: self.server.files.page(query))
            case ["files", name]:
                return self._found(lambda: self.server.files.get(name).shown())
            case ["files", name, "content"]:
                return self._found(lambda: self.server.files.get(name).content)
            case ["batches"]:
                return self._found(lambda: self.server.batches.page(query))
            case ["batches", name]:
                return self._found(lambda: self.server.batches.get(name))
        return self._no_such_path()

    def do_DELETE(self) -> None:
        """A file."""
        match self.path.removeprefix("/v1/").split("/"):
            case ["files", name] if self._authorised():
                self._found(lambda: self.server.files.delete(name))
            case ["files", _]:
                return
            case _:
                self._no_such_path()

    def do_POST(self) -> None:
        """A chat completion, a file, a batch."""
        length = int(self.headers.get("Content-Length") or 0)
        limit = MAX_FILE if self.path == "/v1/files" else MAX_BODY
        if length > limit:
            self.close_connection = True
            return self._send_error(413, "too_large", f"expected at most {limit} bytes")
        body = self.rfile.read(length)
        if not self._authorised():
            return None
        try:
            match self.path.removeprefix("/v1/").split("/"):
                case ["chat", "completions"]:
                    fault = self.server.settings.faults.pick(self.headers.get("X-Teacher-Fault"))
                    return self._complete(read_question(body), fault)
                case ["files"]:
                    return self._send(200, self.server.files.upload(body, self.headers.get("Content-Type") or ""))
                case ["batches"]:
                    return self._found(lambda: self.server.batches.create(body))
                case ["batches", name, "cancel"]:
                    return self._found(lambda: self.server.batches.cancel(name))
        except BadRequestError as error:
            return self._send_error(400, "invalid_request", str(error))
        except ValueError as error:
            return self._send_error(400, "unknown_fault", str(error))
        return self._no_such_path()

    def _found(self, look: Callable[[], Any]) -> None:
        """Sends what `look` finds: bytes as they are, all else as JSON."""
        try:
            found = look()
        except NotFoundError as error:
            return self._send_error(404, "not_found", str(error))
        return self._send(200, found)

    def _no_such_path(self) -> None:
        self._send_error(404, "not_found", f"no such path: {self.path}")

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
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/octet-stream" if value is body else "application/json")
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
        self.server.note(
            {
                "key": self.headers.get("Idempotency-Key"),
                "status": status,
                "prompt_tokens": question.prompt_tokens(),
                "completion_tokens": tokens,
            }
        )

    def log_message(self, *_: Any) -> None:
        """Quiet: requests are counted in the journal, not printed."""
