"""An engine whose own driver trains on Ray. Ours starts Ray, runs the driver as a child, and watches what it writes.

The driver knows nothing of us: its settings are rendered, its numbers come from the file that it logs to, its
checkpoints are published when they are whole. It has no signal handler, so a request to stop ends it, and the steps
since its last checkpoint are lost.
"""

import json
import logging
import sys
import time
from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar

from critic_trainer.attempt.checkpoints import checkpoint_step
from critic_trainer.attempt.result import WorkDone
from critic_trainer.device import has_gpu
from critic_trainer.engines.protocol import Engine, Progress
from critic_trainer.engines.ray.cluster import READY_SECONDS, Cluster
from critic_trainer.engines.ray.pace import steps_between_checkpoints
from critic_trainer.failures import BadConfigurationError
from critic_trainer.files import write_json
from critic_trainer.inputs.rows import PromptRow, read_prompts
from critic_trainer.model_folder import publish_model
from critic_trainer.ranks import ended_first

log = logging.getLogger(__name__)
_WORLD = "critic_world.json"
_LAUNCHER = "critic_trainer.engines.ray.launcher"


class RayEngine(Engine):
    """One rank on each node. The first starts the head of Ray, the driver and, at the end, the merge of the shards."""

    kind = "grpo"
    driver: ClassVar[str]
    """The driver's module, as `python -m` takes it."""

    @property
    def processes(self) -> int:
        """Ranks, not GPUs: one on each node keeps its Ray."""
        return int(self.attempt.params["nodes"])

    @property
    def world(self) -> int:
        """Processes that train: GPUs, or on nodes without any what shares their CPUs."""
        return self.processes * int(self.attempt.params["processes_per_node"])

    @property
    def kept_checkpoints(self) -> int:
        return int(self.attempt.params["save_limit"])

    @property
    def save_steps(self) -> int:
        """Steps from one checkpoint to the next: the recipe's, or fewer where a kill would cost more than it allows."""
        return steps_between_checkpoints(self.attempt)

    @property
    @abstractmethod
    def log(self) -> Path:
        """Where the driver logs, one JSON object a line."""

    @abstractmethod
    def arguments(self) -> list[str]:
        """Of the driver's command line."""

    def variables(self) -> dict[str, str]:
        """Further environment variables of the driver and of everything on Ray."""
        return {}

    @abstractmethod
    def numbers(self, entry: dict[str, Any]) -> tuple[int, dict[str, float]] | None:
        """The step and its numbers under the names of metrics.jsonl. None: the line is of no training step."""

    @abstractmethod
    def tracked_step(self) -> int | None:
        """The step of the last checkpoint that the driver says it has written. None, also for a file half-written."""

    @abstractmethod
    def written(self, step: int) -> Path:
        """Where the driver writes the checkpoint of a step."""

    @abstractmethod
    def shards_fault(self, folder: Path) -> str | None:
        """Why `folder`, as the driver wrote it, is not whole for `world` processes, or None."""

    @abstractmethod
    def merge(self, checkpoint: Path) -> None:
        """Makes a Hugging Face model in work/ of a published checkpoint. Raises RuntimeError if it is no good one."""

    def before_checkpoint(self, written: Path) -> None:
        write_json(written / _WORLD, {"schema": 1, "engine": self.name, "processes": self.world})

    def checkpoint_fault(self, path: Path) -> str | None:
        """`path` holds what the driver wrote, under its own name, and how many processes wrote it."""
        step = checkpoint_step(path)
        if step is None:
            return "its name is not checkpoint-<step>"
        try:
            noted = json.loads((path / _WORLD).read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError) as error:
            return f"{_WORLD} cannot be read ({error})"
        if noted.get("processes") != self.world:
            return (
                f"{noted.get('processes')} processes wrote it and this job has {self.world}, to which {self.name} "
                "cannot change: give the job the nodes and GPUs of the earlier one, or start it from the beginning"
            )
        return self.shards_fault(path / self.written(step).name)

    def launch(self, progress: Progress) -> WorkDone:
        from critic_trainer.engines.ray.driver import Driving

        done = progress.resumed_from_step
        if done is not None and done == self.attempt.planned_steps and self.attempt.resume_from is not None:
            return self._merge_alone(self.attempt.resume_from, done)
        cluster = Cluster(self.attempt.directory, self.ranks, int(self.attempt.params["processes_per_node"]), has_gpu())
        try:
            cluster.start(self.variables())
            if not self.ranks.first:
                return self._serve(cluster)
            cluster.await_nodes(self.processes)
            command = [sys.executable, "-P", "-m", _LAUNCHER, self.driver, *self.arguments()]
            work = Driving(self, progress).run(cluster.keep(command, self.attempt.work), lambda: cluster.ended)
        finally:
            cluster.stop()
        if work.finite:
            self.merge(self.attempt.checkpoints / f"checkpoint-{work.steps}")
        return work

    def _merge_alone(self, checkpoint: Path, step: int) -> WorkDone:
        """An earlier attempt has trained to the end, and died before its model was made."""
        if not self.ranks.first:
            return WorkDone(None, None, None, finite=True, rows=None, has_model=False)
        log.info("every step is done already: only the merge of %s is left", checkpoint)
        self.merge(checkpoint)
        return WorkDone(step, None, step, finite=True, rows=None, has_model=True)

    def _serve(self, cluster: Cluster) -> WorkDone:
        """Keeps this node's Ray until the first rank has done all it does, and knows nothing of what it did."""
        ready_until = time.monotonic() + READY_SECONDS
        while not ended_first(self.attempt.directory):
            if time.monotonic() < ready_until and not cluster.ready:
                cluster.start_again()
            time.sleep(0.5)
        return WorkDone(None, None, None, finite=True, rows=None, has_model=False)

    def publish(self) -> None:
        publish_model(self.attempt.work / "trainer", self.attempt.work / "model", self.attempt.output)

    def prompts(self, split: str) -> list[PromptRow]:
        """Rows of a split. BadConfigurationError where `dev` is asked for and the data set has none."""
        file = self.attempt.inputs["prompts"] / f"{split}.jsonl"
        if split == "dev" and (not file.is_file() or file.stat().st_size == 0):
            raise BadConfigurationError(
                "attempt.json: params.validate_steps: the data set has no dev split to validate on "
                "(dataset.dev_fraction carves one); the test split is for the evaluation alone"
            )
        return read_prompts(file, self.attempt.inputs["dataset"])
