"""`python -m critic_trainer.engines` prints the versions of every engine; the orchestrator asks before a run.

Answer: one line, `{"schema": 1, "engines": {"trl": {"python": "3.11", "torch": "2.11.0", …}, …}}`.
"""

import json
import sys

from critic_trainer.engines import ENGINES
from critic_trainer.engines.versions import versions_of
from critic_trainer.failures import BAD_CONFIGURATION, OK, BadConfigurationError


def main() -> int:
    """Prints the answer; returns the process's exit code (failures.py)."""
    try:
        engines = {name: versions_of(engine) for name, engine in ENGINES.items()}
    except BadConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return BAD_CONFIGURATION
    sys.stdout.write(json.dumps({"schema": 1, "engines": engines}) + "\n")
    return OK


if __name__ == "__main__":
    sys.exit(main())
