"""Closing an invoice that nobody is to pay any more: what was to be charged for it is put away."""

from datetime import datetime
from uuid import UUID

from tallystick.documents.document import Party
from tallystick.invoices import closing
from tallystick.invoices.closing import Voided
from tallystick.invoices.model import Invoice
from tallystick.kernel.clock import account_now
from tallystick.kernel.db import Connection
from tallystick.payments import service


async def void_invoice(
    conn: Connection,
    account_id: UUID,
    invoice_id: UUID,
    *,
    rebill: bool,
    seller: Party,
    reason: str,
    wall: datetime,
) -> Voided:
    """Let an open invoice, of which no money came, count no longer.

    `rebill`: another over the same lines takes its place. In the open transaction, of the writer's
    scope. Raises Conflict `payment_in_progress`, and what `invoices.closing.void_invoice` does.
    """
    await service.end_wishes(conn, account_id, invoice_id)
    at = await account_now(conn, account_id, wall)
    return await closing.void_invoice(
        conn, account_id, invoice_id, rebill=rebill, seller=seller, reason=reason, at=at, wall=wall
    )


async def write_off(
    conn: Connection, account_id: UUID, invoice_id: UUID, *, reason: str, wall: datetime
) -> Invoice:
    """Give up what is due on an open invoice; raises as `void_invoice` does."""
    await service.end_wishes(conn, account_id, invoice_id)
    at = await account_now(conn, account_id, wall)
    return await closing.write_off(conn, account_id, invoice_id, reason=reason, at=at)
