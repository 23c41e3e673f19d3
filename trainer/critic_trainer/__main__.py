"""`python -m critic_trainer`: does what $CRITIC_ATTEMPT_DIR/attempt.json says and ends with a code that has a meaning.

If there is an examination.json instead, the node is looked at (examination/).

Order: check what can be checked without torch, have the engine work and publish, verify, write result.json last.
"""

import logging
import os
import sys
import time
import traceback
from pathlib import Path

from critic_trainer.attempt.manifest import Attempt, read_attempt
from critic_trainer.attempt.result import check_work, write_result
from critic_trainer.attempt.stop_request import StopRequest, ignore_requests, show_stacks_on_request
from critic_trainer.device import check_ranks, prepare_environment
from critic_trainer.engines import engine_for
from critic_trainer.engines.protocol import run_engine
from critic_trainer.engines.versions import check_versions, versions_of
from critic_trainer.examination import REQUEST, examine
from critic_trainer.failures import BAD_CONFIGURATION, OK, BadConfigurationError, TrainerError, exit_code_of
from critic_trainer.ranks import Ranks, await_first, leave_verdict, tell_end, this_rank

log = logging.getLogger("critic_trainer")


def main() -> int:
    """Runs the attempt in $CRITIC_ATTEMPT_DIR; returns the process's exit code (failures.py)."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    given = os.environ.get("CRITIC_ATTEMPT_DIR", "")
    directory = Path(given)
    if not directory.is_absolute() or not directory.is_dir():
        log.error('CRITIC_ATTEMPT_DIR: expected the absolute path of a folder, got "%s"', given)
        return BAD_CONFIGURATION
    if (directory / REQUEST).exists():
        return examine(directory)
    code = run_attempt(directory)
    leave_verdict(directory, code)
    return code


def run_attempt(directory: Path) -> int:
    """Runs the attempt in `directory`; returns its exit code, raises nothing. A finished one is left alone."""
    stop = StopRequest(directory)
    stop.listen()
    ranks = Ranks()
    try:
        ranks = this_rank()
        show_stacks_on_request(directory, ranks.rank)
        attempt = read_attempt(directory)
        if attempt.result.exists():
            log.info("%s is finished (result.json is there): nothing is done", attempt.name)
            return OK
        _run(attempt, stop, ranks)
    except TrainerError as error:
        log.error("%s", error)
        return error.exit_code
    except Exception as error:  # noqa: BLE001 - the process's edge: every failure becomes an exit code here
        traceback.print_exc()
        return exit_code_of(error, directory)
    finally:
        tell_end(directory, ranks)
    return OK


def _run(attempt: Attempt, stop: StopRequest, ranks: Ranks) -> None:
    started = time.monotonic()
    engine = engine_for(attempt)
    check_ranks(engine.processes, ranks.world)
    check_versions(type(engine), attempt.versions)
    if ranks.first:
        if attempt.output.exists() or attempt.work.exists():
            raise BadConfigurationError(
                f"{attempt.directory} was worked in before and is unfinished: make a new attempt"
            )
        attempt.work.mkdir()
    # A further rank may be here before the first one has made work/, and must not make it.
    caches = attempt.work / "caches" if ranks.first else attempt.directory / f"caches-{ranks.rank}"
    prepare_environment(attempt.threads, caches)
    work = run_engine(engine, stop, ranks)
    check_work(attempt, work)
    if not ranks.first:
        await_first(attempt.directory)
        return
    write_result(attempt, work, versions_of(type(engine)), time.monotonic() - started)
    log.info("%s done in %.1f s", attempt.name, time.monotonic() - started)


if __name__ == "__main__":
    code = main()
    ignore_requests()
    sys.exit(code)
