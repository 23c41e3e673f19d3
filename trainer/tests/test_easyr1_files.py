"""Files that EasyR1 reads and writes, of both generations, where EasyR1 itself is not installed."""

import importlib.util
import json
import math
import subprocess
import sys
import types
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from critic_trainer.engines.easyr1 import recorder, workers
from critic_trainer.engines.easyr1.checkpoints import shards_fault, tracked_step
from critic_trainer.engines.easyr1.files import (
    check_lengths,
    fitted_size,
    flat_config,
    write_base,
    write_code,
    write_rows,
)
from critic_trainer.engines.easyr1.generations import AUTHORS, CURRENT, Generation, installed_generation, source_hash
from critic_trainer.engines.easyr1.log import normalised, updated
from critic_trainer.failures import BadConfigurationError, BadDataError
from critic_trainer.inputs.rows import PromptRow, read_prompts
from critic_trainer.model_folder import read_pixel_limits
from critic_trainer.reward import accuracy_reward

CRITIC = Path(__file__).parent.parent.parent / "models/tiny-critic"
PARTS = ("model", "optim", "extra_state")


@pytest.mark.parametrize("generation", [CURRENT, AUTHORS])
def test_prompts_are_written_as_the_generation_reads_them(generation: Generation, world: Path, tmp_path: Path) -> None:
    rows = read_prompts(world / "prompts/train.jsonl", world / "dataset")
    file = tmp_path / "train"
    write_rows(file, rows, world / "dataset", generation)
    if generation is AUTHORS:
        from pyarrow import parquet

        found = parquet.read_table(file).to_pylist()
        assert found[0]["images"][0] == {"bytes": rows[0].images[0].read_bytes(), "path": None}
    else:
        found = [json.loads(line) for line in file.read_text().splitlines()]
        assert [world / "dataset" / name for name in found[0]["images"]] == list(rows[0].images)
    assert [row["mos"] for row in found] == [row.mos for row in rows]
    assert found[0]["prompt"] == "<image><image>" + rows[0].prompt


def test_a_prompt_with_an_image_mark_is_refused(world: Path, tmp_path: Path) -> None:
    [row, *_] = read_prompts(world / "prompts/train.jsonl", world / "dataset")
    with pytest.raises(BadDataError, match='prompt "p0": <image> stands in its text'):
        write_rows(tmp_path / "x", [replace(row, prompt="Edit: <image>")], world / "dataset", CURRENT)


