"""Sample data: drawn scenes, edits and degradations, their language, and a look at them from the pixels."""

from .observe import Observation, critique, observe

__all__ = ["Observation", "critique", "observe"]
