"""Batches: many requests in one file, answered one after the other by the code that answers chat requests.

In memory only: a restart of the stand-in forgets them. Statuses, fields and lines are those of OpenAI's API reference.
"""

import json
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .completion import answer_line
from .faults import FaultPicker
from .files import Files, NotFoundError, make_page
from .request import BadRequestError, read_question

ENDPOINT = "/v1/chat/completions"
MAX_REQUESTS = 50_000
MAX_BYTES = 200_000_000
DAY = 24 * 60 * 60
OVER = ("failed", "completed", "expired", "cancelled")


@dataclass(frozen=True)
class BatchFaults:
    """How batches behave. Each takes at least `seconds`. `queue_tokens`: most prompt tokens in all batches at once."""

    seconds: float = 0.0
    queue_tokens: int | None = None
    #: Rows after which every batch expires.
    expire_after: int | None = None
    #: Code with which every batch fails its validation.
    fail_code: str | None = None


@dataclass
class Batch:
    """One batch. Its own thread writes `status`, except `cancelling`."""

    input_file_id: str
    metadata: dict[str, str]
    lines: list[dict[str, Any]] = field(default_factory=list)
    tokens: int = 0
    status: str = "validating"
    errors: list[dict[str, Any]] = field(default_factory=list)
    completed: int = 0
    failed: int = 0
    output_file_id: str | None = None
    error_file_id: str | None = None
    id: str = field(default_factory=lambda: f"batch_{uuid.uuid4().hex}")
    created_at: int = field(default_factory=lambda: int(time.time()))

    def shown(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": ENDPOINT,
            "errors": {"object": "list", "data": self.errors} if self.errors else None,
            "input_file_id": self.input_file_id,
            "completion_window": "24h",
            "status": self.status,
            "output_file_id": self.output_file_id,
            "error_file_id": self.error_file_id,
            "created_at": self.created_at,
            "expires_at": self.created_at + DAY,
            "request_counts": {"total": len(self.lines), "completed": self.completed, "failed": self.failed},
            "metadata": self.metadata,
        }


