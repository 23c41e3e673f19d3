"""Conversations of the pre-training: fresh scenes, two pictures, questions about them.

`naming`: what is where, what changed, what is wrong. `reporting`: a report in the critic's own words (perception only),
and an example review of another edit that is told and not shown, with random level words and a random score: it teaches
form and language, and nothing about the pictures. `reading`: language alone, does this sentence say that what was asked
for was done? No turn holds a verdict on, or a score of, the pair that is shown.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from ..scenes.draw import Scene, random_scene, render
from ..scenes.edits import Edit, apply, random_edit
from ..scenes.language import (
    VERDICTS,
    describe_change,
    describe_damage,
    describe_defect,
    describe_scene,
    level_word,
    overall_words,
)

PHASES = ("naming", "reporting", "reading")
REASONING_PROMPT = "Edit: {instruction}\nReason about alignment, fidelity and quality, then give a score from 1 to 5."
DIRECT_PROMPT = "Edit: {instruction}\nGive a score from 1 to 5 only."


@dataclass(frozen=True)
class Conversation:
    """Two pictures and (user, assistant) turns; the pictures belong to the first user turn."""

    source: Image.Image
    edited: Image.Image
    turns: tuple[tuple[str, str], ...]


def conversation(rng: np.random.Generator, phase: str = "reporting") -> Conversation:
    """One random conversation of one of the PHASES."""
    match phase:
        case "naming":
            return _naming(rng)
        case "reporting":
            return _reporting(rng)
        case "reading":
            return _reading(rng) if rng.random() < 0.6 else _reporting(rng)
    raise ValueError(f"expected one of {', '.join(PHASES)}, got {phase!r}")


def _naming(rng: np.random.Generator) -> Conversation:
    """What changed, if anything, what is in the pictures, what is wrong; half of the edited ones have no fault."""
    scene = random_scene(rng)
    edit = random_edit(scene, rng)
    if rng.random() < 0.5:
        edit = replace(edit, damage="none", defect="none")
    if rng.random() < 0.2:
        edit = replace(edit, level="nothing", change=None)
    change = edit.change
    after = scene if change is None or change.half else scene.with_cell(change.cell, change.after)
    others = [
        ("Describe the first picture.", describe_scene(scene)),
        ("Describe the second picture.", describe_scene(after)),
        ("Did anything change?", "no." if change is None else "yes."),
        ("What is wrong?", _faults(edit)),
    ]
    other = others[int(rng.choice(4, p=(0.2, 0.2, 0.2, 0.4)))]
    turns = [("What changed?", describe_change(change) + "."), other]
    return Conversation(render(scene), apply(scene, edit, rng), tuple(turns[i] for i in rng.permutation(2)))


def _reporting(rng: np.random.Generator) -> Conversation:
    """A report under an instruction that has nothing to do with the edit, so that it can't be guessed from it."""
    scene = random_scene(rng)
    edit = random_edit(scene, rng)
    if rng.random() < 0.1:
        edit = replace(edit, level="nothing", change=None)
    asked = random_edit(scene, rng).instruction
    change = describe_change(edit.change)
    turns = [(f"Edit: {asked}\nReport what you see.", f"<think>Alignment: {change}. {_faults(edit)}</think>")]
    if rng.random() < 0.5:
        turns.insert(int(rng.integers(0, 2)), ("What is wrong?", _faults(edit)))
    if rng.random() < 0.25:
        turns.insert(int(rng.integers(0, 2)), ("What changed?", change + "."))
    if rng.random() < 0.5:
        turns.append(_example_review(scene, rng))
    return Conversation(render(scene), apply(scene, edit, rng), tuple(turns))


def _reading(rng: np.random.Generator) -> Conversation:
    """Language alone: four examples of edits that are told and not shown; is the change the one that was asked for?"""
    turns = []
    for _ in range(4):
        edit = random_edit(random_scene(rng), rng)
        while (edit.level == "done" and rng.random() < 0.4) or (
            edit.level in ("half", "nothing") and rng.random() < 0.6
        ):
            edit = random_edit(random_scene(rng), rng)
        said = f"Alignment: {describe_change(edit.change)}, {VERDICTS[edit.level]}"
        turns.append((f"Edit: {edit.instruction}\nExample alignment.", said))
    shown = random_scene(rng)
    return Conversation(render(shown), render(shown), tuple(turns))


def _faults(edit: Edit) -> str:
    damage = describe_damage(edit.damage, edit.damage_severity)
    return f"Fidelity: {damage} Quality: {describe_defect(edit.defect, edit.defect_severity)}"


def _example_review(scene: Scene, rng: np.random.Generator) -> tuple[str, str]:
    """Form and language, not sight: of an edit that is not the one shown. Level words and score are drawn at random.

    Its verdict follows from its own words, whether the sentence on the change says what the instruction asks for.
    """
    score = f"{rng.uniform(1, 5):.2f}"
    if rng.random() < 0.2:
        return "Example score only.", score
    edit = random_edit(scene, rng)
    alignment = f"Alignment: {describe_change(edit.change)}, {VERDICTS[edit.level]}"
    levels = ", ".join(f"{name} {level_word(rng.uniform(1, 5))}" for name in ("alignment", "fidelity", "quality"))
    think = f"{alignment} {_faults(edit)} Overall: {levels}, so {overall_words(rng.uniform(1, 5))}"
    return f"Edit: {edit.instruction}\nExample review.", f"<think>{think}</think>\n<answer>{score}</answer>"


def corpus(seed: int, count: int) -> Iterator[str]:
    """Texts for the tokenizer: every turn, and the two prompts that the critic will see."""
    rng = np.random.default_rng([seed, 1])
    for _ in range(count):
        for talk in (_naming(rng), _reporting(rng)):
            for user, assistant in talk.turns:
                yield user
                yield assistant
        wanted = talk.turns[0][0].split("\n")[0].removeprefix("Edit: ")
        yield REASONING_PROMPT.format(instruction=wanted)
        yield DIRECT_PROMPT.format(instruction=wanted)
