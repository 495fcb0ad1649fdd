"""Collecting: what is due by itself, and what a person pays now.

The wish is a row with a due instant; claiming it writes the attempt in the same transaction. The
gateway is asked after that, outside any.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import structlog
from msgspec.structs import replace

from tallystick.invoices import service as invoices
from tallystick.invoices.model import Invoice
from tallystick.kernel.clock import Clock, account_now
from tallystick.kernel.db import WRITER, Connection, Database, account_scope
from tallystick.kernel.errors import BadInput, Conflict
from tallystick.money.amount import Money
from tallystick.payments import attempt_store, attempts, booking, methods, service, store
from tallystick.payments.attempts import Attempts, Started
from tallystick.payments.gateway import Gateways
from tallystick.payments.lifecycle import LIVE_ATTEMPTS, LIVE_PAYMENTS
from tallystick.payments.model import (
    Attempt,
    AttemptOutcome,
    Part,
    Payment,
    PaymentMethod,
    PaymentStatus,
)
from tallystick.payments.requests import Authentication, PageSecret
from tallystick.payments.service import PaymentView
from tallystick.payments.shares import parts_of, total_of
from tallystick.payments.store import balance_key
from tallystick.payments.wishes import (
    in_progress,
    need_authentication_taken,
    need_chargeable,
    need_currency,
    need_payable,
    part_of,
    wish,
)

log = structlog.get_logger()

BATCH_MAX: Final = 10
SOON: Final = timedelta(minutes=1)
INVOICES_MAX: Final = 500
"""So many invoices are settled by one payment; the others by the next one."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a person pays: an invoice, or a part of it, or all that is due in a currency."""

    key: str
    invoice_id: UUID | None = None
    amount_minor: int | None = None
    currency: str | None = None
    authentication: Authentication | None = None

    def parts(self, asking: Sequence[Invoice]) -> tuple[Part, ...]:
        """Return what of these invoices is to be paid; raises BadInput for a part of no size."""
        if self.amount_minor is None:
            return parts_of(asking)
        return (part_of(asking[0], self.amount_minor),)


