"""SQL of how invoices were closed without being paid, and opened again."""

from datetime import datetime
from typing import Final, Literal
from uuid import UUID

import msgspec

from tallystick.invoices.model import BillKey
from tallystick.kernel.db import Connection

ClosingKind = Literal["void", "write_off", "reopen"]

INSERT: Final = """
INSERT INTO invoice_closings (account_id, invoice_closing_id, invoice_id, kind, amount_minor,
    reason, actor, replaced_by, closed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
OF_INVOICE: Final = """
SELECT invoice_closing_id, kind, amount_minor, reason, actor, replaced_by, closed_at
FROM invoice_closings WHERE account_id = $1 AND invoice_id = $2
ORDER BY closed_at, invoice_closing_id
"""
BILLS: Final = """
SELECT subscription_id, bill_index FROM invoice_bills
WHERE account_id = $1 AND invoice_id = $2 ORDER BY subscription_id, bill_index
"""


class Closing(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice was voided, written off or opened again; `amount_minor` was due then.

    `replaced_by` is the invoice that bills the same anew.
    """

    invoice_closing_id: UUID
    kind: ClosingKind
    amount_minor: int
    reason: str
    actor: str
    closed_at: datetime
    replaced_by: UUID | None = None


async def insert(conn: Connection, account_id: UUID, invoice_id: UUID, new: Closing) -> None:
    """Write what became of an invoice."""
    await conn.execute(
        INSERT, account_id, new.invoice_closing_id, invoice_id, new.kind, new.amount_minor,
        new.reason, new.actor, new.replaced_by, new.closed_at,
    )  # fmt: skip


async def of_invoice(conn: Connection, account_id: UUID, invoice_id: UUID) -> tuple[Closing, ...]:
    """Return what became of an invoice, oldest first."""
    return tuple(Closing(**row) for row in await conn.fetch(OF_INVOICE, account_id, invoice_id))


async def bills(conn: Connection, account_id: UUID, invoice_id: UUID) -> tuple[BillKey, ...]:
    """Return the bills of subscriptions that an invoice is for."""
    return tuple(BillKey(**row) for row in await conn.fetch(BILLS, account_id, invoice_id))
