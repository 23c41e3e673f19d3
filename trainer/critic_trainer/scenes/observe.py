"""Observing: what became of a source picture, from the pixels alone, by analysis through synthesis.

Every hypothesis (damage x contrast x one changed cell) predicts an edited picture; the one with the least squared error
wins. It looks at drawn scenes only and says so for anything else. numpy and PIL, some ten milliseconds a pair.
"""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from PIL import Image

from .draw import BACKGROUNDS, CELL, COLOURS, SHAPES, SIZE, SOURCE_BACKGROUNDS, Scene, Thing, render, thing_number
from .edits import Change, damaged
from .language import VERDICTS, describe_change, describe_damage, describe_defect, level_word, overall_words

_SEVERITIES = (0.45, 0.7, 0.95)
_CONTRASTS = (1.0, 0.75, 0.5)
_NOTHING_CHANGED_BONUS = 40.0  # squared grey levels a change must explain to be believed
_SOFT = 0.35  # steps softer than this share of the source's: blurred


@dataclass(frozen=True)
class Observation:
    """What was seen: the change (None = none), the damage to the rest and the defect of the picture."""

    change: Change | None
    damage: str
    defect: str


def observe(source: Image.Image, edited: Image.Image) -> Observation:
    """Compares two 56 x 56 pictures of a drawn scene. Raises ValueError for other pictures."""
    before, after = _pixels(source), _pixels(edited)
    scene = _read_scene(before)
    defect = _grid_or_grain(after)
    factor = 7 if defect == "blocks" else 4
    target = after[1::7, 1::7] if defect == "blocks" else _shrunk(after, factor)
    best: tuple[float, Change | None, str] = (float("inf"), None, "none")
    for damage in ("none", "cast", "bar", "background"):
        for severity in _SEVERITIES[: 1 if damage == "none" else 3]:
            cells = _cells(scene, damage, severity, factor)
            for contrast in _CONTRASTS if defect == "none" else (1.0,):
                error, change = _best_change(scene, cells, target, contrast)
                if error < best[0]:
                    best = (error, change, damage)
    if defect == "none" and _sharpness(after) < _SOFT * _sharpness(before):
        defect = "blur"
    return Observation(best[1], best[2], defect)


def critique(observation: Observation, instruction: str, sub_scores: dict[str, float]) -> dict[str, str]:
    """Four parts that justify human sub-scores in [1, 5] by what was observed. No digit, no word of scores given."""
    done = describe_change(observation.change)
    verdict = VERDICTS[_verdict(observation.change, instruction)]
    severity = {name: _severity(sub_scores[name]) for name in ("fidelity", "quality")}
    levels = ", ".join(f"{name} {level_word(sub_scores[name])}" for name in ("alignment", "fidelity", "quality"))
    return {
        "alignment": f"Alignment: {done}, {verdict}",
        "fidelity": f"Fidelity: {describe_damage(observation.damage, severity['fidelity'])}",
        "quality": f"Quality: {describe_defect(observation.defect, severity['quality'])}",
        "overall": f"Overall: {levels}, so {overall_words(sub_scores['overall'])}",
    }


def _severity(score: float) -> float:
    """Inverse of score = 1 + 4 (1 - 0.9 severity), kept within [0.35, 1]."""
    return min(1.0, max(0.35, (5 - score) / 3.6))


def _verdict(change: Change | None, instruction: str) -> str:
    if change is None:
        return "nothing"
    if not _asks_for(instruction, change):
        return "wrong"
    return "half" if change.half else "done"


def _asks_for(instruction: str, change: Change) -> bool:
    """Is this change what the instruction's words ask for?"""
    text = instruction.strip().rstrip(".")
    before, after = change.before, change.after
    if before is None:
        return text == f"Add a {after}"
    if after is None:
        return text == f"Remove the {before}"
    if before.shape == after.shape:
        return text == f"Make the {before} {after.colour}"
    return text == f"Turn the {before} into a {after.shape}"


def _pixels(image: Image.Image) -> np.ndarray:
    if image.size != (SIZE, SIZE):
        raise ValueError(f"expected a picture of {SIZE} x {SIZE} pixels, got {image.size}")
    return np.asarray(image.convert("RGB"), dtype=np.float32)


def _shrunk(pixels: np.ndarray, factor: int) -> np.ndarray:
    """(h, w, 3) -> (h / factor, w / factor, 3) means: noise averages out and the search gets cheap."""
    height, width = pixels.shape[0] // factor, pixels.shape[1] // factor
    return pixels.reshape(height, factor, width, factor, 3).mean(axis=(1, 3))


