"""An invoice goes out by mail when it is issued, if mail is on."""

import msgspec

from tallystick.accounts import service as accounts
from tallystick.invoices.events import InvoiceFinalized
from tallystick.kernel.clock import Clock
from tallystick.kernel.db import WRITER, Database
from tallystick.kernel.outbox import Event
from tallystick.mail.model import ON_FINALIZED
from tallystick.mail.service import send_invoice


class MailEvents:
    """Handles outbox events; each may come twice, and sends one mail."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def on_invoice_finalized(self, event: Event) -> None:
        """Send it to the account's address; accounts on a test clock get none: they are no one."""
        told = msgspec.json.decode(event.payload, type=InvoiceFinalized)
        async with self._db.transaction(WRITER) as conn:
            account = await accounts.get_account(conn, event.account_id)
            if account.test_clock_id is not None:
                return
            await send_invoice(
                conn,
                account.account_id,
                told.invoice_id,
                addresses=[account.email],
                request_key=ON_FINALIZED,
                now=self._clock(),
            )
