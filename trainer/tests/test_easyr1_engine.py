"""The engine for EasyR1, with a package `verl` that is nothing but a version. EasyR1 itself: `npm run test:easyr1`."""

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import PARAMS, PLANNED, MakeAttempt

from critic_trainer.attempt.manifest import Attempt, attempt_of
from critic_trainer.attempt.result import check_work
from critic_trainer.attempt.stop_request import StopRequest
from critic_trainer.engines.easyr1.engine import EasyR1
from critic_trainer.engines.protocol import Progress
from critic_trainer.engines.versions import versions_of
from critic_trainer.failures import BadConfigurationError, BadDataError
from critic_trainer.ranks import Ranks

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
MakeEngine = Callable[..., EasyR1]
# What a merger does with shards that are one tensor file each: it copies the first one, and writes config.json anew.
MERGER = """
import shutil, sys
folder = sys.argv[sys.argv.index("--local_dir") + 1]
shutil.copy(f"{folder}/model_world_size_2_rank_0.pt", f"{folder}/huggingface/model.safetensors")
open(f"{folder}/huggingface/config.json", "w").write("{}")
print("Merge completed.")
"""


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Makes an importable checkout of this version."""

    def make(version: str) -> Path:
        folder = tmp_path / "checkout"
        (folder / "verl").mkdir(parents=True)
        (folder / "scripts").mkdir()
        (folder / "verl/__init__.py").write_text(f'__version__ = "{version}"\n')
        (folder / "scripts/model_merger.py").write_text(MERGER)
        monkeypatch.syspath_prepend(str(folder))
        # As job.sh has it: the merger is a process of its own.
        monkeypatch.setenv("PYTHONPATH", f"{Path(__file__).parent.parent}:{folder}")
        return folder

    return make


@pytest.fixture
def make_engine(make_attempt: MakeAttempt, checkout: Callable[[str], Path]) -> MakeEngine:
    """An engine of this version for an attempt with a work folder."""

    def make(version: str = "0.3.3.dev0", **params: Any) -> EasyR1:
        checkout(version)
        directory = make_attempt("grpo", params=RAY | params)
        attempt = attempt_of(json.loads((directory / "attempt.json").read_text()), directory)
        attempt.work.mkdir()
        return EasyR1(replace(attempt, engine="easyr1"))

    return make


def resumed(engine: EasyR1, step: int) -> EasyR1:
    """The same, going on after a step."""
    return EasyR1(replace(engine.attempt, resume_from=Path(f"/r/checkpoints/checkpoint-{step}")))


def rendered(engine: EasyR1) -> dict[str, Any]:
    """The settings in the file that EasyR1 is given."""
    engine.render()
    return yaml.safe_load((engine.attempt.work / "easyr1.yaml").read_text())


def test_the_settings_file_holds_what_was_rendered_and_names_files_that_are_there(make_engine: MakeEngine) -> None:
    engine = make_engine()
    engine.attempt.params["settings"] = {"worker.actor.optim.weight_decay": 1e-6}
    found = rendered(engine)
    assert found == engine.settings(False)
    assert found["worker"]["actor"]["optim"] == {"weight_decay": 1e-6, "lr": 1e-3}
    shown = Path(found["data"]["val_files"]).read_text().splitlines()
    # Validation at the end cannot be switched off. It is on a pair of training.
    assert shown == Path(found["data"]["train_files"]).read_text().splitlines()[:1]
    assert (engine.arguments(), engine.variables(), engine.processes, engine.world) == (
        ["config=easyr1.yaml"],
        {},
        2,
        2,
    )


def test_the_authors_settings_file_counts_episodes_from_where_it_goes_on(make_engine: MakeEngine) -> None:
    # Twelve prompts, four a step: three steps each time through them.
    engine = make_engine("0.3.0", prompts_per_step=4, steps=8)
    assert rendered(engine)["trainer"]["total_episodes"] == 3
    for step, episodes in ((2, 3), (4, 2), (6, 2)):
        again = resumed(engine, step)
        for name in ("base", "easyr1"):
            (again.attempt.work / name).rename(again.attempt.work / f"{name}-{step}")
        again.attempt.params["settings"] = {}
        settings = again.settings(False)
        assert settings["trainer"]["load_checkpoint_path"] == f"/r/checkpoints/checkpoint-{step}/global_step_{step}"
        with pytest.raises(BadConfigurationError, match=r"trainer\.load_checkpoint_path"):
            again.render()
        written = yaml.safe_load((again.attempt.work / "easyr1.yaml").read_text())
        assert written["trainer"]["total_episodes"] == episodes
    variables = engine.variables()
    assert variables["CRITIC_EASYR1_LOG"] == str(engine.log)
    assert variables["RAY_RUNTIME_ENV_HOOK"].endswith("easyr1.workers.add_setup")


def test_a_further_rank_writes_nothing(make_engine: MakeEngine) -> None:
    engine = make_engine()
    engine.ranks = Ranks(rank=1, world=2)
    engine.render()
    assert list(engine.attempt.work.iterdir()) == []


def test_what_cannot_train_is_refused_before_ray_starts(make_engine: MakeEngine, world: Path, tmp_path: Path) -> None:
    engine = make_engine()
    changed = lambda **params: EasyR1(replace(engine.attempt, params=engine.attempt.params | params))  # noqa: E731
    with pytest.raises(BadDataError, match="12 rows, but a step of EasyR1 takes 13"):
        changed(prompts_per_step=13).render()
    no_dev = r"validate_steps: the data set has no dev split .* the test split"
    with pytest.raises(BadConfigurationError, match=no_dev):
        changed(validate_steps=2).render()
    # The pipeline writes a file for each split, an empty one for a split that the data set has not.
    engine.attempt.inputs["prompts"] = shutil.copytree(engine.attempt.inputs["prompts"], tmp_path / "prompts")
    (tmp_path / "prompts" / "dev.jsonl").touch()
    with pytest.raises(BadConfigurationError, match=no_dev):
        changed(validate_steps=2).render()
    with pytest.raises(BadDataError, match="12 of 12 prompts have more than 20 tokens with their images"):
        changed(max_prompt_length=20).render()
    template = {"data.override_chat_template": "/nowhere/x.jinja"}
    with pytest.raises(BadConfigurationError, match=r"data\.override_chat_template: /nowhere/x\.jinja"):
        changed(settings=template).render()


def test_a_package_without_its_checkout_is_refused(make_engine: MakeEngine, tmp_path: Path) -> None:
    engine = make_engine()
    (tmp_path / "checkout/scripts/model_merger.py").unlink()
    with pytest.raises(BadConfigurationError, match="is not there: install a whole checkout"):
        engine.render()


def test_the_step_that_the_authors_trainer_saves_too_much_is_not_taken_for_one(make_engine: MakeEngine) -> None:
    engine = make_engine("0.3.0")
    engine.render()
    tracker = engine.attempt.work / "easyr1/latest_global_step.txt"
    for written, found in (("2", 2), ("4", 4), ("5", 4)):
        tracker.write_text(written)
        assert engine.tracked_step() == found


def merged(attempt: Attempt, weights: bytes) -> Path:
    """A published checkpoint whose shards are these bytes."""
    shards = attempt.checkpoints / "checkpoint-4/global_step_4/actor"
    (shards / "huggingface").mkdir(parents=True)
    (shards / "huggingface/config.json").write_text('{"of": "EasyR1"}')
    for rank in range(2):
        (shards / f"model_world_size_2_rank_{rank}.pt").write_bytes(weights)
    return attempt.checkpoints / "checkpoint-4"


def test_the_merged_model_is_looked_at_and_the_checkpoint_stays_as_it_was(make_engine: MakeEngine) -> None:
    from safetensors.torch import load_file, save

    engine = make_engine()
    base = load_file(engine.attempt.model / "model.safetensors")
    checkpoint = merged(engine.attempt, save({name: tensor + 1 for name, tensor in base.items()}))
    texts = lambda: {file: file.read_bytes() for file in checkpoint.rglob("*") if file.is_file()}  # noqa: E731
    before = texts()
    engine.merge(checkpoint)
    assert texts() == before
    engine.publish()
    config = json.loads((engine.attempt.output / "config.json").read_text())
    assert config["text_config"] == json.loads((engine.attempt.model / "config.json").read_text())["text_config"]


def test_an_attempt_after_the_last_steps_checkpoint_merges_and_starts_no_ray(make_engine: MakeEngine) -> None:
    from safetensors.torch import load_file, save

    first = make_engine()
    base = load_file(first.attempt.model / "model.safetensors")
    checkpoint = merged(first.attempt, save({name: tensor + 1 for name, tensor in base.items()}))
    engine = EasyR1(replace(first.attempt, resume_from=checkpoint))
    work = engine.launch(Progress(engine, StopRequest(engine.attempt.directory), 4))
    check_work(engine.attempt, work)
    assert (work.steps, work.first_step, work.resumed_from_step, work.has_model) == (4, None, 4, True)
    assert (engine.attempt.work / "trainer/model.safetensors").is_file()
    assert not (engine.attempt.directory / "ray").exists()
    with pytest.raises(RuntimeError, match="resumed from step 4, but the first step was 5"):
        check_work(engine.attempt, replace(work, first_step=5))


def test_a_merge_that_changed_nothing_is_no_model(make_engine: MakeEngine) -> None:
    engine = make_engine()
    checkpoint = merged(engine.attempt, (engine.attempt.model / "model.safetensors").read_bytes())
    with pytest.raises(RuntimeError, match="no tensor differs from the base's"):
        engine.merge(checkpoint)


def test_its_source_is_part_of_its_version(make_engine: MakeEngine, tmp_path: Path) -> None:
    make_engine()
    first = EasyR1.further_versions()
    (tmp_path / "checkout/verl/more.py").write_text("x = 1\n")
    second = EasyR1.further_versions()
    assert first.keys() == second.keys() == {"easyr1"}
    assert first != second
    assert first["easyr1"].startswith("0.3.3+")
    sys.modules.pop("verl", None)
    assert PLANNED["grpo"]["steps"] == 4
    with pytest.raises(BadConfigurationError, match="not installed, which easyr1 needs"):
        versions_of(EasyR1)
