"""Sharing out: the ranks of a job answer batches, and the first one gathers them. They talk by files alone.

In the attempt's `answered/`, which all ranks see:
- `claims/<index>`: made by the rank that answers this batch. The server makes it once, whatever clients remember.
- `batch-<index>.jsonl`: its answers, whole by one rename.
- `ended-<rank>`, `stopped-<rank>`, `failed-<rank>`: the last thing that a further rank writes here.

Each rank begins with its own share and then takes what others have not begun, so that none idles behind a slow one.
Which rank answers a batch changes nothing in it. Files of others are opened only when the folder's listing has them: a
network file system remembers absent names (docs/FILE-SYSTEMS.md).

kill -9 of a rank before, during or after any of this: srun ends the others within half a minute, and the next attempt
resumes from the newest checkpoint. A batch that no checkpoint has is answered again, with the same answers.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from critic_trainer.engines.predictions.answers import Answers
from critic_trainer.engines.predictions.batches import Batches, Lines, read_lines, write_lines
from critic_trainer.inputs.rows import PromptRow
from critic_trainer.ranks import Ranks


class Answerer(Protocol):
    """A loaded model."""

    def answers(self, rows: list[PromptRow], index: int) -> list[Answers]:
        """One for each row of batch `index`. They depend on these rows and this index, and on no batch before."""


class Share:
    """What one rank does of a prediction. `done`: batches that need no answer any more. `stops`: is it asked to?"""

    def __init__(self, folder: Path, batches: Batches, ranks: Ranks, done: set[int], stops: Callable[[], bool]) -> None:
        self._folder, self._batches, self._ranks, self._done, self._stops = folder, batches, ranks, done, stops
        self._claims = folder / "claims"
        self._claims.mkdir(parents=True, exist_ok=True)

    def answer(self, load: Callable[[], Answerer], after_each: Callable[[], None]) -> None:
        """Answers batches until none is left to begin, or until a stop is asked for.

        The first rank answers one all the same, if one is left: so each attempt gets on. `load` is called once there is
        a batch to answer. A further rank leaves word how it ended before this returns or raises.
        """
        end = "failed"
        try:
            end = "stopped" if self._stopped_while_answering(load, after_each) else "ended"
        finally:
            if not self._ranks.first:
                (self._folder / f"{end}-{self._ranks.rank}").touch()

    def _stopped_while_answering(self, load: Callable[[], Answerer], after_each: Callable[[], None]) -> bool:
        answerer = None
        for index in self._order():
            if (answerer is not None or not self._ranks.first) and self._stops():
                return True
            if not self._claim(index):
                continue
            answerer = answerer or load()
            rows = self._batches.rows_of(index)
            answers = answerer.answers(rows, index)
            lines = [_line(row, one) for row, one in zip(rows, answers, strict=True)]
            write_lines(self._folder / f"batch-{index}.jsonl", lines)
            after_each()
        return False

    def _order(self) -> Iterator[int]:
        left = [index for index in range(self._batches.count) if index not in self._done]
        begin = len(left) * self._ranks.rank // self._ranks.world
        yield from left[begin:]
        yield from left[:begin]

    def _claim(self, index: int) -> bool:
        try:
            (self._claims / str(index)).open("x").close()
        except FileExistsError:
            return False
        return True


class Gathering:
    """What all ranks have finished, as the first one sees it. `lines`: by batch."""

    def __init__(self, folder: Path, batches: Batches, world: int, done: dict[int, Lines]) -> None:
        self._folder, self._batches, self._world = folder, batches, world
        self.lines = dict(done)
        self._taken: set[str] = set()
        self._ends: dict[str, set[int]] = {"ended": set(), "stopped": set(), "failed": set()}

    def look(self) -> bool:
        """Takes what is new; returns whether batches are. A file that is cut or not all visible is left for later."""
        before = len(self.lines)
        for entry in sorted({entry.name for entry in self._folder.iterdir()} - self._taken):
            if match := re.fullmatch(r"batch-(\d+)\.jsonl", entry):
                self._take(int(match[1]), self._folder / entry)
            elif match := re.fullmatch(r"(ended|stopped|failed)-(\d+)", entry):
                self._ends[match[1]].add(int(match[2]))
        return len(self.lines) > before

    def _take(self, index: int, path: Path) -> None:
        if index in self.lines:
            return
        try:
            ids, lines = read_lines(path)
        except (FileNotFoundError, ValueError):
            return
        if self._batches.fault_of(index, ids) is None:
            self.lines[index] = lines
            self._taken.add(path.name)

    @property
    def rows(self) -> int:
        return sum(len(lines) for lines in self.lines.values())

    @property
    def missing(self) -> list[int]:
        return [index for index in range(self._batches.count) if index not in self.lines]

    @property
    def failed(self) -> set[int]:
        """Ranks that ended with an error."""
        return self._ends["failed"]

    @property
    def stopped(self) -> bool:
        """Did a further rank end since it was asked to?"""
        return bool(self._ends["stopped"])

    @property
    def alone(self) -> bool:
        """Have all further ranks written their last?"""
        return len(set().union(*self._ends.values())) >= self._world - 1

    def merged(self) -> Lines:
        """All lines in the order of the rows."""
        return [line for index in sorted(self.lines) for line in self.lines[index]]


def _line(row: PromptRow, answers: Answers) -> str:
    return json.dumps({"id": row.id, "mos": row.mos, **answers}, ensure_ascii=False)
