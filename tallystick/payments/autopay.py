"""Autopay: an invoice that was finalized, or a method that was saved, makes a payment wish."""

from typing import Final
from uuid import UUID

import msgspec

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account
from tallystick.invoices import service as invoices
from tallystick.invoices.events import InvoiceFinalized
from tallystick.invoices.model import Invoice, Status
from tallystick.kernel.clock import Clock, account_now
from tallystick.kernel.db import Connection, Database, account_scope
from tallystick.kernel.outbox import Event
from tallystick.kernel.paging import LIMIT_MAX, PageRequest
from tallystick.payments import method_store, once_store, store
from tallystick.payments.events import CheckoutExpired, PaymentFailed, PaymentMethodSaved
from tallystick.payments.expiry import is_expired
from tallystick.payments.gateway import Gateways
from tallystick.payments.model import Payment, PaymentMethod
from tallystick.payments.wishes import wish
from tallystick.subscriptions import service as subscriptions

NEVER: Final = frozenset({"amount_too_small", "amount_too_large", "currency_not_supported"})
"""Declines that another try of the same invoice with the same method can not change."""


class Autopay:
    """Handles outbox events; each may come twice, and makes one wish."""

    def __init__(self, db: Database, gateways: Gateways, clock: Clock) -> None:
        self._db = db
        self._gateways = gateways
        self._clock = clock

    async def on_invoice_finalized(self, event: Event) -> None:
        """Wish to collect the invoice, if the account wants that and has a default method."""
        told = msgspec.json.decode(event.payload, type=InvoiceFinalized)
        async with self._db.transaction(account_scope(event.account_id)) as conn:
            method = await self._method(conn, event.account_id)
            if method is not None:
                invoice = await invoices.get_invoice(conn, event.account_id, told.invoice_id)
                await self._wish(conn, invoice, method, f"invoice:{told.invoice_id}:autopay")

    async def on_method_saved(self, event: Event) -> None:
        """Collect the open invoices that nobody is collecting, if the new method is the default."""
        told = msgspec.json.decode(event.payload, type=PaymentMethodSaved)
        async with self._db.transaction(account_scope(event.account_id)) as conn:
            method = await self._method(conn, event.account_id)
            if method is None or method.payment_method_id != told.payment_method_id:
                return
            for invoice in await self._open_invoices(conn, event.account_id):
                key = f"invoice:{invoice.invoice_id}:method:{method.payment_method_id}"
                await self._wish(conn, invoice, method, key)

    async def on_payment_failed(self, event: Event) -> None:
        """Go on to the next method, if the account allows that and the one tried is out for good.

        Each method is tried once for an invoice, and none whose gateway does not take the amount.
        What a person asked for is left to that person, and what may succeed later with the same
        method (a soft decline) is not taken to others.
        """
        told = msgspec.json.decode(event.payload, type=PaymentFailed)
        if not (told.hard or told.code in NEVER) or told.invoice_id is None:
            return
        async with self._db.transaction(account_scope(event.account_id)) as conn:
            account = await accounts.get_account(conn, event.account_id)
            failed = await store.find(conn, event.account_id, told.payment_id)
            if not account.payment_fallback or failed is None or not is_own(failed):
                return
            tried = await store.methods_refused(conn, event.account_id, told.invoice_id)
            left = await self._chargeable(conn, account)
            invoice = await invoices.get_invoice(conn, event.account_id, told.invoice_id)
            untried = (one for one in left if one.payment_method_id not in tried)
            method = next((one for one in untried if self._takes(one, invoice)), None)
            if method is not None:
                key = f"invoice:{told.invoice_id}:fallback:{method.payment_method_id}"
                await self._wish(conn, invoice, method, key)

    async def on_checkout_expired(self, event: Event) -> None:
        """Collect what was to be paid on a page that ran out, if the account wants that."""
        told = msgspec.json.decode(event.payload, type=CheckoutExpired)
        async with self._db.transaction(account_scope(event.account_id)) as conn:
            method = await self._method(conn, event.account_id)
            if method is None:
                return
            for invoice_id in told.invoice_ids:
                invoice = await invoices.get_invoice(conn, event.account_id, invoice_id)
                key = f"invoice:{invoice_id}:checkout:{told.checkout_id}"
                await self._wish(conn, invoice, method, key)

    async def _method(self, conn: Connection, account_id: UUID) -> PaymentMethod | None:
        """Return what autopay charges; None: it is off, or there is nothing to charge."""
        account = await accounts.get_account(conn, account_id)
        return next(iter(await self._chargeable(conn, account)), None)

    async def _chargeable(self, conn: Connection, account: Account) -> list[PaymentMethod]:
        """Return the methods that may be charged, the default one first, then by priority.

        None at all if the default can not be charged by itself: the account pays otherwise. One
        that has expired comes last: its bank may know of a new card.
        """
        default = await method_store.default(conn, account.account_id)
        if not account.autopay or default is None or not self._is_chargeable(default):
            return []
        others = [
            one
            for one in await method_store.active(conn, account.account_id)
            if one.payment_method_id != default.payment_method_id and self._is_chargeable(one)
        ]
        now = self._clock()
        return sorted([default, *others], key=lambda one: is_expired(one, now))

    def _is_chargeable(self, method: PaymentMethod) -> bool:
        if method.gateway not in self._gateways.names():
            return False
        return self._gateways.get(method.gateway).capabilities.charges_saved_methods

    def _takes(self, method: PaymentMethod, invoice: Invoice) -> bool:
        """Tell whether the method's gateway charges what is due, as is known without a call."""
        gateway = self._gateways.get(method.gateway)
        in_currency = gateway.capabilities.charges_in(method.type, invoice.currency)
        return in_currency and gateway.refusal(invoice.due) is None

    async def _open_invoices(self, conn: Connection, account_id: UUID) -> tuple[Invoice, ...]:
        newest = PageRequest(limit=LIMIT_MAX)
        return (await invoices.list_invoices(conn, account_id, Status.OPEN, newest)).items

    async def _wish(
        self, conn: Connection, invoice: Invoice, method: PaymentMethod, key: str
    ) -> None:
        if invoice.status is not Status.OPEN or invoice.due.is_zero():
            return
        whose, named = invoice.account_id, invoice.invoice_id
        if not self._takes(method, invoice) and await store.declined(conn, whose, [named]):
            # It was tried and told of once; each new method or page would only repeat that.
            return
        if await _is_collected_elsewhere(conn, invoice):
            return
        if await once_store.is_of(conn, whose, named):
            return
        now = await account_now(conn, whose, self._clock())
        payment = wish([invoice], method, key, created_at=now, next_attempt_at=now)
        await store.insert(conn, payment)


def is_own(payment: Payment) -> bool:
    """Tell whether autopay wished for the payment, not a person."""
    return payment.request_key.startswith("invoice:")


async def _is_collected_elsewhere(conn: Connection, invoice: Invoice) -> bool:
    """Tell whether a gateway renews what is billed: it tries again by itself."""
    for one in invoice.subscription_ids:
        on = await subscriptions.get_subscription(conn, invoice.account_id, one)
        if on.schedule_owner != "tallystick":
            return True
    return False
