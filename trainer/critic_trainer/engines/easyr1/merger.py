"""`python -m critic_trainer.engines.easyr1.merger SCRIPT ARGUMENTS…`: EasyR1's own merger, made to fail.

Where a shard cannot be read, or lacks a tensor, the merger says so, takes the shard before instead and ends with 0.
"""

import runpy
import sys
from typing import Any

_COMPLAINTS = ("Cannot find key", "-" * 30)
"""How the current and the authors' generation say it."""


def strict_print(*values: Any, **options: Any) -> None:
    """`print`, but a complaint of the merger ends it. Raises RuntimeError."""
    text = " ".join(map(str, values))
    print(*values, **options)  # noqa: T201 - in a program's name
    if text.startswith(_COMPLAINTS):
        raise RuntimeError(f"the merger has no tensor to take: {text[:200]}")


def main(arguments: list[str]) -> None:
    """Runs the script in this process."""
    sys.argv = arguments
    runpy.run_path(arguments[0], init_globals={"print": strict_print}, run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
