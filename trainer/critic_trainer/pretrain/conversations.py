"""Conversations of the pre-training: fresh scenes, two pictures, five turns about them.

Turns: the first picture; what changed; what is wrong; a report in the critic's own words (perception only); and
an unrelated example review whose words and score are random, which teaches the format and nothing about the pictures.
No turn holds a verdict on, or a score of, the pair that is shown.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ..scenes.draw import Thing, random_scene, render, thing_number
from ..scenes.edits import DAMAGES, DEFECTS, Change, apply, random_edit
from ..scenes.language import (
    VERDICTS,
    describe_change,
    describe_damage,
    describe_defect,
    describe_scene,
    overall_words,
)

REASONING_PROMPT = "Edit: {instruction}\nReason about alignment, fidelity and quality, then give a score from 1 to 5."
DIRECT_PROMPT = "Edit: {instruction}\nGive a score from 1 to 5 only."


@dataclass(frozen=True)
class Conversation:
    """Two pictures and (user, assistant) turns; the pictures belong to the first user turn."""

    source: Image.Image
    edited: Image.Image
    turns: tuple[tuple[str, str], ...]


def conversation(rng: np.random.Generator) -> Conversation:
    """One random conversation."""
    scene = random_scene(rng)
    edit = random_edit(scene, rng)
    change = describe_change(edit.change)
    damage = describe_damage(edit.damage, edit.damage_severity)
    defect = describe_defect(edit.defect, edit.defect_severity)
    report = f"<think>Alignment: {change}. Fidelity: {damage} Quality: {defect}</think>"
    turns = [
        (f"Edit: {edit.instruction}\nReport what you see.", report),
        ("What changed?", change + "."),
        ("What is wrong?", f"Fidelity: {damage} Quality: {defect}"),
        ("Describe the first picture.", describe_scene(scene)),
    ]
    order = [0, *(1 + rng.permutation(3))] if rng.random() < 0.5 else [*(1 + rng.permutation(3)), 0]
    chosen = [turns[i] for i in order]
    chosen.append(_example_review(rng))
    return Conversation(render(scene), apply(scene, edit, rng), tuple(chosen))


def _example_review(rng: np.random.Generator) -> tuple[str, str]:
    """Form only: change, verdict, damage, defect, overall words and score are drawn independently of each other."""
    change = describe_change(_random_change(rng))
    verdict = str(rng.choice(list(VERDICTS.values())))
    damage = describe_damage(str(rng.choice(DAMAGES)), float(rng.uniform(0.35, 1)))
    defect = describe_defect(str(rng.choice(DEFECTS)), float(rng.uniform(0.35, 1)))
    overall = overall_words(float(rng.uniform(1, 5)))
    score = f"{rng.uniform(1, 5):.2f}"
    if rng.random() < 0.3:
        return "Example score only.", score
    think = f"Alignment: {change}, {verdict} Fidelity: {damage} Quality: {defect} Overall: {overall}"
    return "Example review.", f"<think>{think}</think>\n<answer>{score}</answer>"


def _random_change(rng: np.random.Generator) -> Change | None:
    things: list[Thing | None] = [thing_number(int(i)) for i in rng.integers(0, 24, size=2)]
    if rng.random() < 0.15:
        return None
    before, after = things
    if rng.random() < 0.5:
        after = Thing(before.shape, after.colour) if before and after else after
    elif before and after:
        after = Thing(after.shape, before.colour)
    gone = rng.random()
    if gone < 0.25:
        before = None
    elif gone < 0.5:
        after = None
    return Change(0, before, after, half=bool(rng.random() < 0.3))


def corpus(seed: int, count: int) -> Iterator[str]:
    """Texts for the tokenizer: every turn, and the two prompts that the critic will see."""
    rng = np.random.default_rng([seed, 1])
    for _ in range(count):
        talk = conversation(rng)
        for user, assistant in talk.turns:
            yield user
            yield assistant
        wanted = talk.turns[0][0].split("\n")[0].removeprefix("Edit: ")
        yield REASONING_PROMPT.format(instruction=wanted)
        yield DIRECT_PROMPT.format(instruction=wanted)
