"""Examination: what a node has for our jobs. A job of a minute, for `critic doctor`; it trains nothing.

$CRITIC_ATTEMPT_DIR/examination.json says what to look at. Each node leaves node-<rank>.json, the first rank also
collective.json. What is wrong is a finding, not a failure: the job ends with 0 once all has been looked at.
"""

import json
import logging
import os
from pathlib import Path
from typing import Any

from critic_trainer.examination.collective import reduce_all
from critic_trainer.examination.node import look_at_node
from critic_trainer.failures import BAD_CONFIGURATION, OK
from critic_trainer.files import write_json
from critic_trainer.ranks import this_rank

log = logging.getLogger("critic_trainer")
REQUEST = "examination.json"


def examine(directory: Path) -> int:
    """Does what `directory`/examination.json says; returns the process's exit code."""
    try:
        request: dict[str, Any] = json.loads((directory / REQUEST).read_text(encoding="utf-8"))
    except ValueError as error:
        log.error("%s: expected JSON, got %s", directory / REQUEST, error)
        return BAD_CONFIGURATION
    ranks = this_rank()
    if ranks.local == 0:
        write_json(directory / f"node-{ranks.rank}.json", {"schema": 1, **look_at_node(directory, request)})
        log.info("%s was looked at", os.uname().nodename)
    found = reduce_all(ranks, gpu=request["gpus_per_node"] > 0)
    if ranks.first:
        write_json(directory / "collective.json", {"schema": 1, **found})
    return OK
