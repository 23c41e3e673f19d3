"""Answer: the critique of a question, by rule, with `critic_trainer.scenes`."""

from critic_trainer.scenes import critique, observe

from .request import BadRequestError, Question, read_instruction, read_scores


def write_critique(question: Question) -> dict[str, str]:
    """Looks at both pictures and says, in the order of the aspects, what justifies the scores."""
    if len(question.images) != 2:
        raise BadRequestError(f"expected two images, the source and the edited one, got {len(question.images)}")
    source, edited = question.images
    try:
        observation = observe(source, edited)
    except ValueError as error:
        raise BadRequestError(f"the stand-in can look at drawn scenes only: {error}") from error
    return critique(observation, read_instruction(question.text), read_scores(question.text))
