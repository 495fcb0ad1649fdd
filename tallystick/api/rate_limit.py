"""How many requests a caller may send a minute, counted in this process.

Fixed windows of a minute: a caller's count starts anew with each. The headers are those of the
IETF draft "RateLimit header fields for HTTP" (versions to 07): limit, remaining, seconds to reset.
"""

from collections.abc import Callable
from typing import Final

import msgspec
from litestar.types import Message, Send

from tallystick.kernel.errors import TooMany

WINDOW_S: Final = 60


class Allowance(msgspec.Struct, frozen=True):
    """What is left to a caller in this window."""

    limit: int
    remaining: int
    reset_seconds: int

    def sender(self, send: Send) -> Send:
        """Return `send` that adds the headers to the answer, unless it tells of another limit."""
        headers = [
            (b"ratelimit-limit", str(self.limit).encode()),
            (b"ratelimit-remaining", str(self.remaining).encode()),
            (b"ratelimit-reset", str(self.reset_seconds).encode()),
        ]

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                told = {name.lower() for name, _ in message["headers"]}
                ours = [pair for pair in headers if pair[0] not in told]
                message["headers"] = [*message["headers"], *ours]
            await send(message)

        return with_headers


class RateLimiter:
    """Counts by caller; forgets everything at each window's end, so it stays small."""

    def __init__(self, per_minute: int, monotonic: Callable[[], float]) -> None:
        self._limit = per_minute
        self._monotonic = monotonic
        self._window = -1
        self._counts: dict[str, int] = {}

    def take(self, caller: str) -> Allowance:
        """Count one request; raises TooMany with `retry_after` seconds when it is one too many."""
        now = self._monotonic()
        window = int(now // WINDOW_S)
        if window != self._window:
            self._window, self._counts = window, {}
        reset = int((window + 1) * WINDOW_S - now) + 1
        count = self._counts.get(caller, 0) + 1
        if count > self._limit:
            raise TooMany(
                "rate_limited",
                f"Over {self._limit} requests a minute; wait {reset} s.",
                extra={"retry_after": reset, "limit": self._limit},
            )
        self._counts[caller] = count
        return Allowance(self._limit, self._limit - count, reset)
