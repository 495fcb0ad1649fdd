"""Autopay: an invoice that was finalized, or a method that was saved, makes a payment wish."""

from uuid import UUID

import msgspec

from tallystick.accounts import service as accounts
from tallystick.invoices import service as invoices
from tallystick.invoices.events import InvoiceFinalized
from tallystick.invoices.model import Invoice, Status
from tallystick.kernel.clock import Clock, account_now
from tallystick.kernel.db import Connection, Database, account_scope
from tallystick.kernel.outbox import Event
from tallystick.kernel.paging import LIMIT_MAX, PageRequest
from tallystick.payments import method_store, store
from tallystick.payments.events import PaymentMethodSaved
from tallystick.payments.gateway import Gateways
from tallystick.payments.model import PaymentMethod
from tallystick.payments.wishes import wish
from tallystick.subscriptions import service as subscriptions


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

    async def _method(self, conn: Connection, account_id: UUID) -> PaymentMethod | None:
        """Return what autopay charges; None: it is off, or there is nothing to charge."""
        account = await accounts.get_account(conn, account_id)
        method = await method_store.default(conn, account_id)
        if not account.autopay or method is None or method.gateway not in self._gateways.names():
            return None
        gateway = self._gateways.get(method.gateway)
        return method if gateway.capabilities.charges_saved_methods else None

    async def _open_invoices(self, conn: Connection, account_id: UUID) -> tuple[Invoice, ...]:
        newest = PageRequest(limit=LIMIT_MAX)
        return (await invoices.list_invoices(conn, account_id, Status.OPEN, newest)).items

    async def _wish(
        self, conn: Connection, invoice: Invoice, method: PaymentMethod, key: str
    ) -> None:
        if invoice.status is not Status.OPEN or invoice.due.is_zero():
            return
        if await _is_collected_elsewhere(conn, invoice):
            return
        now = await account_now(conn, invoice.account_id, self._clock())
        payment = wish([invoice], method, key, created_at=now, next_attempt_at=now)
        await store.insert(conn, payment)


async def _is_collected_elsewhere(conn: Connection, invoice: Invoice) -> bool:
    """Tell whether a gateway renews what is billed: it tries again by itself."""
    for one in invoice.subscription_ids:
        on = await subscriptions.get_subscription(conn, invoice.account_id, one)
        if on.schedule_owner != "tallystick":
            return True
    return False
