"""The second sample dataset: critiques say what is so, their length is not the pair's, files are stable."""

import json
from pathlib import Path

import numpy as np
import pytest

from critic_trainer.scenes import inspection
from critic_trainer.scenes.dataset import generate
from critic_trainer.scenes.draw import Scene, Thing, random_scene
from critic_trainer.scenes.selection import selection

SOURCE = Scene((Thing("circle", "red"), None, Thing("cross", "blue"), Thing("square", "green")), "white")
EDITED = Scene((Thing("circle", "blue"), Thing("cross", "red"), Thing("cross", "blue"), None), "white")


def rows_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "pairs.jsonl").read_text().splitlines()]


def test_a_critique_says_what_became_of_the_cells_that_it_looks_at_and_sums_up_only_a_whole_look() -> None:
    assert inspection.critique(SOURCE, EDITED, 1) == "top left red circle became blue circle."
    assert inspection.critique(SOURCE, EDITED, 4) == (
        "top left red circle became blue circle, top right empty became red cross, bottom left blue cross kept,"
        " bottom right green square became empty. Overall: a poor result."
    )
    assert inspection.critique(SOURCE, SOURCE, 4).endswith("Overall: an excellent result.")
    for cells in (0, 5):
        with pytest.raises(ValueError, match=f"cells: expected 1 to 4, got {cells}"):
            inspection.critique(SOURCE, EDITED, cells)


def test_the_score_falls_by_each_faulty_cell_and_half_of_the_cells_are_faulty() -> None:
    assert inspection.score(SOURCE, SOURCE) == 5
    assert inspection.score(SOURCE, EDITED) == pytest.approx(5 - 3 * 0.8)
    assert inspection.score(SOURCE, EDITED, 1) == pytest.approx(5 - 3.2)
    assert inspection.score(SOURCE, SOURCE.with_cell(3, None), 1) == 5
    rng = np.random.default_rng(1)
    shares = []
    for _ in range(500):
        scene = random_scene(rng)
        shares.append(np.mean(inspection.faults(scene, inspection.spoilt(scene, rng))))
    assert np.mean(shares) == pytest.approx(0.5, abs=0.05)


def test_how_much_a_critique_looks_at_has_nothing_to_do_with_the_score(tmp_path: Path) -> None:
    assert generate(tmp_path / "d", 7, 60, 10, "inspection")
    train = [row for row in rows_of(tmp_path / "d") if row["split"] == "train"]
    cells = [row["critique"].count(" kept") + row["critique"].count(" became") for row in train]
    assert set(cells) == {1, 2, 3, 4}
    assert abs(np.corrcoef(cells, [row["mos"]["overall"] for row in train])[0, 1]) < 0.12  # 2.5 errors of 420 pairs


def test_only_pairs_to_learn_from_have_a_critique_and_the_card_says_who_wrote_it(tmp_path: Path) -> None:
    generate(tmp_path / "d", 7, 10, 3, "inspection")
    for row in rows_of(tmp_path / "d"):
        assert ("critique" in row) == (row["split"] == "train")
        assert (tmp_path / "d" / row["source_image"]).is_file()
        assert (tmp_path / "d" / row["edited_image"]).is_file()
        assert 1 <= row["mos"]["overall"] <= 5
    card = json.loads((tmp_path / "d" / "dataset.json").read_text())
    assert card["kind"] == "inspection"
    assert "nobody wrote them" in card["critiques"]


def test_the_same_seed_gives_the_same_dataset_and_the_other_kind_is_never_taken_for_it(tmp_path: Path) -> None:
    for name in ("a", "b"):
        generate(tmp_path / name, 7, 10, 2, "inspection")
    files = {path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file()}
    assert len(files) == 10 + 20 + 2
    assert all((tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes() for file in files)
    assert not generate(tmp_path / "a", 7, 10, 2, "inspection")
    for other in ("edits", "inspection-first"):
        with pytest.raises(FileExistsError):
            generate(tmp_path / "a", 7, 10, 2, other)


def test_the_control_has_the_same_pictures_and_critiques_and_only_other_scores(tmp_path: Path) -> None:
    for kind in inspection.COUNTED:
        generate(tmp_path / kind, 7, 10, 5, kind)
    ours, control = (rows_of(tmp_path / kind) for kind in inspection.COUNTED)
    assert [row.get("critique") for row in ours] == [row.get("critique") for row in control]
    pictures = [(tmp_path / kind / "images/edited/s0003-e01.png").read_bytes() for kind in inspection.COUNTED]
    assert pictures[0] == pictures[1]
    assert [row["mos"] for row in ours] != [row["mos"] for row in control]
    for row in control:
        if "critique" in row:
            first = " became" in row["critique"].split(",")[0].split(".")[0]
            assert row["mos"]["overall"] == pytest.approx(1.8 if first else 5, abs=0.6)


def answer(words: str, score: str) -> tuple[int, str]:
    text = f"<think>{words}</think>\n<answer>{score}</answer>"
    return len(text.split()), text


def test_length_goes_with_advantage_exactly_where_longer_answers_judge_better() -> None:
    short, long = "top left empty kept.", "top left empty kept, top right red cross became empty."
    better = selection(
        [3.0, 4.0], [[answer(short, "4.00"), answer(long, "3.10")], [answer(short, "2.5"), answer(long, "4.0")]]
    )
    assert all(value == pytest.approx(1, abs=0.01) for value in better["length_with_advantage"].values())
    assert [better["by_cells"][cells]["distance"] for cells in (1, 2)] == [1.25, 0.05]
    worse = selection([3.0], [[answer(short, "3.0"), answer(long, "4.5"), answer(long, "none")]])
    assert all(value < -0.9 for value in worse["length_with_advantage"].values())
    assert worse["unreadable"] == 1
    # That all answers to one prompt are longer than those to another changes nothing.
    far = [(length + 500, text) for length, text in (answer(short, "2.5"), answer(long, "4.0"))]
    apart = selection([3.0, 4.0], [[answer(short, "4.00"), answer(long, "3.10")], far])
    assert apart["length_with_advantage"]["l1"] == pytest.approx(1, abs=0.01)
    # Longer answers to another prompt are no reason: only those to the same one are compared.
    apart = selection([3.0, 3.0], [[answer(short, "1.0")] * 2, [answer(long, "3.0")] * 2])
    assert set(apart["length_with_advantage"].values()) == {None}
    with pytest.raises(ValueError, match="expected at least one, got none"):
        selection([], [])
