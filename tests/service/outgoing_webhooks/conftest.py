"""Endpoints that really listen, an outbox that really tells, and a sender over real HTTP."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from tallystick.kernel import outbox
from tallystick.kernel.db import WRITER, Connection, Database, account_scope
from tallystick.kernel.ids import new_id
from tallystick.kernel.paging import PageRequest
from tallystick.outgoing_webhooks import deliveries, endpoints
from tallystick.outgoing_webhooks.endpoints import EndpointRules
from tallystick.outgoing_webhooks.jobs import Sender
from tallystick.outgoing_webhooks.model import (
    Delivery,
    DeliveryFilter,
    Endpoint,
    Leased,
    NewEndpoint,
)
from tallystick.outgoing_webhooks.posting import Post
from tallystick.outgoing_webhooks.urls import Reach

Json = dict[str, Any]
TYPES = ("invoice.finalized", "invoice.paid", "payment.failed", "credits.low")
RULES = EndpointRules(Reach(private=True, http=True), TYPES)


class Heard(msgspec.Struct, frozen=True):
    """One request that an endpoint got."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def data(self) -> Json:
        return dict(msgspec.json.decode(self.body))


class Listener:
    """A server that answers what it is told to: by path, else by default 200."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.answers: dict[str, bytes] = {}
        self.hold: dict[str, asyncio.Event] = {}
        self.connections = 0
        self.base = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await self._answer(head.decode("latin-1"), reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(
        self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        first, *lines = head.strip().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        body = await reader.readexactly(int(headers["content-length"]))
        path = first.split(" ")[1]
        self.heard.append(Heard(path, headers, body))
        if path in self.hold:
            await self.hold[path].wait()
        writer.write(self.answers.get(path, status(200)))
        await writer.drain()

    def of(self, path: str) -> list[Heard]:
        return [heard for heard in self.heard if heard.path == path]


def status(code: int, text: str = "", *headers: str) -> bytes:
    more = "".join(f"{header}\r\n" for header in headers)
    return f"HTTP/1.1 {code} X\r\ncontent-length: {len(text)}\r\n{more}\r\n{text}".encode()


class Told(msgspec.Struct, frozen=True):
    """An event of the outbox, as a test tells it."""

    invoice_id: UUID
    number: int = 0


class Hooks:
    """An account, its endpoints, and what is sent to them."""

    def __init__(self, db: Database, listener: Listener, post: Post) -> None:
        self.db = db
        self.listener = listener
        self.ahead = timedelta()
        self.account = new_id()
        self.sender = Sender(db, self.clock, self._body, post, chance=lambda: 0.0)

    def clock(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    async def _body(self, _conn: Connection, event: Leased) -> bytes:
        return msgspec.json.encode({"type": event.kind, "data": msgspec.Raw(event.payload)})

    async def endpoint(
        self, path: str = "/hook", *types: str, owner: UUID | None = None
    ) -> tuple[Endpoint, str]:
        new = NewEndpoint(url=self.listener.base + path, event_types=types)
        async with self.db.transaction(WRITER) as conn:
            return await endpoints.create(conn, owner or self.account, new, RULES, self.clock())

    async def tell(
        self,
        kind: str = "invoice.paid",
        object_id: UUID | None = None,
        number: int = 0,
        account: UUID | None = None,
    ) -> None:
        """Let something happen, in a transaction of the account's own."""
        account_id = account or self.account
        async with self.db.transaction(account_scope(account_id)) as conn:
            await outbox.append(conn, account_id, kind, Told(object_id or new_id(), number))

    async def send(self) -> int:
        return await self.sender.run_due(self.clock())

    async def all(self, **wanted: Any) -> tuple[Delivery, ...]:
        """All deliveries, oldest first."""
        async with self.db.transaction(WRITER) as conn:
            found = await deliveries.list_deliveries(
                conn, DeliveryFilter(**wanted), PageRequest(limit=100)
            )
        return tuple(reversed(found.items))

    async def get(self, endpoint: Endpoint) -> Endpoint:
        async with self.db.transaction(WRITER) as conn:
            return await endpoints.get(conn, endpoint.account_id, endpoint.webhook_endpoint_id)

    async def log(self, delivery: Delivery) -> deliveries.DeliveryLog:
        async with self.db.transaction(WRITER) as conn:
            return await deliveries.read_log(
                conn, delivery.account_id, delivery.webhook_delivery_id
            )


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    listening = Listener()
    server = await asyncio.start_server(listening.serve, "127.0.0.1", 0)
    listening.base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield listening
    for waiting in listening.hold.values():
        waiting.set()
    server.close()


@pytest.fixture
async def post() -> AsyncIterator[Post]:
    posting = Post(private=True)
    yield posting
    await posting.close()


@pytest.fixture
def hooks(db: Database, listener: Listener, post: Post) -> Hooks:
    return Hooks(db, listener, post)
