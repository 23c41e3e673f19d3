"""The engines: one protocol, versions that the worker asks for, and nothing heavy before the launch."""

import errno
import importlib.metadata
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import ENGINE_NAMES, MakeAttempt

from critic_trainer import failures
from critic_trainer.__main__ import run_attempt
from critic_trainer.attempt.manifest import read_attempt
from critic_trainer.attempt.schemas import ATTEMPT_SCHEMA
from critic_trainer.engines import ENGINES, engine_for
from critic_trainer.engines.checking import check_all
from critic_trainer.engines.protocol import Engine
from critic_trainer.engines.versions import environment_hash, versions_of

TRAINER = Path(__file__).parent.parent
HEAVY = {"torch", "transformers", "trl", "llamafactory", "accelerate", "datasets"}
KINDS = ["tokenize", "sft", "grpo", "predict"]


def test_the_environment_names_its_versions_without_loading_a_single_package() -> None:
    command = [sys.executable, "-X", "importtime", "-P", "-m", "critic_trainer.engines"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONPATH": str(TRAINER)})
    answer = json.loads(done.stdout)
    engines, missing = answer["engines"], answer["missing"]
    assert engines.keys() | missing.keys() == ENGINES.keys()
    assert engines == {name: versions_of(ENGINES[name]) for name in engines}
    assert "vllm not installed, which vllm needs" in missing["vllm"]
    assert "torch" in engines["transformers"]
    loaded = {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert "critic_trainer" in loaded
    assert not loaded & {*HEAVY, "jsonschema", "yaml", "PIL"}


def test_an_attempt_can_name_the_engines_of_the_registry_each_with_its_own_kind() -> None:
    assert ENGINES.keys() <= set(ATTEMPT_SCHEMA["properties"]["engine"]["properties"]["name"]["enum"])
    kinds = {
        one["if"]["properties"]["engine"]["properties"]["name"]["const"]: one["then"]["properties"].get("kind", {})
        for one in ATTEMPT_SCHEMA["allOf"]
        if "kind" not in one["if"]["properties"]
    }
    assert kinds["llamafactory"] == {"enum": ["sft", "tokenize"]}
    others = {name: engine.kind for name, engine in ENGINES.items() if name != "llamafactory"}
    assert {name: kinds[name]["const"] for name in others} == others


@pytest.mark.parametrize("kind", KINDS)
def test_an_attempt_is_done_by_the_engine_that_it_names(kind: str, make_attempt: MakeAttempt) -> None:
    attempt = read_attempt(make_attempt(kind))
    engine = engine_for(attempt)
    assert (engine.name, engine.kind, engine.attempt) == (attempt.engine, kind, attempt)


def test_an_engine_of_another_kind_is_refused(make_attempt: MakeAttempt) -> None:
    directory = make_attempt("grpo")
    text = (directory / "attempt.json").read_text()
    (directory / "attempt.json").write_text(text.replace('"kind": "grpo"', '"kind": "predict"'))
    with pytest.raises(failures.BadConfigurationError, match=r'attempt\.json: kind: expected "grpo", got "predict"'):
        read_attempt(directory)


def test_a_stage_may_have_any_name_that_is_safe(make_attempt: MakeAttempt) -> None:
    assert read_attempt(make_attempt("predict", stage="predict-grpo-2nd.dataset")).kind == "predict"
    with pytest.raises(failures.BadConfigurationError, match=r"attempt\.json: stage"):
        read_attempt(make_attempt("predict", "a2", stage="../sft"))


RENDER = """
import sys
from pathlib import Path
from critic_trainer.attempt.manifest import read_attempt
from critic_trainer.engines import engine_for
attempt = read_attempt(Path(sys.argv[1]))
attempt.work.mkdir()
engine_for(attempt).render()
print(*{name.split(".")[0] for name in sys.modules})
"""


@pytest.mark.parametrize("kind", KINDS)
def test_rendering_loads_neither_torch_nor_what_the_engine_computes_with(kind: str, make_attempt: MakeAttempt) -> None:
    command = [sys.executable, "-P", "-c", RENDER, make_attempt(kind)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONPATH": str(TRAINER)})
    loaded = set(done.stdout.split())
    assert "critic_trainer" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize("kind", KINDS)
def test_an_attempt_whose_key_names_another_torch_ends_with_78_before_it_works(
    kind: str, make_attempt: MakeAttempt, caplog: pytest.LogCaptureFixture
) -> None:
    engine = ENGINES[ENGINE_NAMES[kind]]
    directory = make_attempt(kind, versions=versions_of(engine) | {"torch": "1.13.1"})
    assert run_attempt(directory) == failures.BAD_CONFIGURATION
    assert "engine: " in caplog.messages[-1]
    assert "instead of 1.13.1" in caplog.messages[-1]
    assert not (directory / "work").exists()


def test_the_hash_of_an_environment_is_of_what_the_packages_need_and_of_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def install(name: str, version: str, *needs: str) -> None:
        for old in tmp_path.glob(f"{name}-*.dist-info"):
            shutil.rmtree(old)
        folder = tmp_path / f"{name}-{version}.dist-info"
        folder.mkdir()
        lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {need}" for need in needs)]
        (folder / "METADATA").write_text("\n".join(lines) + "\n")
        importlib.metadata.MetadataPathFinder().invalidate_caches()

    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    install("zz_top", "1", "zz.middle>=2; python_version > '3'", 'zz-extra; extra == "test"')
    install("zz_middle", "2", "zz_deep")
    for name in ("zz_deep", "zz_extra", "zz_other"):
        install(name, "1")
    before = environment_hash(("zz_top",))
    assert before == environment_hash(("zz-top",))
    for name in ("zz_extra", "zz_other"):
        install(name, "2")
    assert environment_hash(("zz_top",)) == before
    install("zz_deep", "2")
    deep = environment_hash(("zz_top",))
    assert deep != before
    install("flash_attn", "2.8.3")
    assert environment_hash(("zz_top",)) != deep, "engines compute with it where it is, and none says that it needs it"


def test_an_environment_without_a_package_says_which() -> None:
    class Unheard(Engine):
        name = "unheard"
        packages = ("torch", "no-such-package")

    with pytest.raises(failures.BadConfigurationError, match="no-such-package not installed, which unheard needs"):
        versions_of(Unheard)


@pytest.mark.parametrize(
    ("rows", "name", "told"),
    [
        ([0, 1, 2, 3], "checkpoint-8", "it holds 4 rows"),
        ([0, 1, 3, 2], "checkpoint-4", "it is not of these prompts in batches of 4"),
        ([0, 1, 2], "checkpoint-3", "it is not of these prompts in batches of 4"),
        ([0, 1, 2, None], "checkpoint-4", "its predictions cannot be read (predictions.jsonl:4"),
        (None, "checkpoint-4", "its predictions cannot be read"),
        ([0, 1, 2, 3], "newest", "its name is not checkpoint-<step>"),
    ],
)
def test_a_prediction_resumes_from_whole_batches_of_its_own_rows_and_from_nothing_else(
    rows: list[int | None] | None,
    name: str,
    told: str,
    make_attempt: MakeAttempt,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    checkpoint = tmp_path / name
    checkpoint.mkdir()
    if rows is not None:
        lines = ["{" if row is None else json.dumps({"id": f"p{row}"}) for row in rows]
        (checkpoint / "predictions.jsonl").write_text("".join(f"{line}\n" for line in lines))
    directory = make_attempt("predict", resume_from=checkpoint)
    assert run_attempt(directory) == failures.BAD_CONFIGURATION
    assert f'resume_from: "{checkpoint}" is not a complete checkpoint: {told}' in caplog.messages[-1]
    assert not (directory / "metrics.jsonl").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_preview_has_the_settings_that_a_job_renders(kind: str, make_attempt: MakeAttempt) -> None:
    directory = make_attempt(kind)
    raw = json.loads((directory / "attempt.json").read_text())
    request = {"attempt": raw, "directory": str(directory), "base_model": raw["model"], "gpu": False}
    command = [sys.executable, "-P", "-m", "critic_trainer.engines", "render"]
    asked = json.dumps({"attempts": [request]})
    done = subprocess.run(
        command, input=asked, capture_output=True, text=True, check=True, env={"PYTHONPATH": str(TRAINER)}
    )
    rendered = json.loads(done.stdout)["rendered"]
    attempt = read_attempt(directory)
    attempt.work.mkdir()
    engine = engine_for(attempt)
    engine.render()
    if kind in ("sft", "tokenize"):
        written = yaml.safe_load((attempt.work / "llamafactory.yaml").read_text())
        assert rendered == [{"stage": kind, "file": "llamafactory.yaml", "settings": written}]
    elif kind == "grpo":
        assert rendered == [{"stage": "grpo", "file": "grpo_config.json", "settings": engine._settings}]
    else:
        assert rendered == []


def test_a_file_system_that_fails_under_the_checkpoint_is_tried_again_and_no_bad_configuration(
    make_attempt: MakeAttempt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stale(folder: Path) -> tuple[list[str], list[str]]:
        raise OSError(errno.ESTALE, "Stale file handle", str(folder))

    checkpoint = tmp_path / "checkpoint-4"
    checkpoint.mkdir()
    directory = make_attempt("predict", resume_from=checkpoint)
    monkeypatch.setattr("critic_trainer.engines.predictions.engine.read_rows", stale)
    assert run_attempt(directory) == failures.TRY_AGAIN


def test_a_file_system_that_fails_under_a_trainings_checkpoint_is_tried_again_too(
    make_attempt: MakeAttempt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_text = Path.read_text

    def stale(path: Path, *given: str, **named: str) -> str:
        if path.name == "trainer_state.json":
            raise OSError(errno.ESTALE, "Stale file handle", str(path))
        return read_text(path, *given, **named)

    checkpoint = tmp_path / "checkpoint-4"
    checkpoint.mkdir()
    directory = make_attempt("sft", resume_from=checkpoint)
    monkeypatch.setattr(Path, "read_text", stale)
    assert run_attempt(directory) == failures.TRY_AGAIN


def _checked(make_attempt: MakeAttempt, **extra: object) -> list[str]:
    """Faults of an SFT attempt with these further arguments, as `field: expected`."""
    raw = json.loads((make_attempt("sft", name=f"a{len(extra)}-{next(iter(extra))}") / "attempt.json").read_text())
    raw["params"]["llamafactory"] = extra
    entry = {"attempt": raw, "directory": "/nowhere/a1", "base_model": raw["model"], "gpu": True}
    return [f"{one['field']}: {one['expected']}" for one in check_all({"attempts": [entry]})]


def test_settings_that_the_parser_takes_have_no_fault(make_attempt: MakeAttempt) -> None:
    good = {
        "adam_beta2": 0.99,
        "weight_decay": 0,
        "lr_scheduler_type": "linear",
        "pure_bf16": True,
        "flash_attn": "fa2",
    }
    assert _checked(make_attempt, **good, template="qwen2_vl", freeze_vision_tower=True) == []


@pytest.mark.parametrize(
    ("extra", "fault"),
    [
        ({"weight_decay": "much"}, "sft.llamafactory.weight_decay: a number"),
        ({"lora_rank": 8.5}, "sft.llamafactory.lora_rank: a whole number"),
        ({"max_grad_norm": True}, "sft.llamafactory.max_grad_norm: a number"),
        ({"neat_packing": "yes"}, "sft.llamafactory.neat_packing: true or false"),
        ({"flash_attn": "fa9"}, "sft.llamafactory.flash_attn: one of "),
        ({"template": "qwen9"}, "sft.llamafactory.template: a template that LLaMA-Factory knows"),
        (
            {"adam_beta2": 0.99, "lr_scheduler_type": "cosin"},
            "sft.llamafactory.lr_scheduler_type: what LLaMA-Factory's parser takes (cosin is not a valid SchedulerType",
        ),
        ({"finetuning_type": "none"}, "sft.llamafactory.finetuning_type: one of "),
    ],
)
def test_settings_that_would_fail_in_the_job_are_named_before_it(
    extra: dict, fault: str, make_attempt: MakeAttempt
) -> None:
    found = _checked(make_attempt, **extra)
    assert len(found) == 1
    assert found[0].startswith(fault)


def test_settings_of_grpo_go_through_grpo_config(make_attempt: MakeAttempt) -> None:
    raw = json.loads((make_attempt("grpo") / "attempt.json").read_text())
    entry = {"attempt": raw, "directory": "/nowhere/a1", "base_model": raw["model"], "gpu": True}
    assert check_all({"attempts": [entry]}) == []
    raw["params"]["generations"] = 1
    assert [one["field"] for one in check_all({"attempts": [entry]})] == ["grpo"]
