"""`python -m critic_trainer.engines.ray.launcher MODULE ARGUMENTS…`: runs an engine's own driver.

It ends with a code that has a meaning (failures.py). On Ray the reason of a failure is an exception within another one,
of which the driver itself only says 1.
"""

import os
import runpy
import sys
import traceback
from pathlib import Path

from critic_trainer.failures import exit_code_of


def main(arguments: list[str]) -> int:
    """Returns the driver's exit code, or what its exception means."""
    module, sys.argv = arguments[0], arguments
    # Else Hydra prints an exception and ends with 1.
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except Exception as error:  # noqa: BLE001 - the process's edge
        traceback.print_exc()
        return exit_code_of(_reason(error), Path.cwd())
    return 0


def _reason(error: BaseException) -> BaseException:
    """What was raised in the actor, where Ray knows it."""
    while isinstance(getattr(error, "cause", None), BaseException):
        error = error.cause  # type: ignore[attr-defined]
    return error


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
