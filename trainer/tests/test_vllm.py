"""Predictions by vLLM's engine, on the stand-in for vLLM (tests/easyr1/standins): not tested on vLLM itself."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import PAIRS, MakeAttempt, lines
from test_shared_rows import HERE, STOPS_BOTH_IN_THEIR_SECOND, file_of, run, run_in

from critic_trainer import failures
from critic_trainer.attempt.manifest import read_attempt
from critic_trainer.engines import ENGINES, engine_for
from critic_trainer.engines.checking import check_all

STANDINS = Path(__file__).parents[2] / "tests" / "easyr1" / "standins"
VLLM = {"engine": {"name": "vllm", "versions": {}}}


def test_the_stand_in_answers_as_transformers_does_at_any_number_of_processes_and_after_a_stop(
    make_attempt: MakeAttempt,
) -> None:
    small: dict[str, Any] = {"batch_size": 2, "max_prompt_length": 500, "gpu_memory_utilization": 0.5}

    def make(name: str, processes: int = 1, resume_from: Path | None = None, **params: Any) -> Path:
        given = small | params | ({} if processes == 1 else {"processes": processes})
        return make_attempt("predict", name, params=given, resume_from=resume_from, **VLLM)

    one, three, stopped = make("one"), make("three", 3), make("stopped", 2)
    resumed = make("resumed", 3, stopped / "checkpoints" / "checkpoint-8")
    several, filled = make("several", samples=3), make("filled", prefill="<think>")
    short, long = make("short", max_prompt_length=5), make("long", max_new_tokens=40)
    codes = run_in(
        "vllm",
        (one, 1, []),
        (three, 3, []),
        (stopped, 2, STOPS_BOTH_IN_THEIR_SECOND),
        (resumed, 3, []),
        (several, 1, []),
        (filled, 1, []),
        (short, 1, []),
        (long, 1, []),
        path=str(STANDINS),
    )
    assert codes == [[0], [0, 0, 0], [failures.CHECKPOINTED, 0], [0, 0, 0], [0], [0], [failures.BAD_DATA], [0]]
    assert file_of(one) == file_of(three) == file_of(resumed)
    rows = {folder.name: lines(folder / "output" / "predictions.jsonl") for folder in (one, several, filled, long)}
    assert [row["id"] for row in rows["one"]] == [f"p{index}" for index in range(PAIRS)]
    assert "rows p0 to p1: vLLM takes no such prompts" in (short / "rank-0.log").read_text()
    for row in rows["several"]:
        assert (len(row["samples"]), row["samples"][0]) == (3, row["sampled"])
        assert row["samples"][0] != row["samples"][1]
    assert rows["several"][0]["samples"] != rows["several"][1]["samples"], "each row has a seed of its own"
    assert all(row[way]["text"].startswith("<think>") for row in rows["filled"] for way in ("greedy", "sampled"))
    settings = json.loads((three / "work" / "vllm.json").read_text())
    assert (settings["max_model_len"], settings["gpu_memory_utilization"]) == (506, 0.5)

    plain, prefilled = make_attempt("predict", "plain"), make_attempt("predict", "p2", params={"prefill": "<think>"})
    wordy = make_attempt("predict", "wordy", params={"max_new_tokens": 40})
    assert run((plain, 1, []), (prefilled, 1, []), (wordy, 1, [])) == [[0], [0], [0]]
    for ours, theirs in ((one, plain), (filled, prefilled), (long, wordy)):
        pairs = zip(rows[ours.name], lines(theirs / "output" / "predictions.jsonl"), strict=True)
        assert [our["greedy"] == their["greedy"] for our, their in pairs] == [True] * PAIRS


REFUSED = """
import sys, types
from conftest import PROMPT
class VLLMClientError(Exception): pass
sys.modules["vllm.exceptions"] = types.SimpleNamespace(VLLMClientError=VLLMClientError)
from critic_trainer.engines.predictions.with_vllm import VllmAnswerer
from critic_trainer.failures import BadDataError
from critic_trainer.inputs.rows import PromptRow
class Refusing:
    def generate(self, *_, **__): raise VLLMClientError("longer than the maximum model length")
answerer = object.__new__(VllmAnswerer)
answerer.__dict__ |= {"_llm": Refusing(), "_common": {}, "_size": 1, "_seed": 1, "_samples": 1, "_temperature": 1.0}
answerer._prompt = lambda row: {}
try:
    answerer.answers([PromptRow("p7", PROMPT, (), 3.0)], 0)
except BadDataError as error:
    print(error)
"""


def test_a_prompt_that_vllm_refuses_with_an_error_of_its_own_is_bad_data_too() -> None:
    path = f"{HERE.parent}:{HERE}:{STANDINS}"
    command = [sys.executable, "-c", REFUSED]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | {"PYTHONPATH": path})
    told = "rows p7 to p7: vLLM takes no such prompts: longer than the maximum model length"
    assert done.stdout.splitlines()[-1] == told


def _faults(make_attempt: MakeAttempt, name: str, model: Path, **params: Any) -> list[str]:
    raw = json.loads((make_attempt("predict", name, model=model, params=params, **VLLM) / "attempt.json").read_text())
    entry = {"attempt": raw, "directory": "/nowhere/a1", "base_model": str(model), "gpu": True}
    return [f"{one['field']}: {one['expected']}" for one in check_all({"attempts": [entry]})]


def test_what_vllm_would_refuse_once_its_model_is_loaded_is_found_before(
    make_attempt: MakeAttempt, tmp_path: Path
) -> None:
    named, nameless = tmp_path / "named", tmp_path / "nameless"
    most = 512
    for folder, architectures in ((named, {"architectures": ["Qwen2_5_VLForConditionalGeneration"]}), (nameless, {})):
        folder.mkdir()
        config = architectures | {"text_config": {"max_position_embeddings": most}}
        (folder / "config.json").write_text(json.dumps(config))
    good = {"gpu_memory_utilization": 1, "max_prompt_length": most - 6}
    assert _faults(make_attempt, "good", named, **good) == []
    assert _faults(make_attempt, "silent", named) == []
    assert _faults(make_attempt, "long", named, max_prompt_length=most - 5) == [
        f"predict.max_prompt_length: at most {most - 6}: the model's {most} positions less max_new_tokens"
    ]
    assert _faults(make_attempt, "longer", named, max_new_tokens=most) == [
        f"predict.max_new_tokens: less than the model's {most} positions, which the prompt needs too"
    ]
    for share in (0, 1.1):
        [fault] = _faults(make_attempt, f"share-{share}", named, gpu_memory_utilization=share)
        assert fault.startswith("predict.gpu_memory_utilization: a share of the GPU's memory")
    [fault] = _faults(make_attempt, "unnamed", nameless)
    assert fault.startswith("predict.engine: a model whose config.json has architectures")


def test_an_attempt_of_vllm_is_refused_where_its_schema_says_so(make_attempt: MakeAttempt) -> None:
    attempt = read_attempt(make_attempt("predict", params={"gpu_memory_utilization": 0.9, "samples": 4}, **VLLM))
    assert isinstance(engine_for(attempt), ENGINES["vllm"])
    with pytest.raises(failures.BadConfigurationError, match=r"gpu_memory_utilization: expected <= 1, got 1\.5"):
        read_attempt(make_attempt("predict", "a2", params={"gpu_memory_utilization": 1.5}, **VLLM))
