"""The engines: each is one way to do one kind of work, behind one protocol (protocol.py).

Importing this loads only the standard library. An engine's launch loads what it computes with.
"""

from critic_trainer.attempt.manifest import Attempt
from critic_trainer.engines.easyr1.engine import EasyR1
from critic_trainer.engines.llamafactory import LlamaFactory
from critic_trainer.engines.llamafactory_tokenize import LlamaFactoryTokenize
from critic_trainer.engines.protocol import Engine
from critic_trainer.engines.transformers import Transformers
from critic_trainer.engines.trl.engine import Trl
from critic_trainer.engines.verl.engine import Verl
from critic_trainer.engines.vllm.engine import Vllm

ENGINES: dict[str, type[Engine]] = {
    engine.name: engine for engine in (LlamaFactory, Trl, EasyR1, Verl, Transformers, Vllm)
}


_FURTHER: dict[tuple[str, str], type[Engine]] = {("llamafactory", "tokenize"): LlamaFactoryTokenize}
"""Other work of an engine than its usual kind, in the same environment."""


def engine_for(attempt: Attempt) -> Engine:
    """The engine that attempt.json names. The schema refuses other names, and a name with the wrong kind."""
    return _FURTHER.get((attempt.engine, attempt.kind), ENGINES[attempt.engine])(attempt)
