"""`python -m teacher --host 127.0.0.1 --port 8123 --key-file FILE`, PYTHONPATH=<repo>/trainer:<repo>/infra/local."""

import argparse
import signal
import sys
import threading
from pathlib import Path

from .batches import BatchFaults
from .faults import FaultPicker, parse_shares
from .limits import Limits
from .server import Settings, make_server


def main() -> int:
    """Serves until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="teacher", description="Offline stand-in teacher. Not a language model.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True, help="0: any free port, printed")
    parser.add_argument("--key-file", type=Path, required=True, help="file with the bearer key that callers must send")
    parser.add_argument("--faults", default="", help='shares of requests that go wrong, e.g. "429:0.1,500:0.05"')
    parser.add_argument("--fault-seed", type=int, default=0)
    parser.add_argument("--retry-after", type=float, default=1.0, help="seconds stated by a 429 that a fault asks for")
    parser.add_argument("--slow-seconds", type=float, default=5.0)
    parser.add_argument("--latency-seconds", type=float, default=0.0, help="added to every answer")
    parser.add_argument("--requests-per-minute", type=int, default=10_000)
    parser.add_argument("--tokens-per-minute", type=int, default=30_000_000)
    parser.add_argument("--batch-seconds", type=float, default=0.0, help="how long a batch takes, at least")
    parser.add_argument("--batch-queue-tokens", type=int, help="prompt tokens in all batches at once; more fails one")
    parser.add_argument("--batch-expire-after", type=int, metavar="ROWS", help="every batch expires after these rows")
    parser.add_argument("--batch-fail", metavar="CODE", help="every batch fails its validation with this code")
    parser.add_argument("--journal", type=Path, help="append a JSON line for each request: what was asked and charged")
    given = parser.parse_args()
    try:
        settings = Settings(
            key=given.key_file.read_text().strip(),
            faults=FaultPicker(parse_shares(given.faults), given.fault_seed),
            limits=Limits(given.requests_per_minute, given.tokens_per_minute),
            retry_after=given.retry_after,
            slow_seconds=given.slow_seconds,
            latency_seconds=given.latency_seconds,
            batches=BatchFaults(
                seconds=given.batch_seconds,
                queue_tokens=given.batch_queue_tokens,
                expire_after=given.batch_expire_after,
                fail_code=given.batch_fail,
            ),
            journal=given.journal,
        )
        server = make_server(given.host, given.port, settings)
    except (OSError, ValueError) as error:
        print(f"teacher: {error}", file=sys.stderr)
        return 78
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    host, port = server.server_address[:2]
    print(f"stand-in teacher on http://{host}:{port}/v1", flush=True)
    server.serve_forever(poll_interval=0.1)
    server.server_close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
