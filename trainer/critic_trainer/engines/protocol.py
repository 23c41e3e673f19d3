"""What every engine does for an attempt: render → launch, with progress and checkpoints → publish.

An engine's own module loads only the standard library when it is imported, so any process can ask for its packages and
have it render. `launch` loads the rest. The twin in TypeScript, `domain/engines/`, says what the
orchestrator must know: parameters, planned steps, keys that a recipe may not set.
"""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, ClassVar

from critic_trainer.attempt.checkpoints import KEEP, checkpoint_step, publish_checkpoint
from critic_trainer.attempt.manifest import Attempt
from critic_trainer.attempt.metrics import Metrics
from critic_trainer.attempt.result import WorkDone
from critic_trainer.attempt.stop_request import StopRequest
from critic_trainer.failures import BadConfigurationError
from critic_trainer.ranks import Ranks

Fault = dict[str, Any]
"""`field` below the recipe, `value`, `expected`."""
COMMON_PACKAGES = ("torch", "torchvision", "transformers", "tokenizers", "numpy", "pillow")


class Engine(ABC):
    """One attempt that one engine works on. `run_engine` calls the methods in the order of this file."""

    name: ClassVar[str]
    """As attempt.json and artifact keys name it."""
    kind: ClassVar[str]
    packages: ClassVar[tuple[str, ...]]
    """Installed packages whose versions determine the output."""
    settings_file: ClassVar[str | None] = None
    """How the engine's own settings are called. None: it has none beside attempt.json."""

    def __init__(self, attempt: Attempt) -> None:
        self.attempt = attempt
        self.ranks = Ranks()

    @classmethod
    def further_versions(cls) -> dict[str, str]:
        """Versions of what is no installed distribution, such as the hash of a checkout's code. Raises ImportError."""
        return {}

    @property
    def processes(self) -> int | None:
        """Number of processes that the attempt is meant for; None: of one, and it knows no others."""
        return None

    @property
    def kept_checkpoints(self) -> int:
        """How many of this attempt's checkpoints stand at a time."""
        return KEEP

    @abstractmethod
    def render(self) -> None:
        """Checks the inputs and makes the engine's own settings of attempt.json; may write files into work/.

        Raises BadDataError or BadConfigurationError. Loads no torch: what is wrong is found in a second.
        """

    def settings(self, gpu: bool) -> dict[str, Any]:
        """The engine's own settings as `render` makes them on a node with or without a GPU. Reads the model alone.

        Raises BadConfigurationError.
        """
        return {}

    def faults(self) -> list[Fault]:
        """What the engine's own parser, and we after it, refuse of the settings. Needs no GPU; may load the engine."""
        return []

    @abstractmethod
    def checkpoint_fault(self, path: Path) -> str | None:
        """Why `path` is no checkpoint that this attempt could resume from, or None if it is one.

        Asked of the one to resume from after `render`, and of each new one before it is published.
        """

    def before_checkpoint(self, written: Path) -> None:  # noqa: B027 - most have nothing to add
        """Adds to a checkpoint just written what the engine itself does not note, before it is looked at."""

    @abstractmethod
    def launch(self, progress: "Progress") -> WorkDone:
        """Does the work. Tells `progress` each step's numbers and each checkpoint, and stops when it says so.

        The result stays in work/. Numbers that are not finite end it with `finite` False. Raises CheckpointedError when
        it was asked to stop, and whatever the engine raises.
        """

    @abstractmethod
    def publish(self) -> None:
        """Makes output/ appear, whole, by one rename. Raises RuntimeError if what was made is not complete."""


class Progress:
    """What a launch tells while it works, and whether it is asked to stop."""

    def __init__(self, engine: Engine, stop: StopRequest, resumed_from_step: int | None) -> None:
        self._engine = engine
        self._stop = stop
        self.metrics = Metrics(engine.attempt.directory / "metrics.jsonl", engine.attempt.attempt)
        self.resumed_from_step = resumed_from_step

    @property
    def stop_requested(self) -> bool:
        """If so: publish a checkpoint after this step, then raise CheckpointedError."""
        return self._stop.requested

    def tell_stop(self) -> None:
        """Lets the other ranks know of the request: perhaps this one alone got the signal."""
        self._stop.tell()

    def checkpoint(self, written: Path) -> None:
        """Publishes the folder `checkpoint-<step>` that stands in work/. Raises RuntimeError if it is incomplete."""
        self._engine.before_checkpoint(written)
        engine = self._engine
        publish_checkpoint(written, engine.attempt.checkpoints, engine.checkpoint_fault, engine.kept_checkpoints)


def run_engine(engine: Engine, stop: StopRequest, ranks: Ranks = Ranks()) -> WorkDone:  # noqa: B008 - frozen
    """The whole protocol for one attempt. Work that diverged is not published; of several ranks the first publishes."""
    engine.ranks = ranks
    engine.render()
    progress = Progress(engine, stop, _resumed_step(engine))
    work = engine.launch(progress)
    if work.finite and ranks.first:
        engine.publish()
    return work


def _resumed_step(engine: Engine) -> int | None:
    """Step of the checkpoint to resume from. BadConfigurationError if it is incomplete: never a start from step 0."""
    path = engine.attempt.resume_from
    if path is None:
        return None
    step = checkpoint_step(path)
    fault = engine.checkpoint_fault(path) if step is not None else "its name is not checkpoint-<step>"
    if fault is not None:
        raise BadConfigurationError(f'attempt.json: resume_from: "{path}" is not a complete checkpoint: {fault}')
    return step
