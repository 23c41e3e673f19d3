"""Edits and degradations: what a pretended editing model does to a scene, and the score it deserves.

Score o = 1 + 4 (0.45 a + 0.25 f + 0.30 q) in [1, 5], where
  a (alignment) = 1 done / 0.55 half done / 0.2 the wrong thing / 0.05 nothing done,
  f (fidelity), q (quality) = 1, or 1 - 0.9 * severity of the damage / defect, severity in [0.35, 1].
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from .draw import BACKGROUNDS, COLOURS, SHAPES, SIZE, Scene, Thing, render

KINDS = ("recolour", "remove", "add", "reshape")
LEVELS = {"done": 1.0, "half": 0.55, "wrong": 0.2, "nothing": 0.05}
LEVEL_SHARES = (0.4, 0.2, 0.2, 0.2)
DAMAGES = ("none", "cast", "bar", "background")
DEFECTS = ("none", "noise", "blur", "blocks")
SHARES = (0.4, 0.2, 0.2, 0.2)
TINTS = {"warm": (255, 120, 0), "cold": (0, 90, 255)}


@dataclass(frozen=True)
class Change:
    """What became of one cell. `before` and `after` are None for an empty cell; `half` = only half way."""

    cell: int
    before: Thing | None
    after: Thing | None
    half: bool = False


@dataclass(frozen=True)
class Edit:
    """An instruction, what was done about it (None = nothing), and what was broken on the way."""

    kind: str
    instruction: str
    level: str
    change: Change | None
    damage: str
    damage_severity: float
    defect: str
    defect_severity: float

    def parts(self) -> tuple[float, float, float]:
        """Alignment, fidelity and quality, each in [0, 1]."""
        fidelity = 1.0 if self.damage == "none" else 1 - 0.9 * self.damage_severity
        quality = 1.0 if self.defect == "none" else 1 - 0.9 * self.defect_severity
        return LEVELS[self.level], fidelity, quality

    def score(self) -> float:
        """The score o of the module's formula, in [1, 5]."""
        a, f, q = self.parts()
        return 1 + 4 * (0.45 * a + 0.25 * f + 0.30 * q)


def random_edit(scene: Scene, rng: np.random.Generator) -> Edit:
    """A random instruction for the scene and a random way to follow it."""
    kind = str(rng.choice(KINDS))
    wanted = _wanted_change(scene, kind, rng)
    level = str(rng.choice(list(LEVELS), p=LEVEL_SHARES))
    change: Change | None = wanted
    if level == "nothing":
        change = None
    elif level == "half":
        change = Change(wanted.cell, wanted.before, wanted.after, half=True)
    elif level == "wrong":
        change = _wrong_change(scene, wanted, kind, rng)
    damage, defect = str(rng.choice(DAMAGES, p=SHARES)), str(rng.choice(DEFECTS, p=SHARES))
    severities = rng.uniform(0.35, 1.0, size=2)
    return Edit(kind, instruction(wanted), level, change, damage, float(severities[0]), defect, float(severities[1]))


def instruction(wanted: Change) -> str:
    """The sentence that asks for a change."""
    match wanted.before, wanted.after:
        case None, Thing() as after:
            return f"Add a {after}."
        case Thing() as before, None:
            return f"Remove the {before}."
        case Thing() as before, Thing() as after if before.shape == after.shape:
            return f"Make the {before} {after.colour}."
        case Thing() as before, Thing() as after:
            return f"Turn the {before} into a {after.shape}."
    raise ValueError(f"no instruction asks for {wanted}")


def apply(scene: Scene, edit: Edit, rng: np.random.Generator) -> Image.Image:
    """The edited picture: change, then damage, then defect. `rng` draws the noise."""
    picture = _changed(scene, edit.change)
    if edit.damage == "background":
        picture = _with_background(scene, edit)
    pixels = np.asarray(picture, dtype=np.float32)
    pixels = damaged(pixels, edit.damage, edit.damage_severity, scene)
    return _defective(pixels, edit.defect, edit.defect_severity, rng)


