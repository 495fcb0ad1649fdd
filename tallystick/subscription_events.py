"""What follows for a subscription from what others tell of its invoices and their payments."""

from uuid import UUID

import msgspec

from tallystick.credit_notes.remainders import pay_remainders_back
from tallystick.invoices import service as invoices
from tallystick.invoices.events import InvoiceClosed, InvoiceFinalized, InvoicePaid
from tallystick.kernel.clock import Clock, account_now
from tallystick.kernel.db import WRITER, Connection, Database
from tallystick.kernel.outbox import Event
from tallystick.payments.events import PaymentFailed
from tallystick.subscription_standing import look
from tallystick.subscriptions import changing
from tallystick.subscriptions import service as subscriptions


class SubscriptionEvents:
    """Handles outbox events; each may come twice, and changes a subscription once."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def on_invoice_paid(self, event: Event) -> None:
        """Let the subscription begin that waited for this invoice, or catch up."""
        told = msgspec.json.decode(event.payload, type=InvoicePaid)
        async with self._db.transaction(WRITER) as conn:
            invoice = await invoices.get_invoice(conn, event.account_id, told.invoice_id)
            for subscription_id in invoice.subscription_ids:
                await changing.complete_if_waiting(conn, event.account_id, subscription_id)
            await self._look(conn, event.account_id, invoice.subscription_ids)

    async def on_invoice_finalized(self, event: Event) -> None:
        """Note when the invoice has to be paid."""
        told = msgspec.json.decode(event.payload, type=InvoiceFinalized)
        await self._look_at_invoice(event.account_id, told.invoice_id)

    async def on_ended(self, event: Event) -> None:
        """Pay back what was paid ahead and is not used, where the subscription asks for that."""
        async with self._db.transaction(WRITER) as conn:
            now = await account_now(conn, event.account_id, self._clock())
            await pay_remainders_back(conn, event.account_id, now)

    async def on_invoice_closed(self, event: Event) -> None:
        """See whether the subscription is behind still, where an invoice is void or given up."""
        told = msgspec.json.decode(event.payload, type=InvoiceClosed)
        await self._look_at_invoice(event.account_id, told.invoice_id)

    async def on_payment_failed(self, event: Event) -> None:
        """Let the subscriptions fall behind whose invoices could not be collected."""
        told = msgspec.json.decode(event.payload, type=PaymentFailed)
        for invoice_id in told.invoice_ids:
            await self._look_at_invoice(event.account_id, invoice_id)

    async def _look_at_invoice(self, account_id: UUID, invoice_id: UUID) -> None:
        async with self._db.transaction(WRITER) as conn:
            invoice = await invoices.get_invoice(conn, account_id, invoice_id)
            await self._look(conn, account_id, invoice.subscription_ids)

    async def _look(
        self, conn: Connection, account_id: UUID, subscription_ids: tuple[UUID, ...]
    ) -> None:
        now = await account_now(conn, account_id, self._clock())
        for subscription_id in subscription_ids:
            await look(conn, await subscriptions.lock(conn, account_id, subscription_id), now)
