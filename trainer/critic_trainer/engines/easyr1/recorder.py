"""A recorder under MLflow's name, for the authors' generation, which knows no logger of files.

It has the three functions of MLflow that EasyR1 calls, and writes the numbers as the current generation's file logger
does: one line of JSON a step, in $CRITIC_EASYR1_LOG.
"""

import json
import os
from typing import Any

LOG_VARIABLE = "CRITIC_EASYR1_LOG"


def start_run(run_name: str) -> None:
    """Nothing: the file is made by the first line."""


def log_params(params: dict[str, Any]) -> None:
    """Nothing: the settings stand in work/."""


def log_metrics(metrics: dict[str, Any], step: int) -> None:
    """Appends one line."""
    line = {"step": step, **{name: float(value) for name, value in metrics.items()}}
    with open(os.environ[LOG_VARIABLE], "a", encoding="utf-8") as file:  # noqa: PTH123 - loaded in EasyR1's processes
        file.write(json.dumps(line) + "\n")