def damaged(pixels: np.ndarray, damage: str, severity: float, scene: Scene) -> np.ndarray:
    """(56, 56, 3) float pixels with a colour cast or a stray bar; the background changes in drawing."""
    if damage == "cast":
        tint = TINTS["warm" if scene.background != "tan" else "cold"]
        strength = 0.15 + 0.3 * severity
        return pixels * (1 - strength) + np.array(tint, dtype=np.float32) * strength
    if damage == "bar":
        half = 1.5 + 2.5 * severity
        rows = np.abs(np.arange(SIZE) - (SIZE - 1) / 2) < half
        pixels = pixels.copy()
        pixels[rows] = (20, 20, 20)
    return pixels


def _changed(scene: Scene, change: Change | None) -> Image.Image:
    if change is None:
        return render(scene)
    after = render(scene.with_cell(change.cell, change.after))
    return Image.blend(render(scene), after, 0.5) if change.half else after


def _with_background(scene: Scene, edit: Edit) -> Image.Image:
    other = Scene(scene.cells, "dark", scene.shifts)
    changed = _changed(other, edit.change)
    return Image.blend(_changed(scene, edit.change), changed, 0.4 + 0.6 * edit.damage_severity)


def _defective(pixels: np.ndarray, defect: str, severity: float, rng: np.random.Generator) -> Image.Image:
    """Grey noise of sd 25-85, blur with loss of contrast, or 7-pixel blocks with dark grid lines."""
    if defect == "noise":
        pixels = pixels + rng.normal(0, 85 * severity, size=(SIZE, SIZE, 1)).astype(np.float32)
    elif defect == "blur":
        image = _image(pixels).filter(ImageFilter.GaussianBlur(0.8 + 2.2 * severity))
        pixels = np.asarray(image, dtype=np.float32)
        pixels = pixels.mean() + (pixels - pixels.mean()) * (1 - 0.55 * severity)
    elif defect == "blocks":
        small = pixels.reshape(8, 7, 8, 7, 3).mean(axis=(1, 3))
        blocks = np.kron(small, np.ones((7, 7, 1), dtype=np.float32))
        blocks[::7] *= 1 - 0.8 * severity
        blocks[:, ::7] *= 1 - 0.8 * severity
        pixels = blocks
    return _image(pixels)


def _image(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _wanted_change(scene: Scene, kind: str, rng: np.random.Generator) -> Change:
    full = [i for i, thing in enumerate(scene.cells) if thing is not None]
    empty = [i for i, thing in enumerate(scene.cells) if thing is None]
    if kind == "add":
        return Change(int(rng.choice(empty)), None, _new_thing(scene, rng))
    cell = int(rng.choice(full))
    before = scene.cells[cell]
    if before is None:
        raise AssertionError("a full cell is empty")
    if kind == "remove":
        return Change(cell, before, None)
    return Change(cell, before, _variant(before, kind, rng))


def _wrong_change(scene: Scene, wanted: Change, kind: str, rng: np.random.Generator) -> Change:
    """The same kind of change with another outcome or on another object."""
    others = [i for i, thing in enumerate(scene.cells) if thing is not None and i != wanted.cell]
    if kind == "add":
        other = _new_thing(scene, rng)
        while other == wanted.after:
            other = _new_thing(scene, rng)
        return Change(wanted.cell, None, other)
    if kind == "remove" or (others and rng.random() < 0.5):
        cell = int(rng.choice(others))
        before = scene.cells[cell]
        if before is None:
            raise AssertionError("a full cell is empty")
        return Change(cell, before, None if kind == "remove" else _variant(before, kind, rng))
    if wanted.before is None:
        raise AssertionError("only an addition starts from an empty cell")
    other = _variant(wanted.before, kind, rng)
    while other == wanted.after:
        other = _variant(wanted.before, kind, rng)
    return Change(wanted.cell, wanted.before, other)


def _variant(thing: Thing, kind: str, rng: np.random.Generator) -> Thing:
    if kind == "recolour":
        return Thing(thing.shape, str(rng.choice([c for c in COLOURS if c != thing.colour])))
    return Thing(str(rng.choice([s for s in SHAPES if s != thing.shape])), thing.colour)


def _new_thing(scene: Scene, rng: np.random.Generator) -> Thing:
    while True:
        thing = Thing(str(rng.choice(SHAPES)), str(rng.choice(list(COLOURS))))
        if thing not in scene.cells:
            return thing


__all__ = ["BACKGROUNDS", "Change", "Edit", "apply", "damaged", "instruction", "random_edit"]
