"""Faults: how the stand-in misbehaves when told: by header (`X-Teacher-Fault: slow`) or seeded shares (`--faults`)."""

import random
import threading

FAULTS = {
    "rate-limit": "429 with Retry-After",
    "quota": "429 insufficient_quota",
    "server-error": "500",
    "refusal": "200, the model refuses",
    "truncated": "200, finish_reason length, the content cut off",
    "cut-json": "200, finish_reason stop, the content cut off",
    "content-filter": "200, finish_reason content_filter, no content",
    "error-body": "200 with an error instead of a completion",
    "cut-body": "200, the connection ends in the middle of the body",
    "reset": "the connection ends before any answer",
    "slow": "the right answer, late",
    "silence": "no answer at all, the connection stays open",
}
SHORT_NAMES = {"429": "rate-limit", "500": "server-error"}


def parse_shares(text: str) -> dict[str, float]:
    """`"429:0.1,500:0.05"` as shares of requests. Raises ValueError for an unknown fault or shares beyond 1 in sum."""
    shares: dict[str, float] = {}
    for part in filter(None, text.split(",")):
        name, _, share = part.partition(":")
        name = SHORT_NAMES.get(name, name)
        if name not in FAULTS:
            raise ValueError(f"--faults: expected one of {', '.join(FAULTS)}, got {name!r}")
        shares[name] = float(share)
    if not all(0 <= share <= 1 for share in shares.values()) or sum(shares.values()) > 1:
        raise ValueError(f"--faults: expected shares from 0 to 1 that sum to 1 at most, got {text!r}")
    return shares


class FaultPicker:
    """Draws the fault of each request, in order of arrival, from a seeded stream."""

    def __init__(self, shares: dict[str, float], seed: int) -> None:
        self._shares = shares
        self._random = random.Random(seed)
        self._lock = threading.Lock()

    def pick(self, header: str | None) -> str | None:
        """The fault that the header asks for, else one drawn by share, or None. Raises ValueError if unknown."""
        if header is not None:
            name = SHORT_NAMES.get(header, header)
            if name not in FAULTS:
                raise ValueError(f"X-Teacher-Fault: expected one of {', '.join(FAULTS)}, got {header!r}")
            return name
        with self._lock:
            draw = self._random.random()
        for name, share in self._shares.items():
            draw -= share
            if draw < 0:
                return name
        return None
