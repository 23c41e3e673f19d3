"""First phase: the vision tower alone learns to tell objects, damage and defects apart, by direct supervision.

A language model's gradient through untrained eyes takes hours to find that pictures matter; a linear probe on each
visual token finds it in a minute. The probe is thrown away. Real recipes start from a trained tower for that reason.
"""

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset
from transformers import Qwen2_5_VLForConditionalGeneration

from ..scenes.draw import COLOURS, SHAPES, Scene, Thing, random_scene, render
from ..scenes.edits import DAMAGES, DEFECTS, Edit, apply, random_edit
from .batches import patches

# Columns of a label: shape (or none), colour, damage, defect, severities of damage and defect.
_WIDTHS = (len(SHAPES) + 1, len(COLOURS), len(DAMAGES), len(DEFECTS), 2)
_OUTPUT_SCALE = 0.1  # brings visual tokens (norm about 30) near the size of word embeddings


class Labelled(IterableDataset):
    """Endless batches of 16 pairs: patches (512, 1176) and labels (128, 21), a row for each visual token."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        index = 0
        while True:
            yield self.batch(index)
            index += 1

    def batch(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Batch `index`, which depends on the seed and the index alone."""
        rng = np.random.default_rng([self.seed, 1, index])
        images, labels = [], []
        for _ in range(16):
            scene = random_scene(rng)
            edit = random_edit(scene, rng)
            images += [render(scene), apply(scene, edit, rng)]
            labels += [cell_labels(scene, None), cell_labels(scene, edit)]
        return patches(images), torch.from_numpy(np.concatenate(labels))


def cell_labels(scene: Scene, edit: Edit | None) -> np.ndarray:
    """(4, 21): what is in each cell; a half-made change is half of both. The whole picture's state is in each row."""
    cells = [_looks(thing) for thing in scene.cells]
    change = edit.change if edit else None
    if change is not None:
        after = _looks(change.after)
        cells[change.cell] = (cells[change.cell] + after) / 2 if change.half else after
    damage, defect = (edit.damage, edit.defect) if edit else ("none", "none")
    severities = [
        edit.damage_severity if edit and damage != "none" else 0.0,
        edit.defect_severity if edit and defect != "none" else 0.0,
    ]
    state = [float(name == damage) for name in DAMAGES] + [float(name == defect) for name in DEFECTS] + severities
    return np.stack([np.concatenate([cell, state]) for cell in cells]).astype(np.float32)


def _looks(thing: Thing | None) -> np.ndarray:
    shapes = [float(thing is not None and thing.shape == shape) for shape in SHAPES] + [float(thing is None)]
    return np.array(shapes + [float(thing is not None and thing.colour == colour) for colour in COLOURS])


def train_vision(model: Qwen2_5_VLForConditionalGeneration, seed: int, steps: int, peak: float) -> dict[str, float]:
    """Trains the tower in place. Returns the share of right answers on held-out pictures for each kind of label."""
    tower, width = model.model.visual, model.config.vision_config.out_hidden_size
    probe = torch.nn.Linear(width, sum(_WIDTHS))
    parameters = [*tower.parameters(), *probe.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=peak, betas=(0.9, 0.99), weight_decay=0.01)
    total = 0.0
    for step, (pixels, labels) in zip(
        range(1, steps + 1), DataLoader(Labelled(seed), batch_size=None, num_workers=1), strict=False
    ):
        for group in optimiser.param_groups:
            group["lr"] = peak * min(1, step / 50) * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / steps)))
        loss = _loss(probe(_look(tower, pixels)), labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        optimiser.zero_grad()
        total += loss.item()
        if step % 100 == 0:
            print(f"vision step {step} loss {total / 100:.4f}", flush=True)
            total = 0.0
    pixels, labels = Labelled(seed + 1).batch(0)
    with torch.no_grad():
        right = _right(probe(_look(tower, pixels)), labels)
        for parameter in tower.merger.mlp[2].parameters():
            parameter.mul_(_OUTPUT_SCALE)
    return right


def _look(tower: torch.nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    """(16 n, 1176) patches of n pictures -> (4 n, width) visual tokens."""
    return tower(pixels, grid_thw=torch.tensor([[1, 4, 4]] * (len(pixels) // 16)))


def _loss(output: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    said, true = output.split(_WIDTHS, dim=1), labels.split(_WIDTHS, dim=1)
    full = true[1].sum(dim=1) > 0
    colours = true[1][full] / true[1][full].sum(dim=1, keepdim=True)
    loss = functional.cross_entropy(said[1][full], colours) + 5 * functional.mse_loss(said[4], true[4])
    for kind in (0, 2, 3):
        loss = loss + functional.cross_entropy(said[kind], true[kind])
    return loss


def _right(output: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
    """Share of visual tokens whose most likely label is (one of) the true one(s)."""
    shares = {}
    kinds = ("shape", "colour", "damage", "defect")
    for kind, said, true in zip(kinds, output.split(_WIDTHS, 1), labels.split(_WIDTHS, 1), strict=False):
        known = true.sum(dim=1) > 0
        shares[kind] = round((true[known].gather(1, said[known].argmax(1, keepdim=True)) > 0).float().mean().item(), 4)
    return shares
