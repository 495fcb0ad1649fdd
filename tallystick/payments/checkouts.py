"""Paying, or saving a method, on a page of the gateway.

The payment is an attempt like any other, with the page in place of a saved method: written before
the gateway is asked, one live payment an invoice. Autopay leaves its invoices alone until the page
has ended; what the payer's browser comes back with proves nothing.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
from msgspec.structs import replace

from tallystick.invoices import service as invoices
from tallystick.invoices.model import Invoice
from tallystick.kernel.clock import Clock, account_now
from tallystick.kernel.db import Connection, Database, account_scope
from tallystick.kernel.errors import Conflict
from tallystick.kernel.ids import new_id, unknown
from tallystick.money.amount import Money
from tallystick.payments import attempt_store, checkout_store, store
from tallystick.payments.attempts import first_state
from tallystick.payments.checkout_pages import CheckoutPages
from tallystick.payments.collect import Collector
from tallystick.payments.gateway import Gateways
from tallystick.payments.lifecycle import next_look
from tallystick.payments.model import (
    AttemptOutcome,
    Checkout,
    CheckoutStatus,
    Part,
    Payment,
    PaymentStatus,
)
from tallystick.payments.requests import CheckoutPage
from tallystick.payments.setup import CardSetup
from tallystick.payments.shares import parts_of, total_of
from tallystick.payments.wishes import in_progress, need_chargeable, need_payable

LIFE: Final = timedelta(hours=2)
"""How long a page is open: autopay waits for it. Stripe takes half an hour to a day."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a page is to be for.

    `mode` `setup`: to save a method; otherwise these invoices are paid there, or, without any,
    `amount` in advance. `subscription`: the method is saved for its later invoices.
    """

    mode: str
    description: str
    currency: str
    success_url: str
    cancel_url: str
    invoice_ids: tuple[UUID, ...] = ()
    amount: Money | None = None
    subscription_id: UUID | None = None


class Opened(msgspec.Struct, frozen=True):
    """A checkout, and where to send the payer."""

    checkout: Checkout
    page: CheckoutPage


class Checkouts:
    """Opens pages of gateways."""

    def __init__(
        self,
        db: Database,
        gateways: Gateways,
        setup: CardSetup,
        collector: Collector,
        clock: Clock,
    ) -> None:
        self._db = db
        self._gateways = gateways
        self._setup = setup
        self._collector = collector
        self._clock = clock
        self._pages = CheckoutPages(db)

    async def open(
        self, account_id: UUID, wanted: Wanted, *, request_key: str, gateway_name: str = "stripe"
    ) -> Opened:
        """Open a page, once for a request key.

        Call it outside any transaction. A payment of the invoices that was not tried yet, or waits
        for its payer, is put away first. Raises NotFound; Conflict `already_paid`,
        `invoice_not_open`, `payment_in_progress`, `checkout_over`, `gateway_can_not`; BadInput for
        an amount that the gateway does not take; Unavailable.
        """
        gateway = self._gateways.get(gateway_name)
        if wanted.mode not in gateway.capabilities.checkout:
            raise gateway.can_not(f"open a page for a {wanted.mode}")
        async with self._db.own_transaction(account_scope(account_id)) as conn:
            known = await checkout_store.find_by_key(conn, account_id, request_key)
        if known is None:
            await self._setup.ensure_customer(account_id, gateway_name)
            await self._collector.make_room(account_id, wanted.invoice_ids)
            known = await self._write(account_id, wanted, request_key, gateway_name)
        if known.status not in {CheckoutStatus.CREATED, CheckoutStatus.OPEN}:
            raise Conflict("checkout_over", "This page was finished or ran out; begin another one.")
        page = await self._pages.start(gateway, known)
        await self._wait_for_payer(known)
        return Opened(known, page)

    async def _write(
        self, account_id: UUID, wanted: Wanted, request_key: str, gateway: str
    ) -> Checkout:
        """Write the checkout, and with it the payment and its attempt, if money is to be taken."""
        wall = self._clock()
        async with self._db.own_transaction(account_scope(account_id)) as conn:
            made = _checkout(account_id, wanted, request_key, gateway, wall)
            payment = await self._payment(conn, made, wanted)
            if payment is not None:
                need_chargeable(self._gateways.get(gateway), payment.amount)
                made = await _with_attempt(conn, made, payment, wall)
            if not await checkout_store.insert(conn, made):
                raise in_progress()
            return made

    async def _payment(
        self, conn: Connection, checkout: Checkout, wanted: Wanted
    ) -> Payment | None:
        if wanted.mode == "setup" or (wanted.amount is None and not wanted.invoice_ids):
            return None
        asking = [
            await invoices.get_invoice(conn, checkout.account_id, one) for one in wanted.invoice_ids
        ]
        for invoice in asking:
            need_payable(invoice)
        at = await account_now(conn, checkout.account_id, self._clock())
        payment = _wish(checkout, asking, wanted.amount, at)
        if not await store.insert(conn, payment):
            raise in_progress()
        await _need_unchanged(conn, checkout.account_id, asking)
        return payment

    async def _wait_for_payer(self, checkout: Checkout) -> None:
        """Note that the attempt waits for its payer now; the page says what to do."""
        if checkout.payment_attempt_id is None:
            return
        wall = self._clock()
        async with self._db.own_transaction(account_scope(checkout.account_id)) as conn:
            key = checkout.account_id, checkout.payment_attempt_id
            attempt = await attempt_store.lock(conn, *key)
            if attempt is None or attempt.outcome is not AttemptOutcome.CREATED:
                return
            waits = AttemptOutcome.NEEDS_ACTION
            look = next_look(waits, attempt.resolve_count, wall)
            await attempt_store.update(conn, replace(attempt, outcome=waits, resolve_after=look))


async def get_checkout(conn: Connection, account_id: UUID, checkout_id: UUID) -> Checkout:
    """Return a checkout of the account; raises NotFound."""
    found = await checkout_store.find(conn, account_id, checkout_id)
    if found is None:
        raise unknown("checkout")
    return found


def _checkout(
    account_id: UUID, wanted: Wanted, request_key: str, gateway: str, wall: datetime
) -> Checkout:
    return Checkout(
        account_id=account_id,
        checkout_id=new_id(),
        request_key=request_key,
        gateway=gateway,
        mode=wanted.mode,
        status=CheckoutStatus.CREATED,
        reference=None,
        description=wanted.description,
        currency=wanted.currency,
        amount_minor=None,
        payment_id=None,
        payment_attempt_id=None,
        subscription_id=wanted.subscription_id,
        success_url=wanted.success_url,
        cancel_url=wanted.cancel_url,
        expires_at=wall + LIFE,
        created_at=wall,
    )


async def _with_attempt(
    conn: Connection, checkout: Checkout, payment: Payment, wall: datetime
) -> Checkout:
    attempt = first_state(payment, 1, wall)
    await attempt_store.insert(conn, attempt)
    return replace(
        checkout,
        amount_minor=payment.amount_minor,
        payment_id=payment.payment_id,
        payment_attempt_id=attempt.payment_attempt_id,
    )


async def _need_unchanged(conn: Connection, account_id: UUID, asking: Sequence[Invoice]) -> None:
    """Raise Conflict when one was settled between our look at it and our row: see `collect`."""
    for invoice in asking:
        now = await invoices.get_invoice(conn, account_id, invoice.invoice_id)
        need_payable(now)
        if now.due != invoice.due:
            raise in_progress()


def _wish(
    checkout: Checkout, asking: Sequence[Invoice], amount: Money | None, at: datetime
) -> Payment:
    """Return the payment of a page: over all that is due on the invoices, or in advance."""
    parts: tuple[Part, ...] = parts_of(asking)
    minor = total_of(parts) if amount is None else amount.minor
    return Payment(
        account_id=checkout.account_id,
        payment_id=new_id(),
        request_key=f"checkout:{checkout.checkout_id}",
        gateway=checkout.gateway,
        payment_method_id=None,
        currency=checkout.currency,
        amount_minor=minor,
        status=PaymentStatus.PROCESSING,
        reference=None,
        failure_code=None,
        note=None,
        next_attempt_at=None,
        created_at=at,
        settled_at=None,
        parts=parts,
    )
