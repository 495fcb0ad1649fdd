"""What follows for a subscription from what others tell: its first invoice was paid."""

import msgspec

from tallystick.invoices import service as invoices
from tallystick.invoices.events import InvoicePaid
from tallystick.kernel.db import WRITER, Database
from tallystick.kernel.outbox import Event
from tallystick.subscriptions import changing


class SubscriptionEvents:
    """Handles outbox events; each may come twice, and changes a subscription once."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def on_invoice_paid(self, event: Event) -> None:
        """Let the subscription begin that waited for this invoice."""
        told = msgspec.json.decode(event.payload, type=InvoicePaid)
        async with self._db.transaction(WRITER) as conn:
            invoice = await invoices.get_invoice(conn, event.account_id, told.invoice_id)
            for subscription_id in invoice.subscription_ids:
                await changing.complete_if_waiting(conn, event.account_id, subscription_id)
