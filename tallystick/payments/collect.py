"""Collecting: what is due by itself, and what a person pays now.

The wish is a row with a due instant; claiming it writes the attempt in the same transaction. The
gateway is asked after that, outside any.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from msgspec.structs import replace

from tallystick.invoices import service as invoices
from tallystick.invoices.model import Invoice, Status
from tallystick.kernel.clock import Clock, account_now
from tallystick.kernel.db import WRITER, Connection, Database, account_scope
from tallystick.kernel.errors import Conflict
from tallystick.kernel.ids import new_id, unknown
from tallystick.payments import attempt_store, attempts, booking, methods, service, store
from tallystick.payments.attempts import Attempts, Started
from tallystick.payments.gateway import Gateways
from tallystick.payments.lifecycle import LIVE_ATTEMPTS
from tallystick.payments.model import (
    Attempt,
    AttemptOutcome,
    Payment,
    PaymentMethod,
    PaymentStatus,
)
from tallystick.payments.requests import PageSecret
from tallystick.payments.service import PaymentView
from tallystick.payments.shares import parts_of, total_of

log = structlog.get_logger()

BATCH_MAX: Final = 10
SOON: Final = timedelta(minutes=1)
PAYABLE: Final = frozenset({Status.OPEN, Status.UNCOLLECTIBLE})


class Collector:
    """Charges saved methods for invoices."""

    def __init__(self, db: Database, gateways: Gateways, tries: Attempts, clock: Clock) -> None:
        self._db = db
        self._gateways = gateways
        self._tries = tries
        self._clock = clock

    async def pay_invoice(
        self, account_id: UUID, invoice_id: UUID, *, request_key: str, method_id: UUID | None = None
    ) -> PaymentView:
        """Charge what is due on an invoice now, through the named or the default method.

        Call it outside any transaction. The same `request_key` returns the same payment, never a
        second charge. A payment of the invoice that was not tried yet, or waits for its payer, is
        put away first. Raises NotFound; Conflict `invoice_not_open`, `already_paid`,
        `payment_in_progress`, `payment_method_missing`; Unavailable without the gateway.
        """
        key = f"request:{request_key}"
        async with self._db.own_transaction(account_scope(account_id)) as conn:
            known = await store.find_by_key(conn, account_id, key)
        if known is None:
            await self._make_room(account_id, invoice_id)
            payment_id, started = await self._wish(account_id, invoice_id, key, method_id)
            if started is not None:
                await self._tries.run(started)
        else:
            payment_id = known.payment_id
        async with self._db.own_transaction(account_scope(account_id)) as conn:
            return await service.get_payment(conn, account_id, payment_id)

    async def start_action(self, account_id: UUID, payment_id: UUID) -> PageSecret:
        """Return what a page needs to let the payer authenticate a payment that asks for it.

        Call it outside any transaction. Raises NotFound, Conflict `payment_needs_no_action`,
        Unavailable.
        """
        attempt = await self._last_attempt(account_id, payment_id)
        waits = attempt is not None and attempt.outcome is AttemptOutcome.NEEDS_ACTION
        if attempt is None or not waits or attempt.gateway_reference is None:
            raise Conflict("payment_needs_no_action", "This payment does not wait for its payer.")
        gateway = self._gateways.get(attempt.gateway)
        return await gateway.start_action(attempt.gateway_reference)

    async def refresh(self, account_id: UUID, payment_id: UUID) -> PaymentView:
        """Ask the gateway about a payment under way, as when its payer comes back to our page.

        Call it outside any transaction. Raises NotFound.
        """
        attempt = await self._last_attempt(account_id, payment_id)
        if attempt is not None and attempt.outcome in LIVE_ATTEMPTS:
            await self._tries.look(attempt)
        async with self._db.own_transaction(account_scope(account_id)) as conn:
            return await service.get_payment(conn, account_id, payment_id)

    async def _last_attempt(self, account_id: UUID, payment_id: UUID) -> Attempt | None:
        async with self._db.own_transaction(account_scope(account_id)) as conn:
            return (await service.get_payment(conn, account_id, payment_id)).attempt

    async def run_due(self, now: datetime, test_clock_id: UUID | None) -> int:
        """Claim and charge one batch of due wishes; return how many that were."""
        async with self._db.own_transaction(WRITER) as conn:
            due = await store.lock_due(conn, now, test_clock_id, self._gateways.usable(), BATCH_MAX)
            claimed = [await self._claim(conn, payment) for payment in due]
        calls = [self._tries.run(started) for started in claimed if started is not None]
        for failure in await asyncio.gather(*calls, return_exceptions=True):
            if isinstance(failure, BaseException):
                # Its attempt stays `created`; whoever resolves attempts takes it up.
                log.error("payment_attempt_failed", exc_info=failure)
        return len(due)

    async def next_at(self, test_clock_id: UUID) -> datetime | None:
        """Return when the next wish is due on a test clock."""
        async with self._db.transaction(WRITER) as conn:
            return await store.next_due(conn, test_clock_id, self._gateways.usable())

    async def _claim(self, conn: Connection, payment: Payment) -> Started | None:
        """Begin the attempt of a due wish, over what its invoices ask for by now."""
        account_id = payment.account_id
        asking = [await invoices.get_invoice(conn, account_id, one) for one in payment.invoice_ids]
        parts = parts_of(asking)
        if not parts:
            await booking.fail(conn, payment, "cancelled", hard=False)
            return None
        if parts != payment.parts:
            payment = replace(payment, amount_minor=total_of(parts), parts=parts)
            await store.set_amount(conn, payment)
        return await attempts.begin(conn, payment, self._clock())

    async def _make_room(self, account_id: UUID, invoice_id: UUID) -> None:
        """Put away a live payment of the invoice, if it surely took nothing yet."""
        async with self._db.own_transaction(account_scope(account_id)) as conn:
            live = await store.find_live(conn, account_id, invoice_id)
            live = live and await store.lock(conn, account_id, live.payment_id)
            if live is None:
                return
            if live.status is PaymentStatus.PENDING:
                await booking.fail(conn, live, "cancelled", hard=False)
                return
            last = await attempt_store.last(conn, account_id, live.payment_id)
        if last is not None and last.outcome is AttemptOutcome.NEEDS_ACTION:
            # Two pages could be confirmed otherwise, and both would take the money.
            await self._tries.cancel(last)

    async def _wish(
        self, account_id: UUID, invoice_id: UUID, key: str, method_id: UUID | None
    ) -> tuple[UUID, Started | None]:
        wall = self._clock()
        async with self._db.own_transaction(account_scope(account_id)) as conn:
            invoice = await invoices.get_invoice(conn, account_id, invoice_id)
            need_payable(invoice)
            method = await self._method(conn, account_id, method_id)
            at = await account_now(conn, account_id, wall)
            payment = wish([invoice], method, key, created_at=at)
            if await store.insert(conn, payment):
                await _need_unchanged(conn, payment)
                return payment.payment_id, await attempts.begin(conn, payment, wall)
            twin = await store.find_by_key(conn, account_id, key)
        if twin is None:
            raise _in_progress()
        return twin.payment_id, None

    async def _method(
        self, conn: Connection, account_id: UUID, method_id: UUID | None
    ) -> PaymentMethod:
        if method_id is not None:
            method = await methods.get_method(conn, account_id, method_id)
        else:
            default = await methods.default_method(conn, account_id)
            if default is None:
                raise Conflict("payment_method_missing", "Save a payment method first.")
            method = default
        if not self._gateways.get(method.gateway).capabilities.charges_saved_methods:
            raise Conflict("payment_method_not_chargeable", "This method can not be charged here.")
        return method


async def wish_soon(
    conn: Connection, invoice: Invoice, method: PaymentMethod, request_key: str, now: datetime
) -> None:
    """Keep an invoice for who is about to pay it: collected in a minute, unless it is done by then.

    In the transaction that issues it. Autopay makes no wish of its own meanwhile, and a crash
    before `pay_invoice` costs a minute. The same key makes one wish.
    """
    payment = wish([invoice], method, request_key, created_at=now, next_attempt_at=now + SOON)
    await store.insert(conn, payment)


async def _need_unchanged(conn: Connection, payment: Payment) -> None:
    """Raise Conflict when the invoice asks for something else by now.

    One live payment of an invoice keeps others out; one that ended after we read the invoice, and
    before our row was in, may have settled it. Since our row is in, nobody else can.
    """
    assert payment.invoice_id is not None  # noqa: S101 - a wish is for an invoice
    invoice = await invoices.get_invoice(conn, payment.account_id, payment.invoice_id)
    need_payable(invoice)
    if invoice.due != payment.amount:
        raise _in_progress()


def _in_progress() -> Conflict:
    return Conflict("payment_in_progress", "A payment of this invoice is under way; wait for it.")


def wish(
    asking: Sequence[Invoice],
    method: PaymentMethod,
    request_key: str,
    *,
    created_at: datetime,
    next_attempt_at: datetime | None = None,
) -> Payment:
    """Return the wish to collect what is due on invoices of one currency through a saved method."""
    parts = parts_of(asking)
    return Payment(
        account_id=method.account_id,
        payment_id=new_id(),
        request_key=request_key,
        gateway=method.gateway,
        payment_method_id=method.payment_method_id,
        currency=asking[0].currency,
        amount_minor=total_of(parts),
        status=PaymentStatus.PENDING,
        reference=None,
        failure_code=None,
        note=None,
        next_attempt_at=next_attempt_at,
        created_at=created_at,
        settled_at=None,
        parts=parts,
    )


def need_payable(invoice: Invoice) -> None:
    """Raise unless something can be paid on the invoice; a draft does not exist for a payer."""
    if invoice.status is Status.DRAFT:
        raise unknown("invoice")
    if invoice.status is Status.PAID or (invoice.status in PAYABLE and invoice.due.is_zero()):
        raise Conflict("already_paid", "Nothing is left to pay on this invoice.")
    if invoice.status not in PAYABLE:
        raise Conflict("invoice_not_open", f"The invoice is {invoice.status}.")
