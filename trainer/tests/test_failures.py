"""Everything that must end with its own exit code, and one clear line."""

import errno
import json
import logging
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import PAIRS, MakeAttempt, lines

from critic_trainer import failures
from critic_trainer.__main__ import main, run_attempt


def edit(directory: Path, change: Callable[[dict[str, Any]], None]) -> None:
    path = directory / "attempt.json"
    attempt = json.loads(path.read_text())
    change(attempt)
    path.write_text(json.dumps(attempt))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda a: a.pop("seed"), "attempt.json: top level: 'seed' is a required property"),
        (
            lambda a: a.update(kind="dpo"),
            'attempt.json: kind: expected one of ["tokenize", "sft", "grpo", "predict"], got "dpo"',
        ),
        (lambda a: a["params"].update(epochs=0), "attempt.json: params.epochs: expected > 0, got 0"),
        (lambda a: a["params"].update(epochs="5"), 'attempt.json: params.epochs: expected of type "number", got "5"'),
        (lambda a: a["params"].update(lr=1), "attempt.json: params: Additional properties are not allowed"),
        (lambda a: a.update(model="models/x"), 'attempt.json: model: expected text matching "^/", got "models/x"'),
        (lambda a: a.update(model="/nowhere"), "attempt.json: model: expected a folder with a config.json"),
        (lambda a: a["inputs"].pop("mix"), "attempt.json: inputs: 'mix' is a required property"),
        (lambda a: a.update(resume_from="/nowhere/checkpoint-3"), "attempt.json: resume_from: expected the folder"),
        (lambda a: a["params"].update(llamafactory={"output_dir": "/x"}), "params.llamafactory.output_dir: this key"),
        (lambda a: a["planned"].update(steps=7), "planned.steps: the trainer counts 6, got 7"),
    ],
)
def test_a_wrong_attempt_ends_with_78_and_names_the_field(
    change: Callable[[dict[str, Any]], None], told: str, make_attempt: MakeAttempt, caplog: pytest.LogCaptureFixture
) -> None:
    directory = make_attempt("sft")
    edit(directory, change)
    assert run_attempt(directory) == failures.BAD_CONFIGURATION
    assert told in caplog.messages[-1]
    assert not (directory / "result.json").exists()


