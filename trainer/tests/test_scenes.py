"""The sample data: deterministic, disjoint splits, MOS as documented, an observer that sees what was done."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file
from transformers import AutoProcessor, Qwen2_5_VLForConditionalGeneration

from critic_trainer.pretrain.architecture import save_model
from critic_trainer.pretrain.batches import patches
from critic_trainer.pretrain.conversations import PHASES, conversation
from critic_trainer.pretrain.vision import cell_labels
from critic_trainer.scenes import critique, observe
from critic_trainer.scenes.dataset import generate, scene_of
from critic_trainer.scenes.draw import Scene, Thing, random_scene, render
from critic_trainer.scenes.edits import Change, Edit, apply, random_edit
from critic_trainer.scenes.own_words import own_critique

BASE = Path(__file__).parents[2] / "models" / "tiny-critic"


def rows_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "pairs.jsonl").read_text().splitlines()]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        assert generate(tmp_path / name, seed, 10, 2)
    files = {path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file()}
    assert len(files) == 10 + 20 + 2
    assert all((tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes() for file in files)
    assert (tmp_path / "a" / "pairs.jsonl").read_bytes() != (tmp_path / "c" / "pairs.jsonl").read_bytes()


def test_an_existing_dataset_is_left_and_another_one_is_never_overwritten(tmp_path: Path) -> None:
    assert generate(tmp_path / "d", 7, 10, 1)
    assert not generate(tmp_path / "d", 7, 10, 1)
    with pytest.raises(FileExistsError):
        generate(tmp_path / "d", 8, 10, 1)


def test_no_source_is_in_two_splits_and_every_mos_is_in_range(tmp_path: Path) -> None:
    generate(tmp_path / "d", 7, 20, 5)
    rows = rows_of(tmp_path / "d")
    assert len(rows) == 100
    splits: dict[str, set[str]] = {}
    for row in rows:
        splits.setdefault(row["source_id"], set()).add(row["split"])
        assert all(1 <= value <= 5 for value in row["mos"].values())
    assert all(len(found) == 1 for found in splits.values())


def test_critiques_say_what_was_drawn_and_change_nothing_else(tmp_path: Path) -> None:
    assert generate(tmp_path / "plain", 7, 10, 4)
    assert generate(tmp_path / "told", 7, 10, 4, critiques=True)
    plain, told = rows_of(tmp_path / "plain"), rows_of(tmp_path / "told")
    critiques = {row["id"]: row.pop("critique", None) for row in told}
    assert told == plain
    assert all((critiques[row["id"]] is not None) == (row["split"] == "train") for row in plain)
    texts = [text for text in critiques.values() if text is not None]
    assert len(set(texts)) > len(texts) / 2
    assert not any(letter.isdigit() for text in texts for letter in text)
    assert "no person wrote them" in json.loads((tmp_path / "told" / "dataset.json").read_text())["critiques"]
    with pytest.raises(FileExistsError):
        generate(tmp_path / "told", 7, 10, 4)


def test_a_critique_names_what_is_spoiled_and_leaves_out_what_is_fine() -> None:
    blue = Change(0, Thing("circle", "red"), Thing("circle", "blue"))
    spoiled = Edit("recolour", "Make the red circle blue.", "done", blue, "bar", 0.9, "blur", 0.4)
    fine = Edit("recolour", "Make the red circle blue.", "done", blue, "none", 0.9, "none", 0.4)
    parts = {
        "the red circle became blue, so the request is fully met.",
        "a stray bar cuts badly through the rest.",
        "it is slightly blurred.",
    }
    orders = set()
    for seed in range(20):
        text = own_critique(spoiled, np.random.default_rng(seed))
        assert {f"{part}." for part in text.rstrip(".").split(". ")} == parts
        orders.add(text)
        assert own_critique(fine, np.random.default_rng(seed)) == (
            "the red circle became blue, so the request is fully met."
        )
    assert len(orders) == 2


def test_the_mos_follows_the_documented_score() -> None:
    from critic_trainer.scenes.dataset import mos

    rng = np.random.default_rng(3)
    scores = [random_edit(random_scene(rng), rng).score() for _ in range(400)]
    opinions = [mos(score, rng) for score in scores]
    assert np.corrcoef(scores, opinions)[0, 1] > 0.9
    assert min(scores) >= 1 and max(scores) <= 5


def test_the_observer_sees_what_was_done_from_the_pixels_alone() -> None:
    rng = np.random.default_rng(5)
    seen = {"change": 0, "damage": 0, "defect": 0}
    count = 150
    for _ in range(count):
        scene = random_scene(rng)
        edit = random_edit(scene, rng)
        found = observe(render(scene), apply(scene, edit, rng))
        seen["change"] += found.change == edit.change
        seen["damage"] += found.damage == edit.damage
        seen["defect"] += found.defect == edit.defect
    assert all(right / count > 0.9 for right in seen.values()), seen


def test_the_observer_refuses_a_picture_that_is_no_scene() -> None:
    scene = render(random_scene(np.random.default_rng(1)))
    with pytest.raises(ValueError, match="56 x 56"):
        observe(scene.resize((64, 64)), scene)


def test_a_critique_has_its_four_parts_in_order_and_no_digit() -> None:
    rng = np.random.default_rng(6)
    scene = random_scene(rng)
    edit = random_edit(scene, rng)
    found = observe(render(scene), apply(scene, edit, rng))
    parts = critique(found, edit.instruction, {"alignment": 3.0, "fidelity": 2.2, "quality": 4.8, "overall": 3.4})
    assert list(parts) == ["alignment", "fidelity", "quality", "overall"]
    text = " ".join(parts.values())
    assert not any(character.isdigit() for character in text)
    assert "score" not in text


@pytest.mark.parametrize("phase", PHASES)
def test_the_pre_training_shows_no_score_of_the_shown_pair_and_draws_other_scenes(phase: str) -> None:
    rng = np.random.default_rng([20251118, 2, 0])
    talks = [conversation(rng, phase) for _ in range(50)]
    said = [answer for talk in talks for asked, answer in talk.turns if "Example" not in asked]
    assert said
    assert not any(character.isdigit() for answer in said for character in answer)
    assert not any("so the" in answer for answer in said)
    drawn = {talk.source.tobytes() for talk in talks}
    assert not drawn & {render(scene_of(7, source)).tobytes() for source in range(100)}


def test_the_tower_is_taught_what_is_in_each_cell() -> None:
    scene = Scene((Thing("circle", "red"), None, Thing("cross", "blue"), None), "white")
    faded = Edit("remove", "", "half", Change(0, scene.cells[0], None, half=True), "none", 0.5, "blur", 0.5)
    labels = cell_labels(scene, faded)
    assert labels.shape == (4, 21)
    assert labels[0, :11].tolist() == [0.5, 0, 0, 0, 0.5, 0.5, 0, 0, 0, 0, 0]
    assert labels[1, :11].tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    assert labels[2, :11].tolist() == [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]
    assert labels[3, 11:].tolist() == [1, 0, 0, 0, 0, 0, 1, 0, 0, 0.5]


def test_patches_are_the_image_processors_own() -> None:
    processor = AutoProcessor.from_pretrained(BASE)
    talk = conversation(np.random.default_rng(0))
    theirs = processor.image_processor([talk.source, talk.edited], return_tensors="pt")["pixel_values"]
    assert (patches([talk.source, talk.edited]) - theirs).abs().max() < 1e-5


def test_the_shipped_base_is_small_and_says_how_it_was_made() -> None:
    assert sum(path.stat().st_size for path in BASE.iterdir()) < 6_000_000
    card = json.loads((BASE / "pretraining.json").read_text())
    assert all(share > 0.9 for share in card["vision"]["right"].values())
    for phase in card["phases"]:
        ce = phase["held_out_cross_entropy"]
        assert ce["own_pictures"] < 0.5 * ce["other_pictures"]


def test_the_tiny_base_names_its_class_and_ties_its_output_to_its_embeddings(tmp_path: Path) -> None:
    """transformers 5 reads both at the top level of config.json; without them its lm_head is random."""
    import torch

    committed = json.loads((BASE / "config.json").read_text())
    assert committed["architectures"] == ["Qwen2_5_VLForConditionalGeneration"]
    assert committed["tie_word_embeddings"] is True
    loaded = Qwen2_5_VLForConditionalGeneration.from_pretrained(BASE)
    stored = load_file(BASE / "model.safetensors")["model.embed_tokens.weight"]
    assert torch.equal(loaded.lm_head.weight, stored)
    assert loaded.lm_head.weight.data_ptr() == loaded.get_input_embeddings().weight.data_ptr()

    save_model(loaded, tmp_path)
    written = json.loads((tmp_path / "config.json").read_text())
    assert {key: written[key] for key in ("architectures", "tie_word_embeddings")} == {
        key: committed[key] for key in ("architectures", "tie_word_embeddings")
    }
    assert torch.equal(Qwen2_5_VLForConditionalGeneration.from_pretrained(tmp_path).lm_head.weight, stored)
