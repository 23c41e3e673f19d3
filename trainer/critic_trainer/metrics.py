"""metrics.jsonl: one JSON object a line, appended whole, names normalised from LLaMA-Factory and TRL."""

import json
import math
import time
from pathlib import Path

# The fixed mapping from Hugging Face Trainer's and TRL's log keys. A key that is not here is not written.
NAMES = {
    "loss": "loss",
    "grad_norm": "grad_norm",
    "learning_rate": "lr",
    "epoch": "epoch",
    "reward": "reward",
    "reward_std": "reward_std",
    "rewards/accuracy/mean": "reward_l1",
    "rewards/format/mean": "reward_format",
    "completions/mean_length": "response_length",
    "completions/clipped_ratio": "response_clipped",
    "entropy": "entropy",
    "kl": "kl",
    "clip_ratio/region_mean": "clip_fraction",
    "frac_reward_zero_std": "reward_std_zero",
}


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


def normalised(logs: dict[str, object]) -> dict[str, float]:
    """The numbers of a Trainer log entry under our names. The last entry of a training (train_runtime, …) gives {}."""
    if "train_runtime" in logs:
        return {}
    return {NAMES[key]: float(value) for key, value in logs.items() if key in NAMES and isinstance(value, int | float)}
