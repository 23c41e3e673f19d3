"""The stand-in teacher over real HTTP: `PYTHONPATH=trainer:infra/local python -m pytest infra/local/teacher`."""

import http.client
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from teacher.conftest import data_url, request
from teacher.faults import FaultPicker, parse_shares
from teacher.limits import Limits
from teacher.request import image_tokens


def test_it_writes_four_parts_without_digits_and_says_what_it_is(start: Any) -> None:
    status, headers, answer = start().chat()
    assert status == 200
    content = answer["choices"][0]["message"]["content"]
    assert list(json.loads(content)) == ["alignment", "fidelity", "quality", "overall"]
    assert not any(letter.isdigit() for letter in content)
    assert "nothing changed" in content
    assert answer["model"] == "stand-in-teacher"
    assert answer["system_fingerprint"] == "fp_offline_stand_in"
    assert headers["x-request-id"].startswith("req_")
    usage = answer["usage"]
    assert usage["prompt_tokens"] > 2 * 255
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


def test_asked_with_the_edit_alone_it_writes_what_the_scores_say(start: Any) -> None:
    def alone(**scores: float) -> dict[str, str]:
        messages = request(**scores)["messages"]
        text, _source, edited = messages[-1]["content"]
        messages[-1]["content"] = [text, edited]
        status, _, answer = start().chat(messages=messages)
        assert status == 200
        return json.loads(answer["choices"][0]["message"]["content"])

    good, bad = alone(alignment=5, fidelity=5, quality=5), alone(alignment=1.2, fidelity=1.4, quality=2.6)
    assert list(good) == ["alignment", "fidelity", "quality", "overall"]
    assert not any(letter.isdigit() for part in [*good.values(), *bad.values()] for letter in part)
    assert (good["fidelity"], bad["fidelity"]) == (
        "Fidelity: the rest is kept as it was.",
        "Fidelity: the rest was badly changed.",
    )
    assert bad["alignment"].endswith("so the request is ignored.")
    assert bad["quality"] == "Quality: it is clearly spoiled."


def test_its_rate_limit_headers_are_true(start: Any) -> None:
    running = start(limits=Limits(2, 10_000))
    status, headers, answer = running.chat()
    assert status == 200
    assert headers["x-ratelimit-limit-requests"] == "2"
    assert headers["x-ratelimit-remaining-requests"] == "1"
    assert int(headers["x-ratelimit-remaining-tokens"]) == pytest.approx(
        10_000 - answer["usage"]["prompt_tokens"] - 300, abs=3
    )
    assert running.chat()[0] == 200
    status, headers, answer = running.chat()
    assert status == 429
    assert answer["error"]["code"] == "rate_limit_exceeded"
    assert 25_000 < int(headers["retry-after-ms"]) <= 30_000


def test_it_checks_the_key_and_shows_health_without_one(start: Any) -> None:
    running = start()
    status, _, answer = running.send("POST", "/v1/chat/completions", request(), Authorization="Bearer wrong")
    assert (status, answer["error"]["code"]) == (401, "invalid_api_key")
    assert running.send("GET", "/v1/models", Authorization="")[0] == 401
    assert running.send("GET", "/v1/models")[2]["data"][0]["id"] == "stand-in-teacher"
    assert running.send("GET", "/healthz", Authorization="")[2] == {"status": "ok", "stand_in": True}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"messages": []}, "expected text"),
        ({"messages": [{"role": "user", "content": "Hello"}]}, "expected two images"),
        ({"messages": 7}, "messages: expected a list"),
        ({"model": None}, "model: expected a string"),
        ({"messages": request(overall=6)["messages"]}, "Ratings.overall: expected a number from 1 to 5, got 6"),
    ],
)
def test_it_refuses_what_it_does_not_understand_with_a_sentence(
    start: Any, change: dict[str, Any], sentence: str
) -> None:
    status, _, answer = start().chat(**change)
    assert status == 400
    assert sentence in answer["error"]["message"]


