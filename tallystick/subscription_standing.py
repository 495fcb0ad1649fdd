"""Whether subscriptions are paid for: looked at when an invoice falls due, and at each news of one.

An incomplete one that was not paid in time expires; one with an overdue invoice, or with one whose
payment was declined, is past due until it is paid.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

import structlog

from tallystick.invoices import service as invoices
from tallystick.kernel.db import WRITER, Connection, Database
from tallystick.kernel.due import AccountKind
from tallystick.payments import service as payments
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.model import Status, Subscription
from tallystick.subscriptions.standing import expired, looked_at

log = structlog.get_logger()

NAME: Final = "standing"
BATCH_MAX: Final = 50


class Standings:
    """The work of the kind `standing`, on account time."""

    def __init__(self, db: Database) -> None:
        self._db = db

    @property
    def kind(self) -> AccountKind:
        """The work as the worker and the test clocks take it."""
        return AccountKind(NAME, self.run_due, self.next_at)

    async def next_at(self, test_clock_id: UUID) -> datetime | None:
        """Return when the next subscription on that clock is to be looked at."""
        async with self._db.transaction(WRITER) as conn:
            return await subscriptions.next_standing_at(conn, test_clock_id)

    async def run_due(self, now: datetime, test_clock_id: UUID | None) -> int:
        """Look at one batch of those whose time has come, and return how many that were."""
        async with self._db.transaction(WRITER) as conn:
            due = await subscriptions.claim_standing(conn, now, test_clock_id, BATCH_MAX)
            for one in due:
                await look(conn, one, now)
        return len(due)


async def look(conn: Connection, on: Subscription, now: datetime) -> None:
    """Let a locked subscription stand as its invoices make it; again changes nothing."""
    if on.status is Status.INCOMPLETE:
        if on.standing_at is not None and on.standing_at <= now:
            await _expire(conn, on, now)
        return
    named = on.account_id, on.subscription_id
    bills = await invoices.open_bills(conn, *named)
    declined = await payments.declined_invoices(
        conn, on.account_id, [one.invoice_id for one in bills]
    )
    after = looked_at(on, bills, declined, now)
    if after == on:
        return
    await subscriptions.save(conn, on, after)
    if after.status is not on.status:
        log.info("subscription_standing", subscription_id=str(named[1]), status=after.status)


async def _expire(conn: Connection, on: Subscription, now: datetime) -> None:
    ended = await subscriptions.save(conn, on, expired(on, now))
    await subscriptions.tell_ended(conn, ended)
    log.info("subscription_expired", subscription_id=str(on.subscription_id))
