"""Prediction by transformers: one greedy and one sampled answer for each pair, in batches, resumable between batches.

A checkpoint is `checkpoint-<rows>/predictions.jsonl`; batches start at fixed rows and are seeded by their index, so a
resumed prediction gives the rows an uninterrupted one would have given.
"""

import json
from pathlib import Path

from critic_trainer.attempt.checkpoints import checkpoint_step
from critic_trainer.attempt.result import WorkDone
from critic_trainer.device import prepare_torch, quick_imports
from critic_trainer.engines.predictions_file import read_rows, write_rows
from critic_trainer.engines.protocol import COMMON_PACKAGES, Engine, Progress
from critic_trainer.failures import CheckpointedError
from critic_trainer.files import publish_folder
from critic_trainer.inputs.rows import read_prompts

_BATCHES_PER_CHECKPOINT = 8


class Transformers(Engine):
    """Predictions on one device, in this process."""

    name = "transformers"
    kind = "predict"
    packages = COMMON_PACKAGES

    def render(self) -> None:
        attempt = self.attempt
        split = attempt.params["split"]
        self._rows = read_prompts(attempt.inputs["prompts"] / f"{split}.jsonl", attempt.inputs["dataset"])
        self._size = attempt.params["batch_size"]
        self._staging = attempt.work / "output"

    def checkpoint_fault(self, path: Path) -> str | None:
        """Whole batches, of the same rows in the same order. A file system that fails is no fault of the checkpoint."""
        try:
            ids, _ = read_rows(path)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError, ValueError) as error:
            return f"its predictions cannot be read ({error})"
        if checkpoint_step(path) != len(ids):
            return f"it holds {len(ids)} rows"
        if ids != [row.id for row in self._rows[: len(ids)]] or len(ids) % self._size:
            return f"it is not of these prompts in batches of {self._size}"
        return None

    def launch(self, progress: Progress) -> WorkDone:
        attempt, rows, size = self.attempt, self._rows, self._size
        prepare_torch(attempt.threads)
        with quick_imports():
            from critic_trainer.engines.transformers_generation import BatchGenerator

        lines = [] if attempt.resume_from is None else read_rows(attempt.resume_from)[1]
        generator = BatchGenerator(attempt)
        total = -(-len(rows) // size)
        for index in range(len(lines) // size, total):
            batch = rows[index * size : (index + 1) * size]
            greedy, sampled = generator.answers(batch, seed=attempt.seed + index)
            for row, one, other in zip(batch, greedy, sampled, strict=True):
                line = {"id": row.id, "mos": row.mos, "greedy": one, "sampled": other}
                lines.append(json.dumps(line, ensure_ascii=False))
            progress.metrics.append(index + 1, total, {"rows": len(lines)})
            if len(lines) < len(rows):
                self._checkpoint(progress, lines, index)
        write_rows(self._staging, lines)
        return WorkDone(None, None, None, finite=True, rows=len(lines), has_model=False)

    def publish(self) -> None:
        publish_folder(self._staging, self.attempt.output)

    def _checkpoint(self, progress: Progress, lines: list[str], index: int) -> None:
        wanted = progress.stop_requested
        if not wanted and (index + 1) % _BATCHES_PER_CHECKPOINT:
            return
        written = self.attempt.work / f"checkpoint-{len(lines)}"
        write_rows(written, lines)
        progress.checkpoint(written)
        if wanted:
            raise CheckpointedError(f"{len(lines)} rows kept, as asked")