class Collector:
    """Charges saved methods for invoices."""

    def __init__(self, db: Database, gateways: Gateways, tries: Attempts, clock: Clock) -> None:
        self._db = db
        self._gateways = gateways
        self._tries = tries
        self._clock = clock

    async def pay_invoice(
        self,
        account_id: UUID,
        invoice_id: UUID,
        *,
        request_key: str,
        method_id: UUID | None = None,
        amount_minor: int | None = None,
        authentication: Authentication | None = None,
    ) -> PaymentView:
        """Charge what is due on an invoice now, or a part of it.

        Through the named method or the default one. Call it outside any transaction. The same
        `request_key` returns the same payment, never a second charge. A payment of the invoice that
        was not tried yet, or waits for its payer, is put away first. Raises NotFound; BadInput for
        another amount than 1 to what is due, or one that the gateway does not charge; Conflict
        `invoice_not_open`, `already_paid`, `payment_in_progress`, `payment_method_missing`;
        Unavailable without the gateway.
        """
        key = f"request:{request_key}"
        async with self._db.own_transaction(account_scope(account_id)) as conn:
            known = await store.find_by_key(conn, account_id, key)
        if known is not None:
            return await self._view(account_id, known.payment_id)
        asked = Asked(
            key=key,
            invoice_id=invoice_id,
            amount_minor=amount_minor,
            authentication=authentication,
        )
        await self._check(account_id, asked, method_id)
        await self.make_room(account_id, [invoice_id])
        return await self._pay(account_id, asked, method_id)

    async def pay_balance(
        self,
        account_id: UUID,
        *,
        request_key: str,
        method_id: UUID | None = None,
        currency: str | None = None,
    ) -> tuple[PaymentView, ...]:
        """Charge all that is due on open invoices, in one payment for each currency, or for one.

        What another payment may still bring is left to that. Call it outside any transaction; the
        same `request_key` pays once. Raises Conflict `nothing_to_pay`, `payment_in_progress`; and
        as `pay_invoice` does.
        """
        async with self._db.own_transaction(account_scope(account_id)) as conn:
            known = await store.of_balance_key(conn, account_id, request_key)
            open_ = await invoices.open_invoices(conn, account_id, INVOICES_MAX)
        done = {payment.currency: payment.payment_id for payment in known}
        left = {one.currency for one in open_ if currency in {None, one.currency}} - done.keys()
        if not done and not left:
            raise Conflict("nothing_to_pay", "Nothing is due on this account.")
        paid = [await self._view(account_id, payment_id) for payment_id in done.values()]
        for one in sorted(left):
            asked = Asked(key=balance_key(one, request_key), currency=one)
            try:
                await self._check(account_id, asked, method_id)
                of_it = [invoice.invoice_id for invoice in open_ if invoice.currency == one]
                await self.make_room(account_id, of_it)
                paid.append(await self._pay(account_id, asked, method_id))
            except (Conflict, BadInput):
                # What can not be paid in one currency must not hide what was in another.
                if not paid and one == max(left):
                    raise
        return tuple(paid)

    async def start_action(self, account_id: UUID, payment_id: UUID) -> PageSecret:
        """Return what a page needs to let the payer authenticate a payment that asks for it.

        The same charge is confirmed there, with the same method; no other one is made. Call it
        outside any transaction. Raises NotFound, Conflict `payment_needs_no_action`, Unavailable.
        """
        attempt = await self._last_attempt(account_id, payment_id)
        waits = attempt is not None and attempt.outcome is AttemptOutcome.NEEDS_ACTION
        if attempt is None or not waits or attempt.gateway_reference is None:
            raise Conflict("payment_needs_no_action", "This payment does not wait for its payer.")
        async with self._db.own_transaction(account_scope(account_id)) as conn:
            method = await methods.method_of(conn, account_id, payment_id)
        gateway = self._gateways.get(attempt.gateway)
        secret = await gateway.start_action(attempt.gateway_reference)
        return replace(secret, method_token=method.token if method else None)

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

    async def make_room(self, account_id: UUID, invoice_ids: Sequence[UUID]) -> None:
        """Put away live payments of the invoices, if they surely took nothing yet."""
        async with self._db.own_transaction(account_scope(account_id)) as conn:
            live = await store.live_of(conn, account_id, invoice_ids)
        for payment_id in live:
            await self._put_away(account_id, payment_id)

    async def _put_away(self, account_id: UUID, payment_id: UUID) -> None:
        async with self._db.own_transaction(account_scope(account_id)) as conn:
            live = await store.lock(conn, account_id, payment_id)
            if live is None or live.status not in LIVE_PAYMENTS:
                return
            if live.status is PaymentStatus.PENDING:
                await booking.fail(conn, live, "cancelled", hard=False)
                return
            last = await attempt_store.last(conn, account_id, payment_id)
        if last is not None and last.outcome is AttemptOutcome.NEEDS_ACTION:
            # Two pages could be confirmed otherwise, and both would take the money.
            await self._tries.cancel(last)

    async def _pay(self, account_id: UUID, asked: Asked, method_id: UUID | None) -> PaymentView:
        payment_id, started = await self._wish(account_id, asked, method_id)
        if started is not None:
            await self._tries.run(started, asked.authentication)
        return await self._view(account_id, payment_id)

    async def _check(self, account_id: UUID, asked: Asked, method_id: UUID | None) -> None:
        """Raise what `_wish` would, before another payment is put away for this one."""
        async with self._db.own_transaction(account_scope(account_id)) as conn:
            asking = await _asking(conn, account_id, asked, makes_room=True)
            await self._wished(conn, asking, asked, method_id)

    async def _view(self, account_id: UUID, payment_id: UUID) -> PaymentView:
        async with self._db.own_transaction(account_scope(account_id)) as conn:
            return await service.get_payment(conn, account_id, payment_id)

    async def _wish(
        self, account_id: UUID, asked: Asked, method_id: UUID | None
    ) -> tuple[UUID, Started | None]:
        wall = self._clock()
        async with self._db.own_transaction(account_scope(account_id)) as conn:
            asking = await _asking(conn, account_id, asked)
            payment = await self._wished(conn, asking, asked, method_id)
            if await store.insert(conn, payment):
                await _need_unchanged(conn, payment, asking)
                return payment.payment_id, await attempts.begin(conn, payment, wall)
            twin = await store.find_by_key(conn, account_id, asked.key)
        if twin is None:
            raise in_progress()
        return twin.payment_id, None

    async def _wished(
        self,
        conn: Connection,
        asking: Sequence[Invoice],
        asked: Asked,
        method_id: UUID | None,
    ) -> Payment:
        """Return the wish, if its gateway takes it; nothing is written."""
        account_id = asking[0].account_id
        method = await chargeable_method(conn, self._gateways, account_id, method_id)
        at = await account_now(conn, account_id, self._clock())
        payment = wish(asking, method, asked.key, created_at=at, parts=asked.parts(asking))
        need_taken(self._gateways, method, payment.amount, asked.authentication)
        return payment