def test_prompts_that_would_be_cut_are_refused_and_counted_as_easyr1_would(model: Path, tmp_path: Path) -> None:
    from PIL import Image
    from transformers import AutoProcessor

    Image.new("RGB", (1500, 40)).save(tmp_path / "wide.png")
    row = PromptRow("p1", "Edit: make it red", (tmp_path / "wide.png",), 3.0)
    # RLHFDataset and its process_image, of either generation.
    least, most = read_pixel_limits(model)
    image, factor = Image.open(tmp_path / "wide.png"), math.sqrt(most / (1500 * 40))
    assert most < 1500 * 40
    image = image.resize((int(image.width * factor), int(image.height * factor)))
    processor = AutoProcessor.from_pretrained(model, use_fast=True)
    content = [{"type": "image"}, {"type": "text", "text": row.prompt}]
    text = processor.apply_chat_template(
        [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
    )
    length = processor([image], [text], add_special_tokens=False, return_tensors="pt")["input_ids"].shape[1]
    check_lengths(model, [row], length)
    with pytest.raises(BadDataError, match=rf'1 of 1 prompts have more than {length - 1} tokens .*"p1": {length}\)'):
        check_lengths(model, [row], length - 1)
    assert fitted_size(20, 10, (800, 9000)) == (40, 20)
    assert least < most


def loaded(path: Path) -> types.ModuleType:
    """The module in this file, loaded by its path, as EasyR1 does."""
    spec = importlib.util.spec_from_file_location("custom_reward_fn", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reward_file_gives_our_reward_in_both_ways_of_calling(tmp_path: Path) -> None:
    write_code(tmp_path)
    module = loaded(tmp_path / "easyr1_reward.py")
    assert module.REWARD_TYPE == "sequential"
    answer = "<think>Fine.</think>\n<answer>3.5</answer>"
    given = {"shape": "l2", "floor": 0.05, "format_weight": 0.5}
    accuracy = accuracy_reward(answer, 3.0, "l2", 0.05)
    expected = {"overall": accuracy + 0.5, "format": 1.0, "accuracy": accuracy}
    assert module.compute_score(answer, 3.0, **given) == expected
    current = {"response": answer, "response_length": 9, "ground_truth": 3.0}
    assert module.compute_score(current, **given) == expected
    assert module.compute_score("3.5", 3.0, **given)["format"] == 0


def test_the_prompt_template_leaves_prompts_as_they_are(tmp_path: Path) -> None:
    from jinja2 import Template

    write_code(tmp_path)
    # As RLHFDataset does.
    template = Template((tmp_path / "prompt.jinja").read_text().strip())
    text = "<image>Edit: {{ make }} it <b>red</b> & so\n"
    assert template.render(content=text) == text


def test_the_base_model_of_the_authors_generation_has_a_flat_configuration(model: Path, tmp_path: Path) -> None:
    write_base(model, tmp_path / "base")
    flat = json.loads((tmp_path / "base/config.json").read_text())
    own = json.loads((model / "config.json").read_text())
    assert "text_config" not in flat
    for key in ("hidden_size", "num_hidden_layers", "vocab_size", "rope_scaling", "tie_word_embeddings"):
        assert flat[key] == own["text_config"][key]
    assert (flat["model_type"], flat["vision_config"]) == ("qwen2_5_vl", own["vision_config"])
    assert (tmp_path / "base/model.safetensors").samefile(model / "model.safetensors")
    assert flat_config(flat) == flat


LINE = {
    "step": 3,
    "actor": {"pg_loss": -0.2, "grad_norm": 1.5, "lr": 1e-6, "entropy_loss": 0.3, "ppo_kl": 0.0},
    "reward": {"overall": 1.2, "accuracy": 0.4, "format": 0.8},
    "response_length": {"mean": 51.5, "clip_ratio": 0.25},
    "timing_s": {"step": 4.5},
}


def test_a_line_of_the_log_is_read_under_our_names() -> None:
    step, numbers = normalised(LINE)
    assert step == 3
    assert numbers == {
        "loss": -0.2,
        "grad_norm": 1.5,
        "lr": 1e-6,
        "entropy": 0.3,
        "reward": 1.2,
        "reward_l1": 0.4,
        "reward_format": 0.8,
        "response_length": 51.5,
        "response_clipped": 0.25,
        "step_seconds": 4.5,
    }
    assert updated(LINE)
    assert not updated({"step": 4, "val": {"reward_score": 0.5}})
    assert math.isnan(normalised(json.loads('{"step": 1, "actor": {"grad_norm": NaN}}'))[1]["grad_norm"])


def test_the_recorder_writes_what_the_current_generations_logger_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(recorder.LOG_VARIABLE, str(tmp_path / "log.jsonl"))
    recorder.start_run(run_name="x")
    recorder.log_params({"a": 1})
    recorder.log_metrics(metrics={"actor/lr": 1e-6, "actor/grad_norm": 2}, step=1)
    recorder.log_metrics(metrics={"val/reward_score": 0.5}, step=1)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert normalised(lines[0]) == (1, {"lr": 1e-6, "grad_norm": 2.0})
    assert [updated(line) for line in lines] == [True, False]


def test_ray_is_told_to_set_up_each_worker_process() -> None:
    given = {"env_vars": {"A": "1"}}
    added = workers.add_setup(given)
    assert added == {"env_vars": {"A": "1"}, "worker_process_setup_hook": f"{workers.__name__}.set_up"}
    assert given == {"env_vars": {"A": "1"}}
    assert f"{workers.__name__}.add_setup" == workers.HOOK


def test_processors_are_those_whose_class_the_authors_dataset_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoProcessor, Qwen2VLImageProcessor, Qwen2VLImageProcessorFast

    monkeypatch.setitem(sys.modules, "mlflow", recorder)
    monkeypatch.setattr(AutoProcessor, "from_pretrained", AutoProcessor.from_pretrained)
    fast = AutoProcessor.from_pretrained(CRITIC, use_fast=True).image_processor
    assert type(fast) is Qwen2VLImageProcessorFast
    with pytest.raises(RuntimeError, match="got Qwen2VLImageProcessorFast: positions would be wrong"):
        workers.check_processor(types.SimpleNamespace(image_processor=fast))
    workers.set_up()
    assert type(AutoProcessor.from_pretrained(CRITIC, use_fast=True).image_processor) is Qwen2VLImageProcessor


def checkpoint(folder: Path, processes: int) -> Path:
    """A whole global_step_2."""
    made = folder / "global_step_2"
    (made / "actor/huggingface").mkdir(parents=True)
    names = [f"{part}_world_size_{processes}_rank_{rank}.pt" for rank in range(processes) for part in PARTS]
    for file in [*(made / "actor" / name for name in names), made / "dataloader.pt"]:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("data", "x" * 100)
    for name in ("config.json", "tokenizer_config.json", "preprocessor_config.json"):
        (made / "actor/huggingface" / name).write_text("{}")
    return made


def test_a_checkpoint_is_whole_when_every_ranks_parts_are(tmp_path: Path) -> None:
    made = checkpoint(tmp_path, 2)
    assert shards_fault(made, 2) is None
    assert shards_fault(made, 1) == "global_step_2/actor/model_world_size_1_rank_0.pt is missing or cut short"
    files = sorted(file for file in made.rglob("*") if file.is_file())
    assert len(files) == 10
    for file in files:
        whole = file.read_bytes()
        if file.suffix == ".pt":
            file.write_bytes(whole[:60])
            assert shards_fault(made, 2) == f"{file.relative_to(tmp_path)} is missing or cut short"
        file.unlink()
        assert str(shards_fault(made, 2)).startswith(f"{file.relative_to(tmp_path)} is missing")
        file.write_bytes(whole)
    assert shards_fault(made, 2) is None


def test_the_tracker_names_a_step_once_it_is_whole(tmp_path: Path) -> None:
    assert tracked_step(tmp_path, CURRENT) is None
    (tmp_path / "checkpoint_tracker.json").write_text('{"best_global_step": 2, "last_global_step": 4, ')
    assert tracked_step(tmp_path, CURRENT) is None
    (tmp_path / "checkpoint_tracker.json").write_text('{"best_global_step": 2, "last_global_step": 4}')
    assert tracked_step(tmp_path, CURRENT) == 4
    (tmp_path / "latest_global_step.txt").write_text("")
    assert tracked_step(tmp_path, AUTHORS) is None
    (tmp_path / "latest_global_step.txt").write_text("12")
    assert tracked_step(tmp_path, AUTHORS) == 12


def test_the_generation_is_read_of_the_source_without_running_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "verl"
    package.mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    hashes = []
    for version, expected in (("0.3.3.dev0", CURRENT), ("0.3.0", AUTHORS)):
        (package / "__init__.py").write_text(f'raise SystemError("run")\n__version__ = "{version}"\n')
        assert installed_generation() is expected
        hashes.append(source_hash())
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "model_merger.py").write_text("import torch\n")
    hashes.append(source_hash())
    assert len(set(hashes)) == 3, "the merger makes what is published"
    (package / "__init__.py").write_text('__version__ = "0.9.1"\n')
    with pytest.raises(BadConfigurationError, match=r"the package verl here is 0\.9\.1"):
        installed_generation()


@pytest.mark.parametrize("complaint", ["Cannot find key a in rank 1.", "-" * 30])
def test_a_merger_that_takes_another_shard_in_a_missing_ones_place_fails(complaint: str, tmp_path: Path) -> None:
    script = tmp_path / "model_merger.py"
    script.write_text(
        f'import sys\nif __name__ == "__main__":\n    print(sys.argv[1])\n    print({complaint!r})\n    print("on")\n'
    )
    command = [sys.executable, "-m", "critic_trainer.engines.easyr1.merger", str(script), "first"]
    done = subprocess.run(command, cwd=Path(__file__).parent.parent, capture_output=True, text=True)
    assert done.returncode != 0
    assert done.stdout.splitlines() == ["first", complaint]
    assert "the merger has no tensor to take" in done.stderr