def _cell(pixels: np.ndarray, index: int) -> np.ndarray:
    size = pixels.shape[-3] // 2
    y, x = size * (index // 2), size * (index % 2)
    return pixels[..., y : y + size, x : x + size, :]


@cache
def _prototypes(background: str) -> tuple[tuple[Thing | None, tuple[int, int], np.ndarray], ...]:
    """Every object, at every shift, in the first cell: (thing, shift, (28, 28, 3) pixels)."""
    found = [(None, (0, 0), _cell(np.asarray(render(Scene((None,) * 4, background)), dtype=np.float32), 0))]
    for kind in range(len(SHAPES) * len(COLOURS)):
        for dx in (-1, 0, 1):
            for dy in (-1, 0, 1):
                scene = Scene((thing_number(kind), None, None, None), background, ((dx, dy),) * 4)
                found.append((thing_number(kind), (dx, dy), _cell(np.asarray(render(scene), dtype=np.float32), 0)))
    return tuple(found)


def _read_scene(pixels: np.ndarray) -> Scene:
    """The clean source, cell by cell. Raises ValueError if no prototype comes close."""
    corner = pixels[0, 0]
    names = sorted(SOURCE_BACKGROUNDS, key=lambda name: float(np.abs(corner - BACKGROUNDS[name]).sum()))
    prototypes = _prototypes(names[0])
    stack = np.stack([pixels_ for _, _, pixels_ in prototypes])
    cells, shifts = [], []
    for index in range(4):
        errors = ((stack - _cell(pixels, index)) ** 2).mean(axis=(1, 2, 3))
        best = int(errors.argmin())
        if errors[best] > 900:
            raise ValueError(f"cell {index} of the source picture is no drawn object")
        cells.append(prototypes[best][0])
        shifts.append(prototypes[best][1])
    return Scene(tuple(cells), names[0], tuple(shifts))


@cache
def _small(background: str, thing: Thing | None, shift: tuple[int, int], factor: int) -> np.ndarray:
    """One cell with one object, shrunk."""
    picture = render(Scene((thing, None, None, None), background, (shift,) * 4))
    return _shrunk(_cell(np.asarray(picture, dtype=np.float32), 0), factor)


def _cells(scene: Scene, damage: str, severity: float, factor: int) -> list[tuple[np.ndarray, list[Change]]]:
    """For each cell its predicted pixels (1 + changes, n, n, 3), first as it was, then after each change."""
    share = 0.4 + 0.6 * severity if damage == "background" else 0.0
    cells = []
    for index, before in enumerate(scene.cells):
        changes = _changes(index, before)
        shift = scene.shifts[index]

        def look(thing: Thing | None, shift: tuple[int, int] = shift) -> np.ndarray:
            light = _small(scene.background, thing, shift, factor)
            return light * (1 - share) + _small("dark", thing, shift, factor) * share

        was = look(before)
        became = {change.after: look(change.after) for change in changes}
        parts = [was] + [(became[c.after] + was) / 2 if c.half else became[c.after] for c in changes]
        cells.append((_damaged(np.stack(parts), damage, severity, scene, index), changes))
    return cells


def _damaged(parts: np.ndarray, damage: str, severity: float, scene: Scene, index: int) -> np.ndarray:
    """Cast or bar on shrunk cells. A bar is a share of each shrunk row."""
    if damage == "cast":
        return damaged(parts, damage, severity, scene)
    if damage != "bar":
        return parts
    blank = np.ones((SIZE, SIZE, 3), dtype=np.float32)
    barred = (damaged(blank, "bar", severity, scene)[:, 0, 0] > 1).astype(np.float32)
    rows = barred[CELL * (index // 2) :][:CELL].reshape(parts.shape[1], -1).mean(axis=1)[:, None, None]
    return parts * (1 - rows) + 20 * rows


def _best_change(
    scene: Scene, cells: list[tuple[np.ndarray, list[Change]]], target: np.ndarray, contrast: float
) -> tuple[float, Change | None]:
    """Least error of any single change, and that change; None if no change explains more than it must."""
    mean = np.mean([parts[0] for parts, _ in cells])
    errors = []
    for index, (parts, _) in enumerate(cells):
        predicted = mean + (parts - mean) * contrast
        errors.append(((predicted - _cell(target, index)) ** 2).mean(axis=(1, 2, 3)))
    base = sum(float(error[0]) for error in errors)
    best: tuple[float, Change | None] = (base - _NOTHING_CHANGED_BONUS, None)
    for (_, changes), error in zip(cells, errors, strict=True):
        number = int(error[1:].argmin())
        total = base - float(error[0]) + float(error[1 + number])
        if total < best[0]:
            best = (total, changes[number])
    return best


@cache
def _changes(cell: int, before: Thing | None) -> list[Change]:
    """Every change of one cell that some edit could have made."""
    changes = []
    for kind in range(len(SHAPES) * len(COLOURS)):
        after = thing_number(kind)
        if before is None or (before.shape == after.shape) != (before.colour == after.colour):
            changes.append(Change(cell, before, after))
    if before is not None:
        changes.append(Change(cell, before, None))
    return changes + [replace(change, half=True) for change in changes]


def _grid_or_grain(after: np.ndarray) -> str:
    """`blocks` by dark lines each 7 pixels, `noise` by a rough picture, else `none`."""
    grey = after.mean(axis=2)
    lines = np.zeros(SIZE, dtype=bool)
    lines[::7] = True
    between = grey[np.ix_(~lines, ~lines)].mean()
    if max(grey[np.ix_(lines, ~lines)].mean(), grey[np.ix_(~lines, lines)].mean()) < between - 8:
        return "blocks"
    return "noise" if np.median(np.abs(np.diff(grey, axis=1))) > 8 else "none"


def _sharpness(pixels: np.ndarray) -> float:
    """Largest step between neighbours, in grey levels; the bar's own edges (middle rows) are left out."""
    rows = np.r_[0 : SIZE // 2 - 6, SIZE // 2 + 6 : SIZE]
    return float(np.percentile(np.abs(np.diff(pixels[rows], axis=1)).max(axis=2), 99))


__all__ = ["Observation", "critique", "observe"]
