"""Scenes: 56 x 56 RGB pictures of four 28 x 28 cells, at most one object a cell.

One cell is exactly one merged visual token of Qwen2.5-VL (patch 14, merge 2), so a tiny model can tell objects apart.
Drawing only; what is done to a scene is in `edits`, what is said about it in `language`.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

SIZE = 56
CELL = 28
SHAPES = ("circle", "square", "triangle", "cross")
COLOURS = {
    "red": (214, 40, 40),
    "green": (40, 160, 60),
    "blue": (40, 80, 220),
    "yellow": (240, 205, 30),
    "purple": (140, 50, 170),
    "orange": (240, 130, 30),
}
BACKGROUNDS = {"white": (245, 245, 245), "grey": (200, 200, 205), "tan": (225, 205, 175), "dark": (70, 75, 85)}
SOURCE_BACKGROUNDS = ("white", "grey", "tan")
_SCALE = 4  # supersampling, for smooth edges


@dataclass(frozen=True)
class Thing:
    """One object: its shape and colour."""

    shape: str
    colour: str

    def __str__(self) -> str:
        return f"{self.colour} {self.shape}"


@dataclass(frozen=True)
class Scene:
    """Four cells in reading order (None = empty), a background, and a shift of each object in pixels (-1..1)."""

    cells: tuple[Thing | None, Thing | None, Thing | None, Thing | None]
    background: str
    shifts: tuple[tuple[int, int], ...] = ((0, 0),) * 4

    def with_cell(self, index: int, thing: Thing | None) -> "Scene":
        """The same scene with one cell changed."""
        cells = list(self.cells)
        cells[index] = thing
        return Scene(tuple(cells), self.background, self.shifts)


def random_scene(rng: np.random.Generator) -> Scene:
    """Two or three different objects in random cells, on a light background."""
    count = int(rng.integers(2, 4))
    places = rng.permutation(4)[:count]
    kinds = rng.permutation(len(SHAPES) * len(COLOURS))[:count]
    cells: list[Thing | None] = [None] * 4
    for place, kind in zip(places, kinds, strict=True):
        cells[place] = thing_number(int(kind))
    shifts = tuple((int(x), int(y)) for x, y in rng.integers(-1, 2, size=(4, 2)))
    return Scene(tuple(cells), str(rng.choice(SOURCE_BACKGROUNDS)), shifts)


def thing_number(kind: int) -> Thing:
    """The kind-th object, 0..23."""
    return Thing(SHAPES[kind // len(COLOURS)], tuple(COLOURS)[kind % len(COLOURS)])


def render(scene: Scene) -> Image.Image:
    """The scene as a 56 x 56 RGB picture."""
    image = Image.new("RGB", (SIZE * _SCALE, SIZE * _SCALE), BACKGROUNDS[scene.background])
    draw = ImageDraw.Draw(image)
    for index, thing in enumerate(scene.cells):
        if thing is not None:
            dx, dy = scene.shifts[index]
            _draw_thing(draw, thing, CELL * (index % 2) + CELL / 2 + dx, CELL * (index // 2) + CELL / 2 + dy)
    return image.resize((SIZE, SIZE), Image.Resampling.BOX)


def _draw_thing(draw: ImageDraw.ImageDraw, thing: Thing, x: float, y: float) -> None:
    x, y, r = x * _SCALE, y * _SCALE, 9 * _SCALE
    fill = COLOURS[thing.colour]
    match thing.shape:
        case "circle":
            draw.ellipse((x - r, y - r, x + r, y + r), fill=fill)
        case "square":
            draw.rectangle((x - r, y - r, x + r, y + r), fill=fill)
        case "triangle":
            draw.polygon(((x, y - r), (x - r, y + r), (x + r, y + r)), fill=fill)
        case "cross":
            draw.rectangle((x - r, y - r / 3, x + r, y + r / 3), fill=fill)
            draw.rectangle((x - r / 3, y - r, x + r / 3, y + r), fill=fill)
        case _:
            raise ValueError(f"unknown shape {thing.shape!r}")
