"""Language: what is said about a pair of pictures, by pre-training and offline teacher alike."""

from .draw import Scene, Thing
from .edits import Change

PLACES = ("top left", "top right", "bottom left", "bottom right")
DAMAGE_WORDS = {
    "none": "the rest is kept as it was.",
    "cast": "a colour cast lies {degree} over the rest.",
    "bar": "a stray bar cuts {degree} through the rest.",
    "background": "the background was {degree} changed.",
}
DEFECT_WORDS = {
    "none": "it is clean and sharp.",
    "noise": "it is {degree} noisy.",
    "blur": "it is {degree} blurred.",
    "blocks": "it is {degree} broken into blocks.",
}
VERDICTS = {
    "done": "so the request is fully met.",
    "half": "so the request is only half met.",
    "wrong": "so the wrong thing was done.",
    "nothing": "so the request is ignored.",
}
LEVELS = ("bad", "poor", "fair", "good", "excellent")
DEGREES = ("slightly", "clearly", "badly")


def degree(severity: float) -> str:
    """Severity in [0.35, 1] as one of three words."""
    return DEGREES[min(2, max(0, int((severity - 0.35) / 0.65 * 3)))]


def describe_scene(scene: Scene) -> str:
    """What is where, in reading order."""
    parts = [f"{place} {thing or 'empty'}" for place, thing in zip(PLACES, scene.cells, strict=True)]
    return ", ".join(parts) + "."


def describe_change(change: Change | None) -> str:
    """The observed change, without a word on whether it was asked for."""
    match change:
        case None:
            return "nothing changed"
        case Change(before=None, after=Thing() as after, half=half):
            return f"a {'faint ' if half else ''}{after} appeared"
        case Change(before=Thing() as before, after=None, half=half):
            return f"the {before} {'faded but is still there' if half else 'is gone'}"
        case Change(before=Thing() as before, after=Thing() as after, half=half):
            outcome = after.colour if before.shape == after.shape else f"a {after.shape}"
            return f"the {before} became {'half way ' if half else ''}{outcome}"
    raise ValueError(f"not a change: {change}")


def describe_damage(damage: str, severity: float) -> str:
    """What happened to what should have stayed."""
    return DAMAGE_WORDS[damage].format(degree=degree(severity))


def describe_defect(defect: str, severity: float) -> str:
    """How the picture itself looks."""
    return DEFECT_WORDS[defect].format(degree=degree(severity))


def level_word(score: float) -> str:
    """A score in [1, 5] as one of five words, by equal fifths."""
    return LEVELS[min(4, max(0, int((score - 1) / 4 * 5)))]


def overall_words(score: float) -> str:
    """The closing phrase of a critique for an overall score in [1, 5]."""
    word = level_word(score)
    return f"{'an' if word == 'excellent' else 'a'} {word} result."
