"""An invoice goes out by mail when it is issued, and when its payer is needed, if mail is on."""

from uuid import UUID

import msgspec

from tallystick.accounts import service as accounts
from tallystick.invoices.events import InvoiceFinalized
from tallystick.kernel.clock import Clock
from tallystick.kernel.db import WRITER, Database
from tallystick.kernel.outbox import Event
from tallystick.mail.model import ON_FINALIZED
from tallystick.mail.service import send_invoice
from tallystick.payments.events import PaymentActionNeeded


class MailEvents:
    """Handles outbox events; each may come twice, and sends one mail."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def on_invoice_finalized(self, event: Event) -> None:
        """Send it to the account's address."""
        told = msgspec.json.decode(event.payload, type=InvoiceFinalized)
        await self._send(event.account_id, told.invoice_id, ON_FINALIZED)

    async def on_action_needed(self, event: Event) -> None:
        """Send the invoice again: behind its link the payer confirms the payment with the bank."""
        told = msgspec.json.decode(event.payload, type=PaymentActionNeeded)
        for invoice_id in told.invoice_ids[:1]:
            await self._send(event.account_id, invoice_id, f"confirm:{told.payment_id}")

    async def _send(self, account_id: UUID, invoice_id: UUID, request_key: str) -> None:
        """Send an invoice once; accounts on a test clock get none: they are no one."""
        async with self._db.transaction(WRITER) as conn:
            account = await accounts.get_account(conn, account_id)
            if account.test_clock_id is not None:
                return
            await send_invoice(
                conn,
                account.account_id,
                invoice_id,
                addresses=[account.email],
                request_key=request_key,
                now=self._clock(),
            )