class Batches:
    """All batches, newest last."""

    def __init__(
        self,
        files: Files,
        faults: BatchFaults,
        picker: FaultPicker,
        stopping: threading.Event,
        note: Callable[[dict[str, Any]], None],
    ) -> None:
        self._files = files
        self._faults = faults
        self._picker = picker
        self._stopping = stopping
        self._note = note
        self._batches: dict[str, Batch] = {}
        self._lock = threading.Lock()

    def create(self, body: bytes) -> dict[str, Any]:
        """Makes a batch of an uploaded file and starts it. Only its status tells whether the file is good."""
        asked = _load_object(body, "body")
        file, endpoint, window = (asked.get(name) for name in ("input_file_id", "endpoint", "completion_window"))
        if not isinstance(file, str) or endpoint != ENDPOINT or window != "24h":
            raise BadRequestError(f"expected input_file_id, endpoint {ENDPOINT} and completion_window 24h")
        content = self._files.get(file).content
        batch = Batch(file, asked.get("metadata") or {})
        with self._lock:
            self._batches[batch.id] = batch
        threading.Thread(target=self._run, args=(batch, content), daemon=True).start()
        return batch.shown()

    def get(self, name: str) -> dict[str, Any]:
        """The batch of this id. Raises NotFoundError."""
        return self._find(name).shown()

    def cancel(self, name: str) -> dict[str, Any]:
        """Asks for the end of a batch. Raises BadRequestError if it is over."""
        batch = self._find(name)
        with self._lock:
            if batch.status in OVER:
                raise BadRequestError(f"cannot cancel a batch with status {batch.status!r}")
            batch.status = "cancelling"
        return batch.shown()

    def page(self, query: dict[str, str]) -> dict[str, Any]:
        """Newest first."""
        with self._lock:
            rows = [batch.shown() for batch in reversed(self._batches.values())]
        return make_page(rows, query)

    def _find(self, name: str) -> Batch:
        with self._lock:
            batch = self._batches.get(name)
        if batch is None:
            raise NotFoundError(f"no such batch: {name}")
        return batch

    def _run(self, batch: Batch, content: bytes) -> None:
        """A batch's life, in a thread of its own."""
        self._validate(batch, content)
        if not self._go_on(batch, "in_progress"):
            return
        self._stopping.wait(self._faults.seconds)
        results: list[dict[str, Any]] = []
        limit = self._faults.expire_after
        for line in batch.lines if limit is None else batch.lines[:limit]:
            if batch.status == "cancelling" or self._stopping.is_set():
                break
            results.append(self._answer(batch, line))
        if len(results) == len(batch.lines):
            end, code = "completed", ""
        elif batch.status == "cancelling":
            end, code = "cancelled", "batch_cancelled"
        else:
            end, code = "expired", "batch_expired"
        for line in batch.lines[len(results) :]:
            error = {"code": code, "message": "This request was not executed."}
            results.append({"id": _line_id(), "custom_id": line["custom_id"], "response": None, "error": error})
        self._write(batch, results)
        with self._lock:
            batch.status = end

    def _validate(self, batch: Batch, content: bytes) -> None:
        """Reads the lines; what is wrong with them goes into `errors`."""
        try:
            lines = read_lines(content)
            tokens = sum(read_question(json.dumps(line["body"]).encode()).prompt_tokens() for line in lines)
        except BadRequestError as error:
            batch.errors = [{"code": "invalid_request", "message": str(error), "line": None, "param": None}]
            return
        code = self._faults.fail_code
        with self._lock:
            standing = sum(one.tokens for one in self._batches.values() if one.status not in OVER)
            limit = self._faults.queue_tokens
            if limit is not None and standing + tokens > limit:
                code = code or "token_limit_exceeded"
            batch.lines = lines
            batch.tokens = 0 if code else tokens
        if code:
            batch.errors = [{"code": code, "message": f"failed (asked for): {code}", "line": None, "param": None}]

    def _go_on(self, batch: Batch, status: str) -> bool:
        """From validating to `status`, or to failed; a batch that is being cancelled stays so."""
        with self._lock:
            if batch.errors:
                batch.status = "failed"
            elif batch.status == "validating":
                batch.status = status
            return batch.status != "failed"

    def _answer(self, batch: Batch, line: dict[str, Any]) -> dict[str, Any]:
        status, body, question = answer_line(line["body"], self._picker.pick(None))
        tokens = body.get("usage", {}).get("completion_tokens", 0)
        if status == 200:
            batch.completed += 1
        else:
            batch.failed += 1
        self._note(
            {
                "key": line["custom_id"],
                "batch": batch.id,
                "status": status,
                "prompt_tokens": question.prompt_tokens() if question else 0,
                "completion_tokens": tokens,
            }
        )
        response = {"status_code": status, "request_id": f"req_{uuid.uuid4().hex}", "body": body}
        return {"id": _line_id(), "custom_id": line["custom_id"], "response": response, "error": None}

    def _write(self, batch: Batch, results: list[dict[str, Any]]) -> None:
        good, bad = [], []
        for one in results:
            response = one["response"]
            (good if response is not None and response["status_code"] == 200 else bad).append(one)
        if good:
            batch.output_file_id = self._files.store(f"{batch.id}_output.jsonl", "batch_output", _jsonl(good)).id
        if bad:
            batch.error_file_id = self._files.store(f"{batch.id}_error.jsonl", "batch_output", _jsonl(bad)).id


def read_lines(content: bytes) -> list[dict[str, Any]]:
    """The requests of a batch's file. Raises BadRequestError that names the line."""
    if len(content) > MAX_BYTES:
        raise BadRequestError(f"expected at most {MAX_BYTES} bytes, got {len(content)}")
    lines = [
        _load_object(text, f"line {number}") for number, text in enumerate(content.splitlines(), 1) if text.strip()
    ]
    if not 1 <= len(lines) <= MAX_REQUESTS:
        raise BadRequestError(f"expected 1 to {MAX_REQUESTS} requests, got {len(lines)}")
    for number, line in enumerate(lines, 1):
        if not isinstance(line.get("custom_id"), str) or line.get("method") != "POST" or line.get("url") != ENDPOINT:
            raise BadRequestError(f"line {number}: expected custom_id, method POST and url {ENDPOINT}")
    if len({line["custom_id"] for line in lines}) < len(lines):
        raise BadRequestError("expected each custom_id once")
    return lines


def _load_object(text: bytes, name: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise BadRequestError(f"{name}: expected JSON ({error})") from error
    if not isinstance(value, dict):
        raise BadRequestError(f"{name}: expected a JSON object")
    return value


def _jsonl(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def _line_id() -> str:
    return f"batch_req_{uuid.uuid4().hex}"
