"""Events written in the transaction of the change, told afterwards: at least once, never lost.

An event is leased, handled outside any transaction and then moved to `outbox_done`. A crash in
between lets the lease run out and the event is handled again, so handlers are idempotent.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
import structlog

from tallystick.kernel.db import WRITER, Actor, Connection, Database, acting
from tallystick.kernel.due import retry_after

log = structlog.get_logger()

LEASE: Final = timedelta(seconds=120)
# One handler's time; no telling begins later than this, so each ends within its lease.
HANDLE_SECONDS_MAX: Final = 60.0
BATCH_MAX: Final = 50
ACCOUNTS_AT_ONCE: Final = 4
"""So many accounts are told beside each other: most of a handler's time it waits for commits."""

APPEND: Final = "INSERT INTO outbox (account_id, kind, payload) VALUES ($1, $2, $3)"
APPEND_ALL: Final = """
INSERT INTO outbox (account_id, kind, payload)
SELECT n.account_id, n.kind, n.payload
FROM unnest($1::uuid[], $2::text[], $3::jsonb[]) WITH ORDINALITY
    AS n (account_id, kind, payload, position) ORDER BY n.position
"""
# Oldest first within an account; another worker's rows are skipped, not waited for.
LEASE_DUE: Final = """
UPDATE outbox SET deliver_after = $1::timestamptz + $2::interval, try_count = try_count + 1
WHERE (account_id, outbox_id) IN (
    SELECT account_id, outbox_id FROM outbox WHERE deliver_after <= $1
    ORDER BY outbox_id LIMIT $3 FOR UPDATE SKIP LOCKED)
RETURNING account_id, outbox_id, kind, payload, request_id, try_count
"""
# `try_count` names the lease: whoever lost it changes nothing any more.
FINISH: Final = """
WITH told AS (DELETE FROM outbox WHERE account_id = $1 AND outbox_id = $2 AND try_count = $3
              RETURNING account_id, outbox_id, kind, payload, request_id, created_at)
INSERT INTO outbox_done (account_id, outbox_id, kind, payload, request_id, created_at)
SELECT account_id, outbox_id, kind, payload, request_id, created_at FROM told
"""
FAIL: Final = """
UPDATE outbox SET deliver_after = $4, error = $5
WHERE account_id = $1 AND outbox_id = $2 AND try_count = $3
"""
UNTOLD: Final = """
SELECT count(*) FROM outbox JOIN accounts USING (account_id)
WHERE test_clock_id = $1 AND error IS NULL
"""


class Event(msgspec.Struct, frozen=True):
    """One thing that happened to an account; `payload` is JSON."""

    account_id: UUID
    outbox_id: int
    kind: str
    payload: bytes
    request_id: str
    try_count: int

    @property
    def lease(self) -> tuple[UUID, int, int]:
        """Which row, in which try."""
        return self.account_id, self.outbox_id, self.try_count


Handler = Callable[[Event], Awaitable[None]]


async def append(conn: Connection, account_id: UUID, kind: str, payload: msgspec.Struct) -> None:
    """Write an event within the transaction of the change that it tells of."""
    await conn.execute(APPEND, account_id, kind, msgspec.json.encode(payload).decode())


class News(msgspec.Struct, frozen=True):
    """An event on its way into the outbox."""

    account_id: UUID
    kind: str
    payload: msgspec.Struct


async def append_all(conn: Connection, news: Sequence[News]) -> None:
    """Write many events, of any accounts, in their order; under the writer's scope."""
    if not news:
        return
    await conn.execute(
        APPEND_ALL,
        [one.account_id for one in news],
        [one.kind for one in news],
        [msgspec.json.encode(one.payload).decode() for one in news],
    )


async def untold_count(conn: Connection, test_clock_id: UUID) -> int:
    """Return how many events of a test clock's accounts were not yet told or tried in vain."""
    count: int = await conn.fetchval(UNTOLD, test_clock_id)
    return count


class Teller:
    """Tells due events to the handler of their kind; a kind without a handler is only kept."""

    def __init__(self, db: Database, handlers: Mapping[str, Handler]) -> None:
        self._db = db
        self._handlers = handlers

    async def run_due(self, now: datetime) -> int:
        """Lease and tell one batch, and return its size."""
        async with self._db.transaction(WRITER) as conn:
            rows = await conn.fetch(LEASE_DUE, now, LEASE, BATCH_MAX)
        by_account: dict[UUID, list[Event]] = {}
        for event in sorted((_event(row) for row in rows), key=lambda event: event.outbox_id):
            by_account.setdefault(event.account_id, []).append(event)
        last_begin = asyncio.get_running_loop().time() + HANDLE_SECONDS_MAX
        free = asyncio.Semaphore(ACCOUNTS_AT_ONCE)
        tellings = [
            self._tell_in_order(events, now, last_begin, free) for events in by_account.values()
        ]
        await asyncio.gather(*tellings)
        return len(rows)

    async def _tell_in_order(
        self, events: Sequence[Event], now: datetime, last_begin: float, free: asyncio.Semaphore
    ) -> None:
        """Tell the events of one account one after the other, beside those of other accounts."""
        async with free:
            for event in events:
                if asyncio.get_running_loop().time() > last_begin:
                    return
                with acting(Actor("job", f"outbox:{event.kind}", event.request_id)):
                    await self._tell(event, now)

    async def _tell(self, event: Event, now: datetime) -> None:
        handler = self._handlers.get(event.kind)
        try:
            if handler is not None:
                async with asyncio.timeout(HANDLE_SECONDS_MAX):
                    await handler(event)
        except Exception as error:
            log.exception("outbox_event_failed", kind=event.kind, outbox_id=event.outbox_id)
            async with self._db.transaction(WRITER) as conn:
                again = retry_after(now, event.try_count)
                reason = f"{type(error).__name__}: {error}"[:500]
                await conn.execute(FAIL, *event.lease, again, reason)
            return
        async with self._db.transaction(WRITER) as conn:
            await conn.execute(FINISH, *event.lease)


def _event(row: asyncpg.Record) -> Event:
    fields = {**dict(row), "payload": str(row["payload"]).encode()}
    return msgspec.convert(fields, Event)
