"""What the orchestrator asks before a run, in the environment of the jobs. Each answer is one line of JSON.

`python -m critic_trainer.engines` prints the versions of every engine that is installed, and why others are not:
`{"schema": 1, "engines": {"trl": {"python": "3.11", "torch": "2.11.0", …}, …}, "missing": {"verl": "…", …}}`.
`python -m critic_trainer.engines import NAME…` imports their packages: `{"schema": 1, "faults": {"trl": "…"}}`.
`python -m critic_trainer.engines render` reads attempts that are not made yet and prints their settings (preview.py).
`python -m critic_trainer.engines check` reads the same and prints what the engines' own parsers refuse (checking.py).
"""

import json
import sys
from typing import Any

from critic_trainer.engines import ENGINES
from critic_trainer.engines.checking import check_all
from critic_trainer.engines.importing import import_all
from critic_trainer.engines.preview import render_all
from critic_trainer.engines.versions import versions_of
from critic_trainer.failures import BAD_CONFIGURATION, OK, BadConfigurationError


def main(arguments: list[str]) -> int:
    """Prints the answer; returns the process's exit code (failures.py)."""
    try:
        if arguments == ["render"]:
            answer = {"schema": 1, "rendered": render_all(json.load(sys.stdin))}
        elif arguments == ["check"]:
            answer = {"schema": 1, "faults": check_all(json.load(sys.stdin))}
        elif arguments[:1] == ["import"] and ENGINES.keys() >= set(arguments[1:]):
            answer = {"schema": 1, "faults": import_all(arguments[1:])}
        elif not arguments:
            answer = {"schema": 1, **_installed()}
        else:
            raise BadConfigurationError(
                f"expected render, check, import with names of engines, or nothing, got {' '.join(arguments)[:200]}"
            )
    except BadConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return BAD_CONFIGURATION
    sys.stdout.write(json.dumps(answer) + "\n")
    return OK


def _installed() -> dict[str, dict[str, Any]]:
    engines, missing = {}, {}
    for name, engine in ENGINES.items():
        try:
            engines[name] = versions_of(engine)
        except BadConfigurationError as error:
            missing[name] = str(error)
    return {"engines": engines, "missing": missing}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
