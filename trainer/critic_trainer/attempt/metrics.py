"""metrics.jsonl: one JSON object a line, appended whole. Names are ours, whatever the engine calls its numbers."""

import json
import math
import time
from pathlib import Path


class Metrics:
    """The attempt's metrics file. One append is one write of one line, so a reader never sees half of two."""

    def __init__(self, path: Path, attempt: int) -> None:
        self._path = path
        self._attempt = attempt
        self.finite = True
        """False once any value was NaN or infinite."""

    def append(self, step: int, total_steps: int | None, values: dict[str, float]) -> list[str]:
        """Writes one line and returns the names of values that are not finite (written as null).

        step: optimiser step from 1, or batch index from 1 in a prediction. time: Unix seconds.
        """
        non_finite = sorted(name for name, value in values.items() if not math.isfinite(value))
        row: dict[str, object] = {
            "step": step,
            "attempt": self._attempt,
            "time": round(time.time(), 3),
            "total_steps": total_steps,
            **{name: None if name in non_finite else value for name, value in values.items()},
        }
        if non_finite:
            row["non_finite"] = non_finite
            self.finite = False
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, allow_nan=False) + "\n")
        return non_finite
