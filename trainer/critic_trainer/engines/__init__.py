"""The engines: each is one way to do one kind of work, behind one protocol (protocol.py).

Importing this loads only the standard library. An engine's launch loads what it computes with.
"""

from critic_trainer.attempt.manifest import Attempt
from critic_trainer.engines.llamafactory import LlamaFactory
from critic_trainer.engines.protocol import Engine
from critic_trainer.engines.transformers import Transformers
from critic_trainer.engines.trl import Trl

ENGINES: dict[str, type[Engine]] = {engine.name: engine for engine in (LlamaFactory, Trl, Transformers)}


def engine_for(attempt: Attempt) -> Engine:
    """The engine that attempt.json names. The schema refuses other names, and a name with the wrong kind."""
    return ENGINES[attempt.engine](attempt)
