"""answers.jsonl: some of the answers that GRPO sampled, one line a step, for people and for the training's health."""

import json
import logging
from pathlib import Path

log = logging.getLogger(__name__)

MOST_ANSWERS = 8
MOST_CHARACTERS = 2000


class AnswerLog:
    """The attempt's sampled answers. One append is one write of one line."""

    def __init__(self, path: Path, generations: int) -> None:
        self._path = path
        self._generations = generations
        self._is_lost = False

    def append(self, step: int, texts: list[str], mos: list[float]) -> None:
        """The first answer to each of the step's prompts, at most 8 of them, each cut at 2000 characters.

        step: the optimiser step from 1 that learns from them. texts, mos: all answers of the step, those to one prompt
        together, and people's scores of the same rows. A disk that takes nothing more costs these lines alone.
        """
        chosen = range(0, len(texts), self._generations)[:MOST_ANSWERS]
        answers = [{"text": texts[index][:MOST_CHARACTERS], "mos": mos[index]} for index in chosen]
        try:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"step": step, "answers": answers}, allow_nan=False) + "\n")
        except OSError as error:
            if not self._is_lost:
                log.warning("sampled answers are not kept any more: %s", error)
            self._is_lost = True
