"""Files and batches of the stand-in over real HTTP."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from teacher.batches import BatchFaults
from teacher.conftest import Running, request
from teacher.faults import FaultPicker

BOUNDARY = "a-boundary"


def upload(running: Running, content: bytes, filename: str = "shard.jsonl") -> Any:
    """Uploads a file as the openai package does; the file as the API shows it."""
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--{BOUNDARY}\r\n'
    head += f'Content-Disposition: form-data; name="file"; filename="{filename}"\r\n\r\n'
    body = head.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    status, _, file = running.send("POST", "/v1/files", body, Content_Type=kind)
    assert status == 200, file
    return file


def lines(count: int) -> bytes:
    """A file of `count` good requests."""
    rows = (
        {"custom_id": f"k{number}", "method": "POST", "url": "/v1/chat/completions", "body": request()}
        for number in range(count)
    )
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def create(running: Running, file: str, **changes: Any) -> tuple[int, Any]:
    asked = {
        "input_file_id": file,
        "endpoint": "/v1/chat/completions",
        "completion_window": "24h",
        "metadata": {"critic_shard": "one"},
    }
    status, _, batch = running.send("POST", "/v1/batches", asked | changes)
    return status, batch


def finish(running: Running, batch: Any) -> Any:
    """The batch once it is over."""
    for _ in range(500):
        shown = running.send("GET", f"/v1/batches/{batch['id']}")[2]
        if shown["status"] in ("completed", "failed", "expired", "cancelled"):
            return shown
        time.sleep(0.02)
    raise AssertionError("the batch never ended")


def results(running: Running, file: str | None) -> list[Any]:
    """The rows of an output or error file; none if there is no file."""
    if file is None:
        return []
    return [json.loads(line) for line in running.send("GET", f"/v1/files/{file}/content")[2].splitlines()]


def test_files_are_kept_listed_and_deleted(start: Any) -> None:
    running = start()
    content = b'{"a": "\r\n--not-the-boundary"}\r\n'
    files = [upload(running, content, f"{name}.jsonl") for name in "abc"]
    assert files[0] | {"id": "", "created_at": 0} == {
        "id": "",
        "object": "file",
        "bytes": len(content),
        "created_at": 0,
        "filename": "a.jsonl",
        "purpose": "batch",
        "status": "processed",
    }
    assert running.send("GET", f"/v1/files/{files[1]['id']}/content")[2] == content
    first = running.send("GET", "/v1/files?purpose=batch&limit=2")[2]
    assert ([file["filename"] for file in first["data"]], first["has_more"]) == (["c.jsonl", "b.jsonl"], True)
    rest = running.send("GET", f"/v1/files?purpose=batch&limit=2&after={first['data'][1]['id']}")[2]
    assert ([file["filename"] for file in rest["data"]], rest["has_more"]) == (["a.jsonl"], False)
    assert running.send("DELETE", f"/v1/files/{files[1]['id']}")[2]["deleted"]
    assert running.send("GET", f"/v1/files/{files[1]['id']}")[0] == 404
    assert running.send("DELETE", f"/v1/files/{files[0]['id']}", Authorization="Bearer wrong")[0] == 401


def test_a_batch_answers_every_line_as_a_chat_request(start: Any, tmp_path: Path) -> None:
    running = start(journal=tmp_path / "journal.jsonl")
    file = upload(running, lines(3))
    status, batch = create(running, file["id"])
    assert (status, batch["metadata"], batch["input_file_id"]) == (200, {"critic_shard": "one"}, file["id"])
    over = finish(running, batch)
    assert over["status"] == "completed"
    assert over["request_counts"] == {"total": 3, "completed": 3, "failed": 0}
    rows = results(running, over["output_file_id"])
    assert [row["custom_id"] for row in rows] == ["k0", "k1", "k2"]
    body = rows[0]["response"]["body"]
    assert body["model"] == "stand-in-teacher"
    assert body["choices"] == running.chat()[2]["choices"]
    assert over["error_file_id"] is None
    assert running.send("GET", "/v1/batches?limit=1")[2]["data"] == [over]
    journal = [json.loads(line) for line in (tmp_path / "journal.jsonl").read_text().splitlines()]
    assert [(line["key"], line.get("batch")) for line in journal[:3]] == [(f"k{n}", batch["id"]) for n in range(3)]


def test_lines_that_go_wrong_are_in_the_error_file(start: Any) -> None:
    running = start(faults=FaultPicker({"server-error": 0.5, "refusal": 0.2}, 3))
    over = finish(running, create(running, upload(running, lines(20))["id"])[1])
    good, bad = results(running, over["output_file_id"]), results(running, over["error_file_id"])
    assert len(good) + len(bad) == 20
    assert over["request_counts"] == {"total": 20, "completed": len(good), "failed": len(bad)}
    assert {row["response"]["status_code"] for row in bad} == {500}
    assert any(row["response"]["body"]["choices"][0]["message"]["refusal"] for row in good)


def test_a_batch_may_expire_after_some_rows(start: Any) -> None:
    running = start(batches=BatchFaults(expire_after=2))
    over = finish(running, create(running, upload(running, lines(5))["id"])[1])
    assert over["status"] == "expired"
    assert [row["custom_id"] for row in results(running, over["output_file_id"])] == ["k0", "k1"]
    errors = results(running, over["error_file_id"])
    assert [(row["custom_id"], row["response"], row["error"]["code"]) for row in errors] == [
        (f"k{number}", None, "batch_expired") for number in (2, 3, 4)
    ]


def test_a_cancelled_batch_says_what_it_did_not_do(start: Any) -> None:
    running = start(batches=BatchFaults(seconds=0.5))
    batch = create(running, upload(running, lines(3))["id"])[1]
    assert running.send("POST", f"/v1/batches/{batch['id']}/cancel")[2]["status"] == "cancelling"
    over = finish(running, batch)
    assert (over["status"], over["output_file_id"]) == ("cancelled", None)
    assert {row["error"]["code"] for row in results(running, over["error_file_id"])} == {"batch_cancelled"}
    assert running.send("POST", f"/v1/batches/{batch['id']}/cancel")[0] == 400


def test_the_queue_takes_only_so_many_prompt_tokens(start: Any) -> None:
    running = start(batches=BatchFaults(seconds=0.5, queue_tokens=5000))
    first = create(running, upload(running, lines(6))["id"])[1]
    second = create(running, upload(running, lines(6))["id"])[1]
    refused = finish(running, second)
    assert refused["status"] == "failed"
    assert refused["errors"]["data"][0]["code"] == "token_limit_exceeded"
    assert finish(running, first)["status"] == "completed"
    assert finish(running, create(running, upload(running, lines(6))["id"])[1])["status"] == "completed"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "expected 1 to 50000 requests, got 0"),
        (b"no json\n", "line 1: expected JSON"),
        (lines(1) + lines(1), "each custom_id once"),
        (lines(1).replace(b"/v1/chat/completions", b"/v1/other"), "url /v1/chat/completions"),
        (lines(1).replace(b"Ratings", b"Marks"), "expected a line 'Ratings"),
    ],
)
def test_a_file_that_is_no_batch_fails_validation(start: Any, content: bytes, sentence: str) -> None:
    running = start()
    over = finish(running, create(running, upload(running, content)["id"])[1])
    if over["status"] == "completed":
        assert sentence in results(running, over["error_file_id"])[0]["response"]["body"]["error"]["message"]
    else:
        assert sentence in over["errors"]["data"][0]["message"]


def test_validation_fails_with_the_code_that_was_asked_for(start: Any) -> None:
    running = start(batches=BatchFaults(fail_code="billing_hard_limit_reached"))
    over = finish(running, create(running, upload(running, lines(1))["id"])[1])
    assert (over["status"], over["errors"]["data"][0]["code"]) == ("failed", "billing_hard_limit_reached")


def test_what_is_not_there_is_not_found_and_what_is_no_batch_is_refused(start: Any) -> None:
    running = start()
    assert create(running, "file-none")[0] == 404
    assert running.send("GET", "/v1/batches/none")[0] == 404
    assert running.send("POST", "/v1/batches/none/cancel")[0] == 404
    file = upload(running, lines(1))["id"]
    assert create(running, file, completion_window="1h")[0] == 400
    assert running.send("POST", "/v1/files", b"{}", Content_Type="application/json")[0] == 400