async def chargeable_method(
    conn: Connection, gateways: Gateways, account_id: UUID, method_id: UUID | None
) -> PaymentMethod:
    """Return the named method, or the default one, if it can be charged.

    Raises NotFound; Conflict `payment_method_missing`, `payment_method_not_chargeable`;
    Unavailable without its gateway.
    """
    if method_id is not None:
        method = await methods.get_method(conn, account_id, method_id)
    else:
        default = await methods.default_method(conn, account_id)
        if default is None:
            raise Conflict("payment_method_missing", "Save a payment method first.")
        method = default
    if not gateways.get(method.gateway).capabilities.charges_saved_methods:
        raise Conflict("payment_method_not_chargeable", "This method can not be charged here.")
    return method


def need_taken(
    gateways: Gateways,
    method: PaymentMethod,
    amount: Money,
    authentication: Authentication | None,
) -> None:
    """Raise BadInput for what the method's gateway is known not to take; before any write."""
    gateway = gateways.get(method.gateway)
    need_currency(gateway.capabilities, method, amount.currency)
    need_chargeable(gateway, amount)
    need_authentication_taken(gateway.capabilities, authentication)


async def wish_soon(
    conn: Connection, invoice: Invoice, method: PaymentMethod, request_key: str, now: datetime
) -> None:
    """Keep an invoice for who is about to pay it: collected in a minute, unless it is done by then.

    In the transaction that issues it. Autopay makes no wish of its own meanwhile, and a crash
    before `pay_invoice` costs a minute. The same key makes one wish.
    """
    payment = wish([invoice], method, request_key, created_at=now, next_attempt_at=now + SOON)
    await store.insert(conn, payment)


async def _asking(
    conn: Connection, account_id: UUID, asked: Asked, *, makes_room: bool = False
) -> Sequence[Invoice]:
    """Return the invoices that are to be paid, as they are now.

    `makes_room`: also those whose payment is to be put away before.
    """
    if asked.invoice_id is not None:
        invoice = await invoices.get_invoice(conn, account_id, asked.invoice_id)
        need_payable(invoice)
        return [invoice]
    open_ = await invoices.open_invoices(conn, account_id, INVOICES_MAX)
    due = [one for one in open_ if one.currency == asked.currency]
    taken_by = store.stuck_invoices if makes_room else store.live_invoices
    taken = await taken_by(conn, account_id, [one.invoice_id for one in due])
    free = [one for one in due if one.invoice_id not in taken]
    if due and not free:
        raise in_progress()
    if not free:
        raise Conflict("nothing_to_pay", "Nothing is due on this account.")
    return free


async def _need_unchanged(conn: Connection, payment: Payment, asking: Sequence[Invoice]) -> None:
    """Raise Conflict when an invoice asks for something else by now.

    One live payment of an invoice keeps others out; one that ended after we read the invoice, and
    before our row was in, may have settled it. Since our row is in, nobody else can.
    """
    due = {one.invoice_id: one.due for one in asking}
    for invoice_id in payment.invoice_ids:
        invoice = await invoices.get_invoice(conn, payment.account_id, invoice_id)
        need_payable(invoice)
        if invoice.due != due[invoice_id]:
            raise in_progress()
