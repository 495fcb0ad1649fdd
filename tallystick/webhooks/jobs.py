"""Handling received events: at least once, in any order, until they are done."""

import asyncio
from datetime import datetime, timedelta
from typing import Final

import structlog

from tallystick.kernel.db import WRITER, Actor, Database, acting
from tallystick.kernel.due import WallKind, retry_after
from tallystick.kernel.errors import BadInput
from tallystick.payments.gateway import Gateways
from tallystick.payments.news import News
from tallystick.payments.verdicts import Handled, Parked, Skipped, Verdict
from tallystick.webhooks import store
from tallystick.webhooks.model import InboxRow, InboxStatus

log = structlog.get_logger()

BATCH_MAX: Final = 12
AT_ONCE_MAX: Final = 6
"""Half of a process's connections: events need no order, and most of their time is waiting."""
LEASE: Final = timedelta(seconds=120)
REASON_CHARS_MAX: Final = 500
PARKED_FIRST: Final = timedelta(minutes=1)
PARKED_WAIT: Final = timedelta(hours=6)
PARKED_FOR: Final = timedelta(days=30)


def parked_until(row: InboxRow, now: datetime) -> datetime | None:
    """Return when to try a parked event again: in a minute at first, then every six hours.

    None after thirty days; then only a link or a person brings it back.
    """
    if now - row.received_at > PARKED_FOR:
        return None
    return now + (PARKED_FIRST if row.try_count <= 1 else PARKED_WAIT)


class InboxWorker:
    """Applies the inbox's events through payments."""

    def __init__(self, db: Database, gateways: Gateways, news: News) -> None:
        self._db = db
        self._gateways = gateways
        self._news = news

    def kind(self) -> WallKind:
        """Return the kind of due work, on wall time."""
        return WallKind("webhook_inbox", self.run_due)

    async def run_due(self, now: datetime) -> int:
        """Handle one batch of due events; return how many those were."""
        async with self._db.own_transaction(WRITER) as conn:
            rows = await store.lease_due(conn, now, LEASE, self._gateways.names(), BATCH_MAX)
        free = asyncio.Semaphore(AT_ONCE_MAX)
        oldest_first = sorted(rows, key=lambda row: row.received_at)
        await asyncio.gather(*(self._handle_one(row, now, free) for row in oldest_first))
        return len(rows)

    async def _handle_one(self, row: InboxRow, now: datetime, free: asyncio.Semaphore) -> None:
        async with free:
            with acting(Actor("webhook", f"{row.gateway}:{row.event_id}")):
                await self._handle(row, now)

    async def _handle(self, row: InboxRow, now: datetime) -> None:
        try:
            event = self._gateways.get(row.gateway).read_event(row.body)
            verdict = await self._news.apply(row.gateway, event)
        except BadInput as error:
            # Signed and yet not readable: a newer shape than this version knows.
            verdict = Parked(error.code)
        except Exception as error:
            log.exception("webhook_failed", gateway=row.gateway, event_id=row.event_id)
            reason = f"{type(error).__name__}: {error}"[:REASON_CHARS_MAX]
            async with self._db.own_transaction(WRITER) as conn:
                await store.fail(conn, row, reason, retry_after(now, row.try_count))
            return
        await self._conclude(row, verdict, now)

    async def _conclude(self, row: InboxRow, verdict: Verdict, now: datetime) -> None:
        async with self._db.own_transaction(WRITER) as conn:
            match verdict:
                case Handled(account_id):
                    done = InboxStatus.DONE
                    await store.finish(conn, row, done, now, account_id=account_id)
                case Skipped(reason):
                    await store.finish(conn, row, InboxStatus.IGNORED, now, reason=reason)
                case Parked(reason, customer_token):
                    until = parked_until(row, now)
                    await store.park(conn, row, reason, customer_token, until)
        log.info(
            "webhook_handled",
            gateway=row.gateway,
            event_id=row.event_id,
            kind=row.kind,
            verdict=type(verdict).__name__.lower(),
        )
