"""How often to save: a driver without a signal handler loses the steps since its last checkpoint."""

import json
from itertools import pairwise
from pathlib import Path

from critic_trainer.attempt.manifest import Attempt


def steps_between_checkpoints(attempt: Attempt) -> int:
    """`params.save_steps`, or fewer, so that `params.max_lost_minutes` hold at the pace of the attempt resumed from.

    Without either of the two nothing is known, and `save_steps` stands.
    """
    stated = int(attempt.params["save_steps"])
    minutes = attempt.params.get("max_lost_minutes")
    if minutes is None or attempt.resume_from is None:
        return stated
    seconds = seconds_each_step(attempt.resume_from.parent.parent / "metrics.jsonl")
    return stated if seconds is None else max(1, min(stated, int(minutes * 60 / seconds)))


def seconds_each_step(metrics: Path) -> float | None:
    """Mean seconds from one step's line to the next one's, whatever was saved or validated between. None: unknown."""
    try:
        lines = metrics.read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    times = {}
    for line in lines:
        try:
            row = json.loads(line)
            times[int(row["step"])] = float(row["time"])
        except (ValueError, KeyError, TypeError):
            continue
    taken = [times[later] - times[step] for step, later in pairwise(sorted(times)) if later == step + 1]
    mean = sum(taken) / len(taken) if taken else 0.0
    return mean if mean > 0 else None
