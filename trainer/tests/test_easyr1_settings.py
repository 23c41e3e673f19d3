"""EasyR1's settings, of both generations, where EasyR1 itself is not installed. `npm run test:easyr1` runs it."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import PARAMS, MakeAttempt

from critic_trainer.attempt.manifest import Attempt, attempt_of
from critic_trainer.engines.easyr1.checking import easyr1_faults
from critic_trainer.engines.easyr1.generations import AUTHORS, CURRENT, Generation
from critic_trainer.engines.easyr1.settings import easyr1_settings, episodes_left
from critic_trainer.failures import BadConfigurationError

RAY = PARAMS["grpo"] | {
    "max_prompt_length": 256,
    "save_limit": 3,
    "validate_steps": 0,
    "micro_batch_size": 2,
    "tensor_parallel": 1,
    "gpu_memory_utilization": 0.6,
    "nodes": 2,
    "processes_per_node": 1,
}


def attempt(make_attempt: MakeAttempt, **params: Any) -> Attempt:
    """An attempt of EasyR1 in a folder of its own."""
    directory = make_attempt("grpo", params=RAY | params)
    raw = json.loads((directory / "attempt.json").read_text())
    return replace(attempt_of(raw, directory), engine="easyr1")


def settings(made: Attempt, generation: Generation = CURRENT, gpu: bool = False) -> dict[str, Any]:
    """Its settings as on a CPU."""
    return easyr1_settings(made, generation, made.work, gpu)


def test_settings_say_what_the_attempt_asks_for(make_attempt: MakeAttempt) -> None:
    made = attempt(make_attempt, validate_steps=2)
    found = settings(made)
    assert found["data"] | {"rollout_batch_size": 2, "max_prompt_length": 256, "shuffle": True} == found["data"]
    assert found["data"]["filter_overlong_prompts"] is False
    assert found["algorithm"] == {
        "adv_estimator": "grpo",
        "disable_kl": True,
        "use_kl_loss": False,
        "kl_penalty": "low_var_kl",
        "kl_coef": 0.0,
    }
    actor, rollout, trainer = found["worker"]["actor"], found["worker"]["rollout"], found["trainer"]
    assert (actor["global_batch_size"], actor["micro_batch_size_per_device_for_update"]) == (2, 2)
    assert (actor["clip_ratio_low"], actor["clip_ratio_high"], actor["optim"]["lr"]) == (0.2, 0.28, 1e-3)
    assert actor["model"]["model_path"] == str(made.model)
    assert (rollout["n"], rollout["temperature"], rollout["limit_images"]) == (2, 1.0, 2)
    assert found["worker"]["reward"]["reward_function_kwargs"] == {"shape": "l1", "floor": 0.05, "format_weight": 1}
    assert (trainer["max_steps"], trainer["save_freq"], trainer["save_limit"], trainer["val_freq"]) == (4, 2, 3, 2)
    assert (trainer["nnodes"], trainer["n_gpus_per_node"], trainer["find_last_checkpoint"]) == (2, 1, False)
    assert trainer["logger"] == ["file"]


def test_without_padding_and_compiling_nothing_asks_for_a_gpu(make_attempt: MakeAttempt) -> None:
    made = attempt(make_attempt)
    assert settings(made)["worker"]["actor"]["padding_free"] is False
    assert settings(made, gpu=True)["worker"]["actor"]["padding_free"] is True
    assert settings(made, gpu=True)["worker"]["actor"]["use_torch_compile"] is False


def test_the_kl_term_needs_a_weight(make_attempt: MakeAttempt) -> None:
    found = settings(attempt(make_attempt, beta=0.01))["algorithm"]
    assert (found["disable_kl"], found["use_kl_loss"], found["kl_coef"]) == (False, True, 0.01)


def test_validation_is_off_unless_asked_for_and_checkpoints_are_not(make_attempt: MakeAttempt) -> None:
    trainer = settings(attempt(make_attempt))["trainer"]
    assert (trainer["val_freq"], trainer["val_before_train"]) == (-1, False)
    assert trainer["save_freq"] > 0


def test_the_authors_keys_have_their_own_names(make_attempt: MakeAttempt) -> None:
    made = attempt(make_attempt)
    found = settings(made, AUTHORS)
    assert set(found["worker"]["reward"]) == {"score_function", "score_function_kwargs", "reward_type"}
    assert found["trainer"]["total_episodes"] == 4
    assert not {"total_epochs", "find_last_checkpoint", "save_model_only"} & found["trainer"].keys()
    assert found["worker"]["rollout"]["force_think_template"] is False
    assert found["worker"]["actor"]["model"]["model_path"] == str(made.work / "base")
    assert found["data"]["train_files"].endswith("/train.parquet")
    assert "image_dir" not in found["data"]


@pytest.mark.parametrize("generation", [CURRENT, AUTHORS])
def test_own_keys_are_added_and_ours_are_refused(generation: Generation, make_attempt: MakeAttempt) -> None:
    made = attempt(make_attempt, settings={"worker.actor.max_grad_norm": 0.5, "worker.rollout.enforce_eager": True})
    found = settings(made, generation)["worker"]
    assert (found["actor"]["max_grad_norm"], found["rollout"]["enforce_eager"]) == (0.5, True)
    for key in ("trainer.max_steps", "worker.rollout.n", f"{generation.keys['reward_arguments']}.shape", "data"):
        other = replace(made, params=made.params | {"settings": {key: 1}})
        with pytest.raises(BadConfigurationError, match=re.escape(f"params.settings.{key}: expected no such key")):
            settings(other, generation)
        (fault,) = easyr1_faults(other, generation)
        assert (fault["field"], fault["value"]) == (f"grpo.easyr1.{key}", 1)


def test_each_setting_of_a_generation_has_one_key() -> None:
    for generation in (CURRENT, AUTHORS):
        assert len(set(generation.keys.values())) == len(generation.keys)
    assert CURRENT.keys["epochs"] != AUTHORS.keys["epochs"]


def test_a_resumed_attempt_names_its_checkpoint(make_attempt: MakeAttempt) -> None:
    made = replace(attempt(make_attempt), resume_from=Path("/run/a1/checkpoints/checkpoint-2"))
    for generation in (CURRENT, AUTHORS):
        resumed = settings(made, generation)["trainer"]["load_checkpoint_path"]
        assert resumed == "/run/a1/checkpoints/checkpoint-2/global_step_2"


def test_the_authors_trainer_must_be_able_to_save_its_last_step(make_attempt: MakeAttempt) -> None:
    made = attempt(make_attempt, save_steps=3)
    with pytest.raises(BadConfigurationError, match="save_steps: expected a divisor of steps, 4, got 3"):
        settings(made, AUTHORS)
    assert settings(made)["trainer"]["save_freq"] == 3
    # A slow pace asks for more checkpoints than the recipe does.
    paced = [easyr1_settings(attempt_of_steps(made, 12, 6), AUTHORS, made.work, False, wanted) for wanted in (1, 4, 5)]
    assert [one["trainer"]["save_freq"] for one in paced] == [1, 4, 4]


def attempt_of_steps(made: Attempt, steps: int, save_steps: int) -> Attempt:
    """The attempt with other numbers of steps."""
    return replace(made, params=made.params | {"steps": steps, "save_steps": save_steps})


def authors_last_step(steps: int, per_episode: int, resumed: int, episodes: int) -> tuple[int, int]:
    """(global_step, updates since the resume) of the authors' loop, RayPPOTrainer.fit, with torchdata's loader."""
    step, updates, place = resumed, 0, resumed % per_episode
    # A loader that goes on where nothing is left gives an empty first time.
    first = per_episode - place if resumed == 0 or place else 0
    for episode in range(episodes):
        for _ in range(first if episode == 0 else per_episode):
            step += 1
            if step > steps:
                break
            updates += 1
    return step, updates


@pytest.mark.parametrize("per_episode", [1, 2, 3, 5, 23])
def test_episodes_are_counted_so_that_the_authors_trainer_makes_every_step_once(per_episode: int) -> None:
    for steps in range(1, 40):
        for resumed in range(steps):
            episodes = episodes_left(steps, per_episode, resumed)
            step, updates = authors_last_step(steps, per_episode, resumed, episodes)
            assert updates == steps - resumed
            assert step in (steps, steps + 1)


def test_too_many_episodes_would_count_on() -> None:
    assert authors_last_step(4, 2, 0, 11) == (13, 4)
