"""What goes out by mail, if mail is on: issued invoices, and word of cards that expire."""

from uuid import UUID

import msgspec

from tallystick.accounts import service as accounts
from tallystick.invoices.events import InvoiceFinalized
from tallystick.kernel.clock import Clock
from tallystick.kernel.db import WRITER, Database
from tallystick.kernel.outbox import Event
from tallystick.mail.model import ON_FINALIZED
from tallystick.mail.service import send_invoice, tell_of_card
from tallystick.payments import methods
from tallystick.payments.events import PaymentActionNeeded, PaymentMethodExpired


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

    async def on_card_expires(self, event: Event) -> None:
        """Say until when the card is valid; one mail for each event, and each event is told once.

        Not of a method that is gone by now, or that no gateway charges. Accounts on a test clock
        get none: they are no one.
        """
        told = msgspec.json.decode(event.payload, type=PaymentMethodExpired)
        async with self._db.transaction(WRITER) as conn:
            account = await accounts.get_account(conn, event.account_id)
            saved = await methods.list_methods(conn, event.account_id)
            is_there = any(one.payment_method_id == told.payment_method_id for one in saved)
            if account.test_clock_id is None and is_there:
                await tell_of_card(
                    conn,
                    account.account_id,
                    told.payment_method_id,
                    address=account.email,
                    request_key=f"event:{event.outbox_id}",
                    now=self._clock(),
                )

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
