"""A small HTTP/1.1 load: prepared requests over kept connections, as cheap as Python allows.

The client runs on the same cores as the server, so its own cost counts against the figures.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, cast

import msgspec

_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"


class Load(msgspec.Struct, frozen=True):
    """What came of a run: how long it took, and each request's seconds, sorted."""

    seconds: float
    latencies: list[float]

    @property
    def per_second(self) -> float:
        """Requests answered in a second."""
        return len(self.latencies) / self.seconds

    def percentile_ms(self, percent: int) -> float:
        """Return the latency that so many percent of requests do not exceed, in milliseconds."""
        at = min(len(self.latencies) * percent // 100, len(self.latencies) - 1)
        return self.latencies[at] * 1000


def request_bytes(
    method: str,
    path: str,
    key: str,
    body: bytes = b"",
    kind: str = "application/json",
    *,
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """Return a whole request."""
    more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: {kind}\r\n{more}Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def send_all(
    port: int, requests: Sequence[bytes], *, connections: int, status: bytes = b"200"
) -> Load:
    """Send every request, shared out over the connections; any other status is an error."""
    waiting = iter(requests)
    latencies: list[float] = []
    loop = asyncio.get_running_loop()
    opened = [
        (
            await loop.create_connection(
                lambda: _Caller(waiting, latencies, status), "127.0.0.1", port
            )
        )[1]
        for _ in range(connections)
    ]
    started = time.perf_counter()
    for caller in opened:
        caller.send_next()
    await asyncio.gather(*(caller.done for caller in opened))
    return Load(time.perf_counter() - started, sorted(latencies))


class _Caller(asyncio.Protocol):
    """One connection: sends the next request as soon as the one before is answered."""

    def __init__(self, waiting: Iterator[bytes], latencies: list[float], status: bytes) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting = waiting
        self._latencies = latencies
        self._status = status
        self._received = b""
        self._began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def send_next(self) -> None:
        """Send a request, or hang up after the last one."""
        request = next(self._waiting, None)
        if request is None:
            self._transport.close()
            return
        self._began = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(_END)
        if not end or len(body) < _body_length(head):
            return
        self._received = b""
        if head[9:12] != self._status:
            self._fail(RuntimeError(f"answered {head[:12]!r}: {body[:300]!r}"))
            return
        self._latencies.append(time.perf_counter() - self._began)
        self.send_next()

    def connection_lost(self, error: Exception | None) -> None:
        if error is not None:
            self._fail(error)
        elif not self.done.done():
            self.done.set_result(None)

    def _fail(self, error: Exception) -> None:
        if not self.done.done():
            self.done.set_exception(error)
        self._transport.close()


def _body_length(head: bytes) -> int:
    lower = head.lower()
    at = lower.find(_LENGTH)
    return int(lower[at + len(_LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0
