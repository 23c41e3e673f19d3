"""Two further sample datasets: the edit was to keep the picture, each cell may be faulty, critiques vary in length.

A cell of the edited picture is faulty with probability 1/2: its object became another one, is gone, or one appeared.
The score is o = 5 - 3.2 x share of faulty cells among those that count. In `inspection`, made so that words help, all
four count. In its control `inspection-first` only the first one counts, which every critique looks at, so that further
words say nothing. MOS is the mean of 15 simulated raters, each round(o + N(0, 0.45)) in 1..5.
A critique goes through the cells in reading order and stops after one to four of them. How many is drawn WITHOUT
regard to the pair (LOOKED_AT). Only one that looked at all four sums up. The score of a record is people's, as always,
so that a short critique leaves it open by what was not looked at. These critiques are drawn; nobody wrote them.
"""

import numpy as np

from .draw import Scene, Thing, thing_number
from .language import LEVELS, PLACES

INSTRUCTION = "Keep the picture as it is."
FAULTY = 0.5
COST = 3.2
COUNTED = {
    "inspection": 4,
    "inspection-first": 1,
}  # cells whose faults lower the score, the first ones in reading order
RATERS = 15
LOOKED_AT = (0.4, 0.2, 0.1, 0.3)  # shares of critiques that look at 1, 2, 3, 4 cells
FORMULA = "o = 5 - 3.2 (share of faulty cells among the first {}); MOS = mean of 15 raters round(o + N(0, 0.45))"
CRITIQUES = (
    "Drawn by critic_trainer.scenes.inspection from the pair's own faults; nobody wrote them. Each looks at the first"
    f" 1, 2, 3 or 4 of four cells, with shares {', '.join(map(str, LOOKED_AT))} whatever the pair is."
)


def spoilt(scene: Scene, rng: np.random.Generator) -> Scene:
    """The scene with each cell replaced with probability FAULTY by another object, or by none where there was one."""
    for index, before in enumerate(scene.cells):
        if rng.random() < FAULTY:
            scene = scene.with_cell(index, _other(before, rng))
    return scene


def faults(source: Scene, edited: Scene) -> list[bool]:
    """For each of the four cells in reading order: is it another one?"""
    return [before != after for before, after in zip(source.cells, edited.cells, strict=True)]


def score(source: Scene, edited: Scene, counted: int = 4) -> float:
    """The score o of the module's formula, 1.8 to 5. counted: how many cells count, 1 to 4."""
    return 5 - COST * sum(faults(source, edited)[:counted]) / counted


def critique(source: Scene, edited: Scene, cells: int) -> str:
    """What a look at the first `cells` (1 to 4) cells shows; of all four also a closing word, by the number of faults.

    Raises ValueError for another number of cells.
    """
    if not 1 <= cells <= len(PLACES):
        raise ValueError(f"cells: expected 1 to {len(PLACES)}, got {cells}")
    pairs = zip(PLACES[:cells], source.cells, edited.cells, strict=False)
    found = ", ".join(f"{place} {_said(before, after)}" for place, before, after in pairs)
    named = sum(faults(source, edited)[:cells])
    word = LEVELS[len(LEVELS) - 1 - named]
    closing = f" Overall: {'an' if word == 'excellent' else 'a'} {word} result." if cells == len(PLACES) else ""
    return f"{found}.{closing}"


def looked_at(rng: np.random.Generator) -> int:
    """How many cells a critique looks at: 1 to 4, by LOOKED_AT."""
    return 1 + int(rng.choice(len(LOOKED_AT), p=LOOKED_AT))


def _said(before: Thing | None, after: Thing | None) -> str:
    was = before or "empty"
    return f"{was} kept" if before == after else f"{was} became {after or 'empty'}"


def _other(before: Thing | None, rng: np.random.Generator) -> Thing | None:
    """Gone with probability 1/3 where there was an object, else an object that is not the one before."""
    if before is not None and rng.random() < 1 / 3:
        return None
    kinds = [thing_number(kind) for kind in range(24) if thing_number(kind) != before]
    return kinds[int(rng.integers(len(kinds)))]
