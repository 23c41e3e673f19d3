"""The mix tokenised by a job of its own: SFT from it has the numbers of SFT from the mix, in one process and in two."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import PAIRS, MakeAttempt, lines

from critic_trainer import failures
from critic_trainer.__main__ import run_attempt

RANKED: dict[str, Any] = {"batch_size": 2, "deepspeed": "zero3", "processes": 2, "llamafactory": {"bf16": True}}
HERE = Path(__file__).parent
CODE = """
import sys
from pathlib import Path
from critic_trainer.__main__ import run_attempt
sys.exit(run_attempt(Path(sys.argv[1])))
"""


def run_alone(directory: Path) -> int:
    """In a process of its own: tokenising forks, which a process that has trained should not."""
    environment = os.environ | {"PYTHONPATH": str(HERE.parent)}
    return subprocess.run([sys.executable, "-c", CODE, str(directory)], env=environment, check=False).returncode


def numbers(directory: Path) -> list[tuple[int, float, float]]:
    return [(row["step"], row["loss"], row["grad_norm"]) for row in lines(directory / "metrics.jsonl")]


def from_tokens(world: Path, tokens: Path) -> dict[str, str]:
    return {"dataset": str(world / "dataset"), "tokenized": str(tokens)}


def test_sft_from_the_tokenised_mix_has_the_numbers_of_sft_from_the_mix(
    make_attempt: MakeAttempt, world: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tokenized = make_attempt("tokenize", "tokens", threads=2)
    assert run_alone(tokenized) == failures.OK
    result = json.loads((tokenized / "result.json").read_text())
    assert (result["kind"], result["rows"], result["steps_planned"], result["model"]) == (
        "tokenize",
        2 * PAIRS,
        None,
        None,
    )
    assert [row["rows"] for row in lines(tokenized / "metrics.jsonl")] == [2 * PAIRS]
    tokens = tokenized / "output"
    facts = json.loads((tokens / "critic_tokens.json").read_text())
    assert facts["records"] == 2 * PAIRS
    assert 2 * PAIRS * facts["longest"] >= facts["tokens"] > 2 * PAIRS

    inputs = from_tokens(world, tokens)
    plain, loaded = make_attempt("sft", "plain"), make_attempt("sft", "loaded", inputs=inputs)
    assert [run_attempt(plain), run_attempt(loaded)] == [failures.OK, failures.OK]
    assert numbers(loaded) == numbers(plain)
    assert "tokenized_path" in (loaded / "work" / "llamafactory.yaml").read_text()
    weights = [(one / "output" / "model.safetensors").read_bytes() for one in (plain, loaded)]
    assert weights[0] == weights[1]

    spread, spread_loaded = (
        make_attempt("sft", "spread", params=RANKED),
        make_attempt("sft", "spread-loaded", params=RANKED, inputs=inputs),
    )
    argument = json.dumps([[str(directory), 2, None, 0] for directory in (spread, spread_loaded)])
    environment = os.environ | {"PYTHONPATH": f"{HERE.parent}:{HERE}"}
    command = [sys.executable, str(HERE / "ranks_world.py"), argument]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment, timeout=500, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == [[failures.OK] * 2] * 2
    assert numbers(spread_loaded) == numbers(spread)

    _refuses_what_does_not_fit(make_attempt, tokens, world, caplog)


def _refuses_what_does_not_fit(
    make_attempt: MakeAttempt, tokens: Path, world: Path, caplog: pytest.LogCaptureFixture
) -> None:
    moved = world.parent / "moved"
    shutil.copytree(world / "dataset", moved)
    inputs = from_tokens(world, tokens)
    assert run_attempt(make_attempt("sft", "elsewhere", inputs=inputs | {"dataset": moved})) == (
        failures.BAD_CONFIGURATION
    )
    assert f'expected pictures in "{moved}", got a mix that was tokenised with those in' in caplog.messages[-1]
    cut = shutil.copytree(tokens, world.parent / "cut")
    (arrow,) = (cut / "train").glob("*.arrow")
    arrow.unlink()
    assert run_attempt(make_attempt("sft", "cut", inputs=from_tokens(world, cut))) == failures.BAD_CONFIGURATION
    assert f"{arrow.name} is missing" in caplog.messages[-1]
    no_tokens = from_tokens(world, world / "mix")
    assert run_attempt(make_attempt("sft", "none", inputs=no_tokens)) == failures.BAD_CONFIGURATION
    assert "expected a tokenised mix" in caplog.messages[-1]


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"cutoff_len": 20}, "sft.cutoff_len: expected at least "),
        (
            {"llamafactory": {"packing": True}},
            f"expected {2 * PAIRS} tokenised records, got 1: LLaMA-Factory dropped, packed",
        ),
        (
            {"llamafactory": {"val_size": 4}},
            f"expected {2 * PAIRS} tokenised records, got {2 * PAIRS - 4}",
        ),
    ],
)
def test_records_that_are_too_long_or_fewer_than_the_mix_has_are_refused(
    params: dict[str, Any], told: str, make_attempt: MakeAttempt, caplog: pytest.LogCaptureFixture
) -> None:
    directory = make_attempt("tokenize", params=params)
    assert run_attempt(directory) == failures.BAD_DATA
    assert told in caplog.messages[-1]
    assert not (directory / "output").exists()
    assert not (directory / "result.json").exists()


def test_sft_needs_the_mix_where_nothing_is_tokenised(
    make_attempt: MakeAttempt, world: Path, caplog: pytest.LogCaptureFixture
) -> None:
    directory = make_attempt("sft", inputs={"dataset": str(world / "dataset")})
    assert run_attempt(directory) == failures.BAD_CONFIGURATION
    assert "attempt.json: inputs: 'mix' is a required property" in caplog.messages[-1]
