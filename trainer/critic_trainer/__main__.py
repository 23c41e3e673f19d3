"""`python -m critic_trainer`: does what `$CRITIC_ATTEMPT_DIR/attempt.json` says and exits with a code that means something."""

import errno
import importlib
import os
import sys
import traceback
from pathlib import Path

from .attempt import read_attempt
from .exits import BUG, GPU_OUT_OF_MEMORY, JobError

PASSING = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.ENETDOWN}


def main() -> int:
    """Exit code: 0, 65, 70, 71, 75, 78 or 85 (docs/ARCHITECTURE.md)."""
    os.environ |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "DISABLE_TELEMETRY": "1"}
    try:
        attempt = read_attempt(Path(os.environ["CRITIC_ATTEMPT_DIR"]))
        os.environ["OMP_NUM_THREADS"] = str(attempt.threads)
        import torch  # noqa: PLC0415  (after OMP_NUM_THREADS)

        torch.set_num_threads(attempt.threads)
        torch.set_flush_denormal(True)
        torch.manual_seed(attempt.seed)
        importlib.import_module(f"critic_trainer.{attempt.kind}").run(attempt)
        return 0
    except JobError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        return error.code
    except OSError as error:
        traceback.print_exc()
        return 75 if error.errno in PASSING else BUG
    except Exception as error:
        traceback.print_exc()
        return GPU_OUT_OF_MEMORY if type(error).__name__ == "OutOfMemoryError" else BUG


if __name__ == "__main__":
    sys.exit(main())