@pytest.mark.parametrize(
    ("text", "told"), [("{", "is not JSON"), (None, "is not there")], ids=["cut short", "not there"]
)
def test_an_attempt_that_cannot_be_read_ends_with_78(
    text: str | None, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if text is not None:
        (tmp_path / "attempt.json").write_text(text)
    monkeypatch.setenv("CRITIC_ATTEMPT_DIR", str(tmp_path))
    assert main() == failures.BAD_CONFIGURATION
    assert told in caplog.messages[-1]


def test_a_job_of_several_nodes_is_refused(make_attempt: MakeAttempt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_NUM_NODES", "2")
    assert run_attempt(make_attempt("predict")) == failures.BAD_CONFIGURATION


def test_an_attempt_that_was_worked_in_is_not_worked_in_again(make_attempt: MakeAttempt) -> None:
    directory = make_attempt("predict")
    (directory / "work").mkdir()
    assert run_attempt(directory) == failures.BAD_CONFIGURATION


def with_rows(directory: Path, change: Callable[[list[dict[str, Any]]], None], raw: str = "") -> None:
    """Gives the attempt prompts of its own, changed; `raw` is appended as it is."""
    attempt = json.loads((directory / "attempt.json").read_text())
    rows = lines(Path(attempt["inputs"]["prompts"]) / "test.jsonl")
    change(rows)
    own = directory / "prompts"
    own.mkdir()
    (own / "test.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows) + raw)
    edit(directory, lambda a: a["inputs"].update(prompts=str(own)))


@pytest.mark.parametrize(
    ("change", "raw", "told"),
    [
        (lambda rows: None, '{"id": "p', f"test.jsonl:{PAIRS + 1}: not JSON"),
        (lambda rows: None, "[]\n", f"test.jsonl:{PAIRS + 1}: expected an object"),
        (lambda rows: rows[2].update(mos=5.5), "", "test.jsonl:3: mos: expected 1 to 5, got 5.5"),
        (lambda rows: rows[2].update(mos="3"), "", 'test.jsonl:3: mos: got "3"'),
        (lambda rows: rows[2].pop("prompt"), "", "test.jsonl:3: prompt: got null"),
        (lambda rows: rows[2].update(id="p0"), "", "two rows have the same id"),
        (lambda rows: rows[2]["images"].clear(), "", "test.jsonl:3: images: expected one or two paths"),
        (
            lambda rows: rows[2].update(images=["images/x.png"] * 2),
            "",
            'test.jsonl:3: image "images/x.png" is not there',
        ),
        (lambda rows: rows[2].update(images=["/etc/passwd"] * 2), "", "test.jsonl:3: expected an image path inside"),
        (
            lambda rows: rows[2].update(images=["../mix/train.json"] * 2),
            "",
            "test.jsonl:3: expected an image path inside",
        ),
        (lambda rows: rows[2].update(images=["images/cut.png"] * 2), "", "is not a readable image"),
        (lambda rows: rows[2].update(images=["images/text.png"] * 2), "", "is not a readable image"),
        (
            lambda rows: rows[2].update(images=["images/link.png"] * 2),
            "",
            "test.jsonl:3: expected an image path inside",
        ),
    ],
)
def test_bad_rows_end_with_65_and_name_file_and_line(
    change: Callable[[list[dict[str, Any]]], None],
    raw: str,
    told: str,
    make_attempt: MakeAttempt,
    world: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    images = world / "dataset" / "images"
    (images / "cut.png").write_bytes((images / "0-source.png").read_bytes()[:-4000])
    (images / "text.png").write_text("not an image")
    if not (images / "link.png").is_symlink():
        (images / "link.png").symlink_to("/etc/passwd")
    directory = make_attempt("predict")
    with_rows(directory, change, raw)
    assert run_attempt(directory) == failures.BAD_DATA
    assert told in caplog.messages[-1]


@pytest.mark.parametrize(
    ("info", "records", "told"),
    [
        ({"file_name": "../x.json"}, [], "nothing remote"),
        ({"file_name": "train.json", "hf_hub_url": "evil/data"}, [], "nothing remote"),
        ({"file_name": "train.json"}, [{"messages": []}], "train.json record 0"),
        ({"file_name": "train.json"}, [], "expected a list of records"),
    ],
)
def test_a_bad_mix_ends_with_65(
    info: dict[str, Any],
    records: list[Any],
    told: str,
    make_attempt: MakeAttempt,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    mix = tmp_path / "mix"
    mix.mkdir()
    (mix / "dataset_info.json").write_text(json.dumps({"critic_mix": info}))
    (mix / "train.json").write_text(json.dumps(records))
    directory = make_attempt("sft")
    edit(directory, lambda a: a["inputs"].update(mix=str(mix)))
    assert run_attempt(directory) == failures.BAD_DATA
    assert told in caplog.messages[-1]


def test_a_bug_in_the_reward_ends_with_70_and_is_never_a_reward_of_zero(
    make_attempt: MakeAttempt, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from critic_trainer.engines.trl import training

    def broken(*_: Any) -> float:
        raise ZeroDivisionError("in the reward")

    monkeypatch.setattr(training, "accuracy_reward", broken)
    directory = make_attempt("grpo")
    assert run_attempt(directory) == failures.BUG
    assert "ZeroDivisionError: in the reward" in capfd.readouterr().err
    assert not (directory / "metrics.jsonl").exists()


@pytest.mark.usefixtures("uneven_rewards")
@pytest.mark.parametrize("kind", ["sft", "grpo"])
def test_numbers_that_are_not_finite_stop_the_training_and_publish_no_model(
    kind: str, make_attempt: MakeAttempt
) -> None:
    directory = make_attempt(kind, params={"learning_rate": 1e30})
    assert run_attempt(directory) == failures.OK
    result = json.loads((directory / "result.json").read_text())
    assert (result["finite"], result["model"]) == (False, None)
    assert result["steps_done"] < result["steps_planned"]
    assert not (directory / "output").exists()
    last = lines(directory / "metrics.jsonl")[-1]
    assert all(last[name] is None for name in last.get("non_finite", []))
    assert "non_finite" in last or kind == "grpo", "GRPO fails at sampling, before it logs"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ENOSPC, "full"), failures.TRY_AGAIN),
        (OSError(errno.ESTALE, "stale"), failures.TRY_AGAIN),
        (FileNotFoundError(errno.ENOENT, "gone"), failures.BUG),
        (KeyError("x"), failures.BUG),
        (failures.TryAgainError("later"), failures.TRY_AGAIN),
    ],
)
def test_exit_codes_go_by_type_and_errno(error: Exception, code: int, tmp_path: Path) -> None:
    assert failures.exit_code_of(error, tmp_path) == code


def test_gpu_memory_running_out_ends_with_71(tmp_path: Path) -> None:
    import torch

    assert failures.exit_code_of(torch.OutOfMemoryError("CUDA out of memory"), tmp_path) == failures.OUT_OF_GPU_MEMORY


def test_a_full_disk_hidden_in_another_error_ends_with_75(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024 * 1024, limits[1]))
    try:
        code = failures.exit_code_of(RuntimeError("PytorchStreamWriter failed writing file"), tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert code == failures.TRY_AGAIN
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(autouse=True)
def _log_is_seen(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="critic_trainer")
