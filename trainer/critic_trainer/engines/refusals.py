"""What parsers answer to a wrong value."""

# ImportError: the value needs a package that is not there.
REFUSALS = (ValueError, TypeError, KeyError, OSError, ImportError)
WITHOUT_GPU = {"use_cpu": True, "bf16": False}
"""What is switched off of transformers' arguments, so that their parser asks for no GPU."""


def words_of(error: BaseException) -> str:
    """The error in one line, at most 300 characters."""
    return " ".join(str(error).split())[:300]
