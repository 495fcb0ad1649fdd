"""A small HTTP proxy that cuts, or holds, what goes through it at a chosen point."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from enum import StrEnum
from urllib.parse import urlsplit

Matches = Callable[[str], bool]
"""Tells by the first line of a request, such as `POST /v1/refunds HTTP/1.1`."""


class Point(StrEnum):
    """Where a connection is cut, as a caller meets it."""

    BEFORE = "before the request arrives"
    UNANSWERED = "with the request carried out and no answer"
    HALF_ANSWERED = "in the middle of the answer"
    ANSWERED = "right behind the answer"


class CuttingProxy:
    """Forwards to a simulator; `cut` and `hold` say what happens to requests that match."""

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self._host, self._port = parts.hostname, parts.port
        self.base_url = ""
        self.cut_count = 0
        self._cut: tuple[Matches, Point] | None = None
        self._hold: tuple[Matches, Point] | None = None
        self._is_lost = False
        self._reached = asyncio.Event()
        self._go_on = asyncio.Event()

    def cut(self, matches: Matches, point: Point) -> None:
        """Cut every connection of such a request at this point, until told otherwise."""
        self._cut = (matches, point)

    def mend(self) -> None:
        """Let everything through from now on; what is held is lost."""
        self._cut = self._hold = None
        self._is_lost = True
        self._go_on.set()

    def hold(self, matches: Matches, point: Point) -> None:
        """Keep the next such request at this point until `go_on` or `mend`."""
        self._hold = (matches, point)
        self._is_lost = False
        self._reached.clear()
        self._go_on.clear()

    async def reached(self) -> None:
        """Wait until a request is held."""
        async with asyncio.timeout(20):
            await self._reached.wait()

    def go_on(self) -> None:
        """Let the held request through."""
        self._go_on.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await self._one(reader, writer):
                pass
        writer.transport.abort()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serve one request; False when its connection is to be cut."""
        request = await _message(reader)
        line = request.partition(b"\r\n")[0].decode()
        cut = self._cut[1] if self._cut and self._cut[0](line) else None
        await self._pause(line, Point.BEFORE)
        if cut is Point.BEFORE:
            return self._count()
        answer = await self._forward(request)
        await self._pause(line, Point.UNANSWERED)
        if cut is Point.UNANSWERED:
            return self._count()
        writer.write(answer[: len(answer) // 2] if cut is Point.HALF_ANSWERED else answer)
        await writer.drain()
        return self._count() if cut else True

    def _count(self) -> bool:
        self.cut_count += 1
        return False

    async def _pause(self, line: str, point: Point) -> None:
        if self._hold is None or self._hold[1] is not point or not self._hold[0](line):
            return
        self._hold = None
        self._reached.set()
        await self._go_on.wait()
        if self._is_lost:
            raise ConnectionResetError

    async def _forward(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            writer.write(request)
            await writer.drain()
            return await _message(reader)
        finally:
            writer.close()


async def _message(reader: asyncio.StreamReader) -> bytes:
    """Read a whole request or answer."""
    head = await reader.readuntil(b"\r\n\r\n")
    lengths = [
        int(line.partition(b":")[2])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    ]
    return head + await reader.readexactly(lengths[0] if lengths else 0)


@contextlib.asynccontextmanager
async def cutting_proxy(upstream: str) -> AsyncIterator[CuttingProxy]:
    """Open a proxy before a simulator's address."""
    proxy = CuttingProxy(upstream)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        proxy.mend()
        server.close()
