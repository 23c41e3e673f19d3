"""What an engine hands back, and result.json, which is made of it as the trainer's last act."""

from dataclasses import dataclass
from typing import Any

from critic_trainer.attempt.manifest import Attempt, check_schema
from critic_trainer.attempt.schemas import RESULT_SCHEMA
from critic_trainer.files import write_json


@dataclass(frozen=True)
class WorkDone:
    """What was really done, counted while it was done. Steps are optimiser steps, None for a prediction."""

    steps: int | None
    first_step: int | None
    resumed_from_step: int | None
    finite: bool
    rows: int | None
    has_model: bool


def check_work(attempt: Attempt, work: WorkDone) -> None:
    """Raises RuntimeError where the work is not what was planned: exit code 0 would be a lie.

    Work that diverged (`finite` false) is told in the result and judged by the orchestrator.
    """
    if not work.finite:
        return
    if attempt.planned_steps is not None and work.steps is not None and work.steps != attempt.planned_steps:
        raise RuntimeError(f"planned {attempt.planned_steps} steps, did {work.steps}")
    if attempt.planned_rows is not None and work.rows is not None and work.rows != attempt.planned_rows:
        raise RuntimeError(f"planned {attempt.planned_rows} rows, wrote {work.rows}")
    # After the last step's checkpoint only what comes behind the steps is left.
    first = None if work.steps == work.resumed_from_step else (work.resumed_from_step or 0) + 1
    if work.steps is not None and work.first_step != first:
        raise RuntimeError(f"resumed from step {work.resumed_from_step}, but the first step was {work.first_step}")


def write_result(attempt: Attempt, work: WorkDone, versions: dict[str, str], seconds: float) -> None:
    """Writes result.json atomically. `versions`: of the engine that did the work."""
    result: dict[str, Any] = {
        "schema": 1,
        "name": attempt.name,
        "kind": attempt.kind,
        "steps_planned": None if attempt.kind == "predict" else attempt.planned_steps,
        "steps_done": work.steps,
        "first_step": work.first_step,
        "resumed_from_step": work.resumed_from_step,
        "finite": work.finite,
        "rows": work.rows,
        "model": "output" if work.has_model else None,
        "trainer": versions,
        "seconds": round(seconds, 1),
    }
    check_schema(result, RESULT_SCHEMA, "result.json")
    write_json(attempt.result, result)
