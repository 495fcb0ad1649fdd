"""Sending: one batch at a time, over all workers; nothing is lost and nothing counts twice.

What is sent stands in the database before, word for word, and goes from there only after Lago
has answered. Whoever dies in between leaves it there; it is sent again under the same id.
"""

import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import msgspec
import structlog

from tallystick.kernel.backoff import wait_after
from tallystick.kernel.clock import Clock
from tallystick.kernel.db import WRITER, Connection, Database
from tallystick.kernel.due import WallKind
from tallystick.lago_sync import service, store
from tallystick.lago_sync.answers import BatchAnswer, Faulty, Later, Stored, Whole
from tallystick.lago_sync.client import LagoApi
from tallystick.lago_sync.model import BATCH_MAX, Outgoing

log = structlog.get_logger()

LEASE: Final = timedelta(seconds=20)
"""Longer than a call takes (CALL_S)."""
READS_MAX: Final = 10
"""Reads in one transaction, when what was read concerns no meter."""
PAUSE: Final = timedelta(milliseconds=500)
"""The worker may be woken a hundred times a second; looking for events still costs something."""


class Batch(msgspec.Struct, frozen=True):
    """What one request carries, under which lease, after how many failures."""

    rows: tuple[Outgoing, ...]
    lease_no: int = 0
    failure_count: int = 0
    more: bool = False


class Verdict(msgspec.Struct, frozen=True):
    """What became of a batch: sent, refused with a reason; the rest goes out again."""

    done: tuple[Outgoing, ...] = ()
    refused: dict[Outgoing, str] = {}


def verdict(rows: tuple[Outgoing, ...], answer: Stored | Faulty | Whole) -> Verdict:
    """Return what an answer means for each event: pure.

    What Lago has already is sent. An answer that names no event is about one only if one was sent.
    """
    match answer:
        case Stored():
            return Verdict(done=rows)
        case Faulty(reasons):
            there = tuple(rows[at] for at, reason in reasons.items() if reason is None)
            refused = {rows[at]: reason for at, reason in reasons.items() if reason is not None}
            return Verdict(there, refused)
        case Whole(reason):
            return Verdict(refused={rows[0]: reason} if len(rows) == 1 else {})


class Sender:
    """Sends what waits."""

    def __init__(
        self,
        db: Database,
        api: LagoApi,
        clock: Clock,
        random_below: Callable[[int], int] = secrets.randbelow,
    ) -> None:
        self._db = db
        self._api = api
        self._clock = clock
        self._random_below = random_below
        self._batch_max = BATCH_MAX
        self._ended_at: datetime | None = None

    def kind(self) -> WallKind:
        """Return the sending as work for the worker."""
        return WallKind("lago_send", self.run_due)

    async def run_due(self, now: datetime) -> int:
        """Send one batch and return its size; 0 when there is nothing to do at the moment."""
        if self._ended_at is not None and self._ended_at <= now < self._ended_at + PAUSE:
            return 0
        batch = await self._take(now)
        if not batch.rows:
            self._ended_at = None if batch.more else now
            return int(batch.more)
        answer = await self._api.send([row.event for row in batch.rows])
        await self._conclude(batch, answer)
        return len(batch.rows)

    async def _take(self, now: datetime) -> Batch:
        """Take what waits longest under a lease, after reading out events if too few wait."""
        async with self._db.own_transaction(WRITER) as conn:
            sync = await store.lock_free_sync(conn, now)
            if sync is None:
                return Batch(())
            rows, more = await self._fill(conn, now)
            if not rows:
                return Batch((), more=more)
            lease_no = await store.take_lease(conn, now + LEASE)
            return Batch(rows, lease_no, sync.failure_count)

    async def _fill(self, conn: Connection, now: datetime) -> tuple[tuple[Outgoing, ...], bool]:
        more = True
        for _ in range(READS_MAX):
            rows = await store.oldest(conn, self._batch_max)
            if not more or len(rows) >= self._batch_max:
                break
            more = await service.read_events(conn, now)
        return rows, more

    async def _conclude(self, batch: Batch, answer: BatchAnswer) -> None:
        at = self._clock()
        self._adapt(batch, answer)
        async with self._db.own_transaction(WRITER) as conn:
            if isinstance(answer, Later):
                await self._wait(conn, batch, answer, at)
                return
            told = verdict(batch.rows, answer)
            await store.refuse(conn, told.refused, at)
            count = await store.drop(conn, told.done)
            await store.note_sent(conn, batch.lease_no, at, count)
        if told.refused:
            log.warning("lago_events_refused", count=len(told.refused))

    def _adapt(self, batch: Batch, answer: BatchAnswer) -> None:
        """Send half as many after a refusal that names no event, down to the one at fault."""
        if isinstance(answer, Whole):
            self._batch_max = max(len(batch.rows) // 2, 1)
            log.warning("lago_batch_refused", reason=answer.reason, count=len(batch.rows))
        elif isinstance(answer, Stored):
            self._batch_max = min(self._batch_max * 2, BATCH_MAX)

    async def _wait(self, conn: Connection, batch: Batch, later: Later, at: datetime) -> None:
        count = batch.failure_count + 1
        until = at + wait_after(count, later.asked_s, self._random_below)
        await store.note_failure(conn, batch.lease_no, at, later.reason, count, until)
        log.warning("lago_unavailable", reason=later.reason, failure_count=count, until=until)
