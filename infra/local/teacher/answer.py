"""Answer: the critique of a question, by rule, with `critic_trainer.scenes`."""

from critic_trainer.scenes import critique, observe
from critic_trainer.scenes.draw import SIZE
from critic_trainer.scenes.language import VERDICTS, degree, level_word, overall_words
from PIL import Image

from .request import BadRequestError, Question, read_instruction, read_scores


def write_critique(question: Question) -> dict[str, str]:
    """What justifies the scores: of two pictures what it sees in them, of the edit alone what the scores say."""
    match question.images:
        case [source, edited]:
            return _compare(question, source, edited)
        case [edited]:
            return _judge_alone(question, edited)
    raise BadRequestError(
        f"expected two images, the source and the edited one, or the edited one alone, got {len(question.images)}"
    )


def _compare(question: Question, source: Image.Image, edited: Image.Image) -> dict[str, str]:
    try:
        observation = observe(source, edited)
    except ValueError as error:
        raise BadRequestError(f"the stand-in can look at drawn scenes only: {error}") from error
    return critique(observation, read_instruction(question.text), read_scores(question.text))


def _judge_alone(question: Question, edited: Image.Image) -> dict[str, str]:
    """The change and the damage cannot be seen without the source, so the words follow from the scores alone."""
    if edited.size != (SIZE, SIZE):
        raise BadRequestError(
            f"the stand-in can look at drawn scenes only: expected {SIZE} x {SIZE} pixels, got {edited.size}"
        )
    scores = read_scores(question.text)
    levels = ", ".join(f"{name} {level_word(scores[name])}" for name in ("alignment", "fidelity", "quality"))
    return {
        "alignment": f"Alignment: by the edited picture, {VERDICTS[_verdict(scores['alignment'])]}",
        "fidelity": "Fidelity: "
        + _spoiled(scores["fidelity"], "the rest is kept as it was.", "the rest was {} changed."),
        "quality": f"Quality: {_spoiled(scores['quality'], 'it is clean and sharp.', 'it is {} spoiled.')}",
        "overall": f"Overall: {levels}, so {overall_words(scores['overall'])}",
    }


def _verdict(alignment: float) -> str:
    """The verdict whose score (1 + 4 × 1, 0.55, 0.2, 0.05) is the nearest one."""
    means = {"done": 5.0, "half": 3.2, "wrong": 1.8, "nothing": 1.2}
    return min(means, key=lambda name: abs(means[name] - alignment))


def _spoiled(score: float, clean: str, spoiled: str) -> str:
    """Above 4.4 nothing is spoiled. Severity is the inverse of score = 1 + 4 (1 - 0.9 severity)."""
    return clean if score > 4.4 else spoiled.format(degree(min(1.0, max(0.35, (5 - score) / 3.6))))
