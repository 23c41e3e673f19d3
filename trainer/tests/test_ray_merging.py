"""Merged weights: looked at before they count, and published with the base model's other files."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from critic_trainer.engines.ray.merging import assemble, merge_faults, run_merger
from critic_trainer.model_folder import publish_model, untied_fault

Change = Callable[[dict[str, torch.Tensor]], None]


@pytest.fixture
def merged(model: Path, tmp_path: Path) -> Path:
    """What a merger would write of the model after one step: weights in bf16, and a configuration of its own."""
    folder = tmp_path / "merged"
    folder.mkdir()
    weights = {name: (tensor + 0.1).bfloat16() for name, tensor in load_file(model / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text('{"transformers_version": "5.9.0"}')
    return folder


def change(folder: Path, how: Change) -> None:
    weights = load_file(folder / "model.safetensors")
    how(weights)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def test_trained_weights_have_no_fault_and_are_published_with_the_base_models_other_files(
    model: Path, merged: Path, tmp_path: Path
) -> None:
    assert merge_faults(merged, model) == []
    assemble(merged, model, tmp_path / "trainer")
    publish_model(tmp_path / "trainer", tmp_path / "staging", tmp_path / "output")
    config = json.loads((tmp_path / "output" / "config.json").read_text())
    assert config == json.loads((model / "config.json").read_text()) | {"tie_word_embeddings": True}
    assert (tmp_path / "output" / "preprocessor_config.json").is_file()
    assert load_file(tmp_path / "output" / "model.safetensors")["model.norm.weight"].dtype == torch.bfloat16


def remove(weights: dict[str, torch.Tensor]) -> None:
    del weights["model.norm.weight"]


def add(weights: dict[str, torch.Tensor]) -> None:
    weights["lm_head.weight"] = torch.zeros(2, 2)


def reshape(weights: dict[str, torch.Tensor]) -> None:
    weights["model.norm.weight"] = torch.zeros(3)


def spoil(weights: dict[str, torch.Tensor]) -> None:
    weights["model.norm.weight"][0] = float("nan")


@pytest.mark.parametrize(
    ("how", "fault"),
    [
        (remove, "1 tensors are missing (model.norm.weight, …)"),
        (add, "1 tensors are not of it (lm_head.weight, …)"),
        (reshape, "model.norm.weight has shape (3,) instead of"),
        (spoil, "model.norm.weight holds NaN or infinity"),
    ],
)
def test_weights_that_are_not_the_base_models_are_not_published(
    how: Change, fault: str, model: Path, merged: Path, tmp_path: Path
) -> None:
    change(merged, how)
    with pytest.raises(RuntimeError) as caught:
        assemble(merged, model, tmp_path / "trainer")
    assert fault in str(caught.value)
    assert not (tmp_path / "trainer").exists()


def test_an_output_layer_that_is_written_out_must_be_what_it_is_tied_to(model: Path, merged: Path) -> None:
    change(merged, lambda weights: weights.update({"lm_head.weight": weights["model.embed_tokens.weight"].clone()}))
    assert merge_faults(merged, model) == []
    change(merged, lambda weights: weights["lm_head.weight"].add_(1))
    assert merge_faults(merged, model) == ["1 tensors are not of it (lm_head.weight, …)"]


def test_weights_that_nothing_has_changed_are_a_fault(model: Path, merged: Path) -> None:
    base = {name: tensor.bfloat16() for name, tensor in load_file(model / "model.safetensors").items()}
    save_file(base, merged / "model.safetensors", {"format": "pt"})
    assert merge_faults(merged, model) == ["no tensor differs from the base's"]


def test_a_cut_file_is_a_fault(model: Path, merged: Path) -> None:
    file = merged / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-10])
    assert "its header says" in merge_faults(merged, model)[0]


def test_a_merger_that_misses_a_tensor_or_fails_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parent.parent}")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    module = tmp_path / "a_merger.py"
    module.write_text("print('merged')")
    run_merger(["a_merger"], tmp_path)
    module.write_text("print('Cannot find key model.norm.weight in rank 1')")
    with pytest.raises(RuntimeError, match=r"a_merger ended with 0 and said: Cannot find key model\.norm\.weight"):
        run_merger(["a_merger"], tmp_path)
    module.write_text("raise SystemExit('no shards')")
    with pytest.raises(RuntimeError, match="a_merger ended with 1 and said: no shards"):
        run_merger(["a_merger"], tmp_path)


def test_a_model_that_transformers_5_would_give_a_random_output_layer_is_told_from_others(
    model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(model, folder)
    config = json.loads((folder / "config.json").read_text())
    config.pop("tie_word_embeddings", None)
    assert config["text_config"]["tie_word_embeddings"]
    (folder / "config.json").write_text(json.dumps(config))
    assert "config.json lacks tie_word_embeddings" in str(untied_fault(folder))
    publish_model(folder, tmp_path / "staging", tmp_path / "output")
    assert untied_fault(tmp_path / "output") is None
    change(tmp_path / "output", lambda weights: weights.update({"lm_head.weight": torch.zeros(1)}))
    (tmp_path / "output" / "config.json").write_text(json.dumps(config))
    assert untied_fault(tmp_path / "output") is None
