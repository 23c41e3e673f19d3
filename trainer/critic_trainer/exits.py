"""Exit codes: the trainer's word to the orchestrator, and the exceptions that carry them."""


class JobError(Exception):
    """Ends the job with `code`; the message is one line for the operator."""

    code = 70


class DataError(JobError):
    """The input data is wrong: a missing image, a row that is not as agreed."""

    code = 65


class TryAgainError(JobError):
    """A passing fault, such as a full disk."""

    code = 75


class ConfigError(JobError):
    """attempt.json asks for something that cannot be."""

    code = 78


class Checkpointed(JobError):
    """Asked to stop: a checkpoint was saved and the job wants to be resumed."""

    code = 85


GPU_OUT_OF_MEMORY = 71
BUG = 70
