"""verl's settings as its command line has them, and its files of prompts."""

from pathlib import Path

import pytest
from conftest import MakeAttempt
from test_ray_driver import VERL

from critic_trainer.attempt.manifest import Attempt, read_attempt
from critic_trainer.engines.verl.data import write_prompts
from critic_trainer.engines.verl.engine import Verl
from critic_trainer.engines.verl.settings import overrides, verl_settings
from critic_trainer.failures import BadConfigurationError, BadDataError
from critic_trainer.inputs.rows import PromptRow

ENGINE = {"name": "verl", "versions": {}}


def attempt_with(make_attempt: MakeAttempt, **params: object) -> Attempt:
    return read_attempt(make_attempt("grpo", params=VERL | params, engine=ENGINE))


def test_an_update_is_a_whole_step_unless_the_recipe_says_otherwise(make_attempt: MakeAttempt) -> None:
    attempt = attempt_with(make_attempt, prompts_per_step=8)
    key = "actor_rollout_ref.actor.ppo_mini_batch_size"
    assert verl_settings(attempt, attempt.work, gpu=True)[key] == 8
    attempt.params["prompts_per_update"] = 4
    assert verl_settings(attempt, attempt.work, gpu=True)[key] == 4


def test_a_reference_model_is_loaded_only_for_a_kl_term(make_attempt: MakeAttempt) -> None:
    attempt = attempt_with(make_attempt)
    assert verl_settings(attempt, attempt.work, gpu=True)["actor_rollout_ref.actor.use_kl_loss"] is False
    attempt.params["beta"] = 0.01
    settings = verl_settings(attempt, attempt.work, gpu=True)
    assert settings["actor_rollout_ref.actor.use_kl_loss"] is True
    assert settings["actor_rollout_ref.actor.kl_loss_coef"] == 0.01


def test_a_resume_names_the_folder_that_verl_wrote(make_attempt: MakeAttempt, tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoints" / "checkpoint-12"
    checkpoint.mkdir(parents=True)
    attempt = read_attempt(make_attempt("grpo", params=VERL, engine=ENGINE, resume_from=str(checkpoint)))
    settings = verl_settings(attempt, attempt.work, gpu=True)
    assert settings["trainer.resume_mode"] == "resume_path"
    assert settings["trainer.resume_from_path"] == str(checkpoint / "global_step_12")


def test_only_a_node_without_a_gpu_has_settings_for_a_cpu(make_attempt: MakeAttempt) -> None:
    attempt = attempt_with(make_attempt)
    with_gpu, without = (verl_settings(attempt, attempt.work, gpu=gpu) for gpu in (True, False))
    changed = {key for key in with_gpu.keys() | without.keys() if with_gpu.get(key) != without.get(key)}
    assert (without["trainer.device"], with_gpu["trainer.device"]) == ("cpu", "cuda")
    assert {key for key in changed if "num_workers" not in key and "num_data" not in key} == {
        "trainer.device",
        "actor_rollout_ref.model.use_remove_padding",
        "actor_rollout_ref.model.override_config.attn_implementation",
        "data.filter_overlong_prompts_workers",
    }


@pytest.mark.parametrize("key", ["trainer.save_freq", "data.seed", "hydra.run.dir"])
def test_a_key_of_ours_is_refused(key: str, make_attempt: MakeAttempt) -> None:
    attempt = attempt_with(make_attempt, settings={key: 1})
    with pytest.raises(BadConfigurationError, match=f"{key}: expected no such key: this key is set by the trainer"):
        verl_settings(attempt, attempt.work, gpu=True)


def test_a_plan_names_the_key_that_is_ours_and_its_value(make_attempt: MakeAttempt) -> None:
    attempt = attempt_with(make_attempt, settings={"actor_rollout_ref.actor.grad_clip": 1.0, "trainer.save_freq": 7})
    expected = "no such key: this key is set by the trainer"
    assert Verl(attempt).faults() == [{"field": "grpo.verl.trainer.save_freq", "value": 7, "expected": expected}]


@pytest.mark.parametrize("key", ["~trainer.save_freq", "++trainer.save_freq", "trainer", "a b.c", "trainer.x=1"])
def test_a_key_that_hydra_would_take_for_an_order_is_refused(key: str, make_attempt: MakeAttempt) -> None:
    attempt = attempt_with(make_attempt, settings={key: 1})
    with pytest.raises(BadConfigurationError, match="expected a dotted name"):
        verl_settings(attempt, attempt.work, gpu=True)


def test_texts_are_quoted_for_hydra_and_open_sections_take_new_keys() -> None:
    assert overrides(
        {
            "a.b": "it's",
            "a.c": ["x,y", 1],
            "a.d": None,
            "a.e": True,
            "a.f": "${oc.env:HOME}",
            "a.g": "\\",
            "actor_rollout_ref.rollout.engine_kwargs.vllm.x": 1.5,
        }
    ) == [
        "a.b='it\\'s'",
        "a.c=['x,y',1]",
        "a.d=null",
        "a.e=true",
        "a.f='\\${oc.env:HOME}'",
        "a.g='\\\\'",
        "++actor_rollout_ref.rollout.engine_kwargs.vllm.x=1.5",
    ]


def test_validation_is_never_on_the_test_split(make_attempt: MakeAttempt, tmp_path: Path) -> None:
    attempt = attempt_with(make_attempt, validate_steps=2)
    settings = verl_settings(attempt, attempt.work, gpu=True)
    assert settings["data.val_files"] == [str(attempt.work / "dev.parquet")]
    attempt.work.mkdir()
    with pytest.raises(BadConfigurationError, match="has no dev split to validate on"):
        Verl(attempt).prompts("dev")
    # The pipeline writes a file for each split, an empty one for a split that the data set has not.
    (tmp_path / "dev.jsonl").touch()
    attempt.inputs["prompts"] = tmp_path
    with pytest.raises(BadConfigurationError, match="has no dev split to validate on"):
        Verl(attempt).prompts("dev")


def test_a_prompt_that_verl_would_cut_up_is_refused(tmp_path: Path) -> None:
    row = PromptRow("p1", "Look at <image> again", (tmp_path / "a.png",), 3.0)
    with pytest.raises(BadDataError, match="p1: prompt: <image> stands in its text"):
        write_prompts([row], tmp_path / "train.parquet")
