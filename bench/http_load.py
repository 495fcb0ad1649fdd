"""A small HTTP/1.1 load: prepared requests over kept connections, as cheap as Python allows.

The client runs on the same cores as the server, so its own cost counts against the figures.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence

import msgspec


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
    method: str, path: str, key: str, body: bytes = b"", kind: str = "application/json"
) -> bytes:
    """Return a whole request."""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def send_all(
    port: int, requests: Sequence[bytes], *, connections: int, status: bytes = b"200"
) -> Load:
    """Send every request, shared out over the connections; any other status is an error."""
    waiting = iter(requests)
    latencies: list[float] = []
    started = time.perf_counter()
    workers = [_send_from(port, waiting, latencies, status) for _ in range(connections)]
    await asyncio.gather(*workers)
    return Load(time.perf_counter() - started, sorted(latencies))


async def _send_from(
    port: int, waiting: Iterator[bytes], latencies: list[float], status: bytes
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for request in waiting:
            began = time.perf_counter()
            writer.write(request)
            await _read_answer(reader, status)
            latencies.append(time.perf_counter() - began)
    finally:
        writer.close()
        await writer.wait_closed()


async def _read_answer(reader: asyncio.StreamReader, status: bytes) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    body = await reader.readexactly(length) if length else b""
    if head[9:12] != status:
        raise RuntimeError(f"answered {head[:12]!r}: {body[:300]!r}")
