"""Checkpoints, model folders, metrics and schemas, without training."""

import dataclasses
import json
import re
import shutil
from importlib.metadata import version
from pathlib import Path

import pytest
from conftest import MakeAttempt, lines

from critic_trainer.attempt import schemas
from critic_trainer.attempt.checkpoints import prune, publish_checkpoint
from critic_trainer.attempt.manifest import check_schema, read_attempt
from critic_trainer.attempt.metrics import Metrics
from critic_trainer.engines.llamafactory import llamafactory_config
from critic_trainer.engines.llamafactory_keys import OWNED_KEYS
from critic_trainer.engines.trainer_checkpoints import trainer_checkpoint_fault
from critic_trainer.engines.trainer_log import normalised
from critic_trainer.failures import BadConfigurationError

GOLDEN = Path(__file__).parents[2] / "tests" / "golden"


@pytest.mark.parametrize("name", ["attempt", "result"])
def test_the_schema_that_both_languages_share_is_the_one_that_jobs_check(name: str) -> None:
    shared = json.loads((GOLDEN / f"{name}.schema.json").read_text())
    assert shared == getattr(schemas, f"{name.upper()}_SCHEMA")


@pytest.mark.parametrize("kind", ["sft", "grpo", "predict"])
def test_attempts_of_each_kind_are_read(kind: str, make_attempt: MakeAttempt) -> None:
    attempt = read_attempt(make_attempt(kind))
    assert (attempt.kind, attempt.resume_from, attempt.threads) == (kind, None, 1)


def test_a_grpo_attempt_is_not_read_with_the_params_of_a_prediction(make_attempt: MakeAttempt) -> None:
    directory = make_attempt("predict")
    text = (directory / "attempt.json").read_text()
    (directory / "attempt.json").write_text(text.replace('"predict"', '"grpo"').replace('"transformers"', '"trl"'))
    with pytest.raises(BadConfigurationError, match=r"attempt\.json: params"):
        read_attempt(directory)


@pytest.fixture
def checkpoint(tmp_path: Path, model: Path) -> Path:
    """A complete checkpoint of step 3 (its tensors are empty, its files are whole)."""
    import torch

    folder = tmp_path / "written" / "checkpoint-3"
    folder.mkdir(parents=True)
    shutil.copy(model / "model.safetensors", folder)
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": 3}))
    for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
        torch.save({}, folder / name)
    return folder


@pytest.mark.parametrize(
    "name", ["trainer_state.json", "model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth"]
)
@pytest.mark.parametrize("harm", ["gone", "cut", "empty"])
def test_a_checkpoint_with_a_file_gone_cut_or_empty_is_not_complete(checkpoint: Path, name: str, harm: str) -> None:
    assert trainer_checkpoint_fault(checkpoint) is None
    file = checkpoint / name
    content = file.read_bytes()
    file.unlink()
    if harm != "gone":
        file.write_bytes(content[:-10] if harm == "cut" else b"")
    assert name.split(".")[0] in str(trainer_checkpoint_fault(checkpoint))
    with pytest.raises(RuntimeError, match="incomplete"):
        publish_checkpoint(checkpoint, checkpoint.parent.parent / "checkpoints", trainer_checkpoint_fault)
    assert not (checkpoint.parent.parent / "checkpoints").exists()


def test_a_checkpoint_of_another_step_than_its_name_is_not_complete(checkpoint: Path) -> None:
    renamed = checkpoint.rename(checkpoint.with_name("checkpoint-4"))
    assert trainer_checkpoint_fault(renamed) == "trainer_state.json is of step 3"


def test_the_two_newest_checkpoints_are_kept_by_number_and_not_by_name(tmp_path: Path) -> None:
    for step in (9, 10, 100, 2):
        (tmp_path / f"checkpoint-{step}").mkdir()
    prune(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-10", "checkpoint-100"]


def test_nan_and_infinity_are_null_and_named(tmp_path: Path) -> None:
    metrics = Metrics(tmp_path / "metrics.jsonl", 2)
    assert metrics.append(1, 5, {"loss": 1.5}) == []
    assert metrics.append(2, 5, {"loss": float("nan"), "grad_norm": float("inf"), "lr": 0.1}) == ["grad_norm", "loss"]
    first, second = lines(tmp_path / "metrics.jsonl")
    assert (first["attempt"], first["total_steps"], first["loss"]) == (2, 5, 1.5)
    assert (second["loss"], second["grad_norm"], second["lr"]) == (None, None, 0.1)
    assert second["non_finite"] == ["grad_norm", "loss"]
    assert metrics.finite is False


def test_names_of_trl_become_ours_and_the_closing_summary_is_no_step() -> None:
    assert normalised({"rewards/accuracy/mean": 0.5, "completions/mean_length": 54, "num_tokens": 9}) == {
        "reward_l1": 0.5,
        "response_length": 54.0,
    }
    assert normalised({"train_runtime": 3.0, "train_loss": 0.1, "epoch": 1}) == {}


def test_the_rendered_config_owns_its_keys_and_takes_weights_from_the_checkpoint(
    make_attempt: MakeAttempt, tmp_path: Path
) -> None:
    params = {**json.loads((make_attempt("sft") / "attempt.json").read_text())["params"]}
    params["llamafactory"] = {"weight_decay": 0.1, "freeze_vision_tower": True, "image_max_pixels": 1003520}
    resume = tmp_path / "checkpoint-3"
    resume.mkdir()
    config = llamafactory_config(
        read_attempt(make_attempt("sft", "a2", params, resume_from=resume)), tmp_path, gpu=False
    )
    assert config["model_name_or_path"] == config["resume_from_checkpoint"] == str(resume)
    assert (config["weight_decay"], config["freeze_vision_tower"], config["image_max_pixels"]) == (0.1, True, 1003520)
    assert (config["image_min_pixels"], config["use_cpu"], config["bf16"]) == (784, True, False)
    for key in ("output_dir", "overwrite_output_dir", "resume_from_checkpoint", "save_only_model", "media_dir"):
        assert key in OWNED_KEYS


def test_recipes_are_checked_against_the_arguments_of_the_installed_llamafactory() -> None:
    parser = pytest.importorskip("llamafactory.hparams.parser")
    text = (Path(__file__).parents[2] / "domain" / "engines" / "llamafactory-arguments.ts").read_text()
    known, owned, beside = (set(block.split()) for block in re.findall(r"words\(`(.*?)`\)", text, re.DOTALL))
    fields = {field.name for one in parser._TRAIN_ARGS for field in dataclasses.fields(one) if field.init}
    assert known == fields
    assert owned == OWNED_KEYS
    assert beside <= fields - owned
    of_data = {field.name for field in dataclasses.fields(parser.DataArguments)}
    assert beside & of_data == {"preprocessing_num_workers"}, "all else of these decides what is tokenised"
    assert f"LLaMA-Factory {version('llamafactory')} with transformers {version('transformers')}" in text


def test_a_result_is_checked_before_it_is_written() -> None:
    with pytest.raises(BadConfigurationError, match=r"result\.json"):
        check_schema({"schema": 1}, schemas.RESULT_SCHEMA, "result.json")
