"""Limits: requests and tokens per minute as OpenAI enforces them, so that the x-ratelimit headers are true."""

import threading
import time


class Limits:
    """Two token buckets of a minute's worth each. A request takes its prompt and max_tokens when it is admitted."""

    def __init__(self, requests_per_minute: int, tokens_per_minute: int, share_at_start: float = 1.0) -> None:
        self._limits = {"requests": float(requests_per_minute), "tokens": float(tokens_per_minute)}
        self._levels = {name: limit * share_at_start for name, limit in self._limits.items()}
        self._at = time.monotonic()
        self._lock = threading.Lock()

    def admit(self, tokens: int) -> tuple[float, dict[str, str]]:
        """Seconds until the request would fit (0: it is admitted and taken), and the headers that tell what is left."""
        with self._lock:
            now = time.monotonic()
            for name, limit in self._limits.items():
                self._levels[name] = min(limit, self._levels[name] + (now - self._at) * limit / 60)
            self._at = now
            needs = {"requests": 1.0, "tokens": min(float(tokens), self._limits["tokens"])}
            wait = max((needs[name] - self._levels[name]) * 60 / limit for name, limit in self._limits.items())
            if wait <= 0:
                for name, need in needs.items():
                    self._levels[name] -= need
            return max(0.0, wait), self._headers()

    def _headers(self) -> dict[str, str]:
        headers = {}
        for name, limit in self._limits.items():
            level = self._levels[name]
            headers[f"x-ratelimit-limit-{name}"] = str(int(limit))
            headers[f"x-ratelimit-remaining-{name}"] = str(max(0, int(level)))
            headers[f"x-ratelimit-reset-{name}"] = f"{max(0.0, (limit - level) * 60 / limit):.3f}s"
        return headers
