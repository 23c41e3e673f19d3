"""The sample dataset: IE-Bench's shape, drawn here, deterministic from a seed.

`DIR/pairs.jsonl`, `DIR/images/src/*.png`, `DIR/images/edited/*.png`, `DIR/dataset.json`. Splits are by source picture.
MOS: the mean of five simulated raters, each round(o + N(0, 0.45)) clipped to 1..5, where o is the score of `edits`; the
three dimensions likewise from 1 + 4 x their part. With `--critiques` pairs of the train split have a `critique`.
`--kind` draws one of the datasets of `inspection`, which have critiques of their own.
"""

import argparse
import json
import os
import shutil
from pathlib import Path

import numpy as np

from . import inspection
from .draw import Scene, random_scene, render
from .edits import apply, random_edit
from .own_words import ABOUT, own_critique

GENERATOR_VERSION = 2
RATERS = 5
RATER_NOISE = 0.45
KINDS = ("edits", *inspection.COUNTED)
METHODS = ("SketchEdit", "PixelSwap", "CellPaint", "BoxTune")  # pretended editing models
FORMULA = "o = 1 + 4 (0.45 alignment + 0.25 fidelity + 0.30 quality); MOS = mean of 5 raters round(o + N(0, 0.45))"


def main() -> None:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(prog="critic_trainer.scenes", description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--sources", type=int, default=100, help="source pictures, at least 10")
    parser.add_argument("--edits", type=int, default=10, help="edits of each source, at least 1")
    parser.add_argument("--critiques", action="store_true", help="train pairs get a `critique` by templates")
    parser.add_argument("--kind", choices=KINDS, default="edits", help="edits, or critiques of several lengths")
    args = parser.parse_args()
    if args.sources < 10 or args.edits < 1:
        parser.error("--sources: expected at least 10; --edits: expected at least 1")
    if args.critiques and args.kind != "edits":
        parser.error(f"--critiques: expected it with --kind edits alone; {args.kind} always has critiques of its own")
    if generate(args.out, args.seed, args.sources, args.edits, args.kind, critiques=args.critiques):
        print(f"wrote {args.sources * args.edits} pairs to {args.out}")
    else:
        print(f"{args.out} is there already, with the same settings")


def generate(out: Path, seed: int, sources: int, edits: int, kind: str = "edits", *, critiques: bool = False) -> bool:
    """Writes the dataset unless it stands. True if it wrote. Raises FileExistsError if another one is there.

    kind: one of KINDS. critiques: with "edits", pairs of the train split get one by templates.
    """
    counted = inspection.COUNTED.get(kind)
    card = {
        "schema": 1,
        "name": f"{'sample' if counted is None else kind}-{seed}-{sources}x{edits}",
        "seed": seed,
        "generator_version": GENERATOR_VERSION,
        "sources": sources,
        "edits_per_source": edits,
        "counts": {split: edits * splits(sources).count(split) for split in ("train", "dev", "test")},
        "mos_formula": FORMULA if counted is None else inspection.FORMULA.format(counted),
    }
    if critiques:
        card["critiques"] = ABOUT
    if counted is not None:
        card |= {"kind": kind, "critiques": inspection.CRITIQUES}
    if (out / "dataset.json").exists():
        if json.loads((out / "dataset.json").read_text()) == card:
            return False
        raise FileExistsError(f"{out} holds another dataset: choose another folder or remove it")
    temporary = out.with_name(f"{out.name}.tmp-{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)
    (temporary / "images/src").mkdir(parents=True)
    (temporary / "images/edited").mkdir()
    with (temporary / "pairs.jsonl").open("w") as file:
        if counted is None:
            rows = write_pairs(temporary, seed, sources, edits, critiques=critiques)
        else:
            rows = write_inspections(temporary, seed, sources, edits, counted)
        for row in rows:
            file.write(json.dumps(row) + "\n")
    (temporary / "dataset.json").write_text(json.dumps(card, indent=2) + "\n")
    temporary.rename(out)
    return True


def splits(sources: int) -> list[str]:
    """Split of each source in order: 70 % train, 10 % dev, 20 % test, at least one source each."""
    dev = max(1, round(sources * 0.1))
    test = max(1, round(sources * 0.2))
    return ["train"] * (sources - dev - test) + ["dev"] * dev + ["test"] * test


def scene_of(seed: int, source: int) -> Scene:
    """The source scene with this number; the pre-training draws from other streams of other seeds."""
    return random_scene(np.random.default_rng([seed, 10, source]))


def write_pairs(root: Path, seed: int, sources: int, edits: int, *, critiques: bool = False) -> list[dict]:
    """Draws and writes every picture; rows in the order of sources and edits. Critiques change nothing else."""
    rows = []
    seen: set[Scene] = set()
    for source, split in enumerate(splits(sources)):
        rng = np.random.default_rng([seed, 11, source])
        words = np.random.default_rng([seed, 13, source])
        scene = scene_of(seed, source)
        while scene in seen:
            scene = random_scene(rng)
        name = save_source(root, source, scene, seen)
        for number in range(edits):
            edit = random_edit(scene, rng)
            pair = f"{name}-e{number:02d}"
            apply(scene, edit, rng).save(root / f"images/edited/{pair}.png")
            alignment, fidelity, quality = edit.parts()
            rows.append(
                {
                    "id": pair,
                    "source_id": name,
                    "split": split,
                    "instruction": edit.instruction,
                    "source_image": f"images/src/{name}.png",
                    "edited_image": f"images/edited/{pair}.png",
                    "mos": {
                        "overall": mos(edit.score(), rng),
                        "alignment": mos(1 + 4 * alignment, rng),
                        "fidelity": mos(1 + 4 * fidelity, rng),
                        "quality": mos(1 + 4 * quality, rng),
                    },
                    "method": str(rng.choice(METHODS)),
                    "edit_kind": edit.kind,
                    **({"critique": own_critique(edit, words)} if critiques and split == "train" else {}),
                }
            )
    return rows


def save_source(root: Path, source: int, scene: Scene, seen: set[Scene]) -> str:
    """Renders a source that no other is like, and notes that it was seen. Its name."""
    seen.add(scene)
    name = f"s{source:04d}"
    render(scene).save(root / f"images/src/{name}.png")
    return name


def write_inspections(root: Path, seed: int, sources: int, edits: int, counted: int) -> list[dict]:
    """Like write_pairs, for the datasets of `inspection`. Pairs of the train split have a `critique`."""
    rows = []
    seen: set[Scene] = set()
    for source, split in enumerate(splits(sources)):
        rng = np.random.default_rng([seed, 12, source])
        scene = random_scene(rng)
        while scene in seen:
            scene = random_scene(rng)
        name = save_source(root, source, scene, seen)
        for number in range(edits):
            edited = inspection.spoilt(scene, rng)
            cells = inspection.looked_at(rng)
            pair = f"{name}-e{number:02d}"
            render(edited).save(root / f"images/edited/{pair}.png")
            row = {
                "id": pair,
                "source_id": name,
                "split": split,
                "instruction": inspection.INSTRUCTION,
                "source_image": f"images/src/{name}.png",
                "edited_image": f"images/edited/{pair}.png",
                "mos": {"overall": mos(inspection.score(scene, edited, counted), rng, inspection.RATERS)},
                "method": str(rng.choice(METHODS)),
                "edit_kind": "keep",
            }
            if split == "train":
                row["critique"] = inspection.critique(scene, edited, cells)
            rows.append(row)
    return rows


def mos(score: float, rng: np.random.Generator, raters: int = RATERS) -> float:
    """Mean opinion of the simulated raters, in [1, 5], two decimals."""
    ratings = np.clip(np.rint(score + rng.normal(0, RATER_NOISE, size=raters)), 1, 5)
    return round(float(ratings.mean()), 2)
