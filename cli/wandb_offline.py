"""An offline Weights & Biases run of a stage's numbers: one logical run, all attempts stitched.

It needs a Python that has `wandb` (tried with 0.31.0), which no job needs.

    critic metrics RUN STAGE --json | python cli/wandb_offline.py FOLDER
    wandb sync FOLDER/offline-run-RUN-STAGE

The first command sends nothing. Made again, it replaces what it made. Killed before its end it leaves that, or nothing
under the name, and beside it a folder `.wandb-*` that may be removed. The id at W&B is RUN-STAGE.
"""

import json
import math
import shutil
import sys
import tempfile
from pathlib import Path

import wandb

NO_CURVE = {"step", "attempt", "time", "total_steps"}


def numbers_of(row: dict) -> dict[str, float]:
    """Finite numbers of a row by name: what is drawn as curves."""
    return {
        name: value
        for name, value in row.items()
        if name not in NO_CURVE
        and isinstance(value, (int, float))
        and not isinstance(value, bool)
        and math.isfinite(value)
    }


def write_run(series: dict, folder: Path) -> Path:
    """Writes `series`, as `critic metrics --json` prints it, as an offline run in `folder` and returns its path."""
    name = f"{series['run']}-{series['stage']}"
    folder.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix=".wandb-", dir=folder))
    settings = wandb.Settings(
        console="off",
        disable_git=True,
        save_code=False,
        x_disable_stats=True,
        x_disable_meta=True,
        x_save_requirements=False,
    )
    run = wandb.init(mode="offline", project="critic", id=name, name=name, dir=str(place), settings=settings)
    for row in series["rows"]:
        run.log({**numbers_of(row), "attempt": row.get("attempt", 1)}, step=row["step"])
    run.finish()
    (made,) = (place / "wandb").glob("offline-run-*")
    target = folder / f"offline-run-{name}"  # `wandb sync` takes other names for online runs
    shutil.rmtree(target, ignore_errors=True)
    made.rename(target)
    shutil.rmtree(place)
    return target


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("expected: critic metrics RUN STAGE --json | python cli/wandb_offline.py FOLDER")
    try:
        given = json.load(sys.stdin)
    except ValueError:
        sys.exit("stdin: expected what `critic metrics RUN STAGE --json` prints")
    sys.stdout.write(f"{write_run(given, Path(sys.argv[1]))}\n")
