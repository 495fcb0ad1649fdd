"""Whether subscriptions are paid for: looked at when an invoice falls due, and at each news of one.

An incomplete one that was not paid in time expires; one with an overdue invoice, or with one whose
payment was declined, is past due until it is paid.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from msgspec.structs import replace

from tallystick.documents.document import Party
from tallystick.invoices import service as invoices
from tallystick.invoices.closing import void_invoice
from tallystick.invoices.model import BillKey
from tallystick.invoices.model import Status as InvoiceStatus
from tallystick.kernel.clock import Clock
from tallystick.kernel.db import WRITER, Connection, Database
from tallystick.kernel.due import AccountKind
from tallystick.kernel.errors import Conflict
from tallystick.payments import service as payments
from tallystick.subscriptions import changing
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.model import Status, Subscription
from tallystick.subscriptions.standing import expired, looked_at

log = structlog.get_logger()

NAME: Final = "standing"
BATCH_MAX: Final = 50
LOOK_AGAIN: Final = timedelta(minutes=10)
NOT_PAID: Final = "The subscription was not paid in time and has not begun."


class Standings:
    """The work of the kind `standing`, on account time; `clock` is wall time."""

    def __init__(self, db: Database, seller: Party, clock: Clock) -> None:
        self._db = db
        self._seller = seller
        self._clock = clock

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
                if one.status is Status.INCOMPLETE:
                    await self._expire(conn, one, now)
                else:
                    await look(conn, one, now)
        return len(due)

    async def _expire(self, conn: Connection, on: Subscription, now: datetime) -> None:
        """End it, and let its invoice count no longer: nobody gets what that bills.

        While a payment is under way that may have taken money, it is looked at again later; one
        that was paid begins, if the news of that is still on its way.
        """
        whose, named = on.account_id, on.subscription_id
        first = await invoices.invoice_of_bill(conn, whose, BillKey(named, 0))
        if first is not None and first.status is InvoiceStatus.PAID:
            await changing.complete_if_waiting(conn, whose, named)
            return
        bills = [one.invoice_id for one in await invoices.open_bills(conn, whose, named)]
        try:
            async with conn.transaction():
                for invoice_id in bills:
                    await payments.end_wishes(conn, whose, invoice_id)
        except Conflict:
            await subscriptions.save(conn, on, replace(on, standing_at=now + LOOK_AGAIN))
            return
        ended = await subscriptions.save(conn, on, expired(on, now))
        await subscriptions.tell_ended(conn, ended)
        for invoice_id in bills:
            await self._void(conn, whose, invoice_id, now)
        log.info("subscription_expired", subscription_id=str(named))

    async def _void(self, conn: Connection, whose: UUID, invoice_id: UUID, now: datetime) -> None:
        """Void an invoice that bills nothing else; one that was paid in part is left to staff."""
        invoice = await invoices.get_invoice(conn, whose, invoice_id)
        if len(invoice.subscription_ids) > 1:
            return
        try:
            async with conn.transaction():
                await void_invoice(
                    conn, whose, invoice_id, rebill=False, seller=self._seller, reason=NOT_PAID,
                    at=now, wall=self._clock(),
                )  # fmt: skip
        except Conflict as error:
            log.warning("expired_invoice_kept", invoice_id=str(invoice_id), reason=error.code)


async def look(conn: Connection, on: Subscription, now: datetime) -> None:
    """Let a locked subscription stand as its invoices make it; again changes nothing.

    One that waits for its first payment is left alone.
    """
    if on.status is Status.INCOMPLETE:
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