def test_it_refuses_pictures_that_are_no_drawn_scenes(start: Any) -> None:
    body = request()
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (56, 56, 3), dtype=np.uint8))
    for part in body["messages"][1]["content"][1:]:
        part["image_url"] = {"url": data_url(noise)}
    status, _, answer = start().chat(messages=body["messages"])
    assert status == 400
    assert "drawn scenes only" in answer["error"]["message"]


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [("rate-limit", 429, "rate_limit_exceeded"), ("quota", 429, "insufficient_quota"), ("500", 500, "server_error")],
)
def test_it_answers_with_the_error_that_was_asked_for(start: Any, fault: str, status: int, code: str) -> None:
    got, headers, answer = start(retry_after=2.0).chat(fault)
    assert (got, answer["error"]["code"]) == (status, code)
    assert headers.get("retry-after") == ("2" if fault == "rate-limit" else None)


def test_it_spoils_completions_as_asked(start: Any) -> None:
    running = start()
    choices = {
        fault: running.chat(fault)[2]["choices"][0] for fault in ("refusal", "truncated", "cut-json", "content-filter")
    }
    assert choices["refusal"]["message"]["content"] is None
    assert choices["refusal"]["message"]["refusal"].startswith("I'm sorry")
    assert choices["truncated"]["finish_reason"] == "length"
    assert choices["cut-json"]["finish_reason"] == "stop"
    assert choices["content-filter"]["finish_reason"] == "content_filter"
    for fault in ("truncated", "cut-json"):
        with pytest.raises(json.JSONDecodeError):
            json.loads(choices[fault]["message"]["content"])
    assert "choices" not in running.chat("error-body")[2]


def test_it_breaks_connections_and_keeps_silent_as_asked(start: Any) -> None:
    running = start(slow_seconds=0.3)
    with pytest.raises(http.client.IncompleteRead):
        running.chat("cut-body")
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        running.chat("reset")
    with pytest.raises(TimeoutError):
        running.chat("silence", timeout=0.5)
    with pytest.raises(TimeoutError):
        running.chat("slow", timeout=0.1)
    assert running.chat("slow")[0] == 200


def test_answers_longer_than_max_tokens_are_cut_off(start: Any) -> None:
    choice = start().chat(max_tokens=5)[2]["choices"][0]
    assert choice["finish_reason"] == "length"
    assert len(choice["message"]["content"]) <= 20


def test_shares_of_faults_are_seeded_and_checked() -> None:
    shares = parse_shares("429:0.1,500:0.05,slow:0.05")
    one, two = FaultPicker(shares, 7), FaultPicker(shares, 7)
    drawn = [one.pick(None) for _ in range(2000)]
    assert drawn == [two.pick(None) for _ in range(2000)]
    assert 0.08 < drawn.count("rate-limit") / 2000 < 0.12
    assert 0.03 < drawn.count("slow") / 2000 < 0.07
    for wrong in ("fire:0.1", "429:0.9,500:0.2", "429:-1"):
        with pytest.raises(ValueError, match="--faults: expected"):
            parse_shares(wrong)


def test_the_journal_names_each_request_and_what_was_charged(start: Any, tmp_path: Path) -> None:
    running = start(journal=tmp_path / "journal.jsonl")
    running.send("POST", "/v1/chat/completions", request(), Idempotency_Key="abc")
    running.chat("500")
    lines = [json.loads(line) for line in (tmp_path / "journal.jsonl").read_text().splitlines()]
    assert [(line["key"], line["status"]) for line in lines] == [("abc", 200), (None, 500)]
    assert lines[0]["completion_tokens"] > 0
    assert lines[1]["completion_tokens"] == 0


@pytest.mark.parametrize(
    ("width", "height", "detail", "tokens"),
    [(56, 56, "high", 255), (1024, 1024, "high", 765), (2048, 4096, "high", 1105), (4096, 8192, "low", 85)],
)
def test_image_tokens_follow_the_published_rule(width: int, height: int, detail: str, tokens: int) -> None:
    assert image_tokens(width, height, detail) == tokens
