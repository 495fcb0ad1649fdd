"""SQL of drafts that bill a period, until their grace period is over."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from tallystick.invoices import draft_store, store
from tallystick.invoices.grace import decode, encode
from tallystick.invoices.model import BillKey, InvoiceDraft
from tallystick.kernel.db import Connection
from tallystick.kernel.ids import new_id
from tallystick.subscriptions.model import Subscription

DRAFTED: Final = """
SELECT drafted_from FROM invoice_bills
WHERE account_id = $1 AND invoice_id = $2 AND drafted_from IS NOT NULL
ORDER BY subscription_id, bill_index
"""
# The one that becomes final first is made first: it takes what there is of coupons and credit.
OPEN: Final = """
SELECT invoice_id FROM invoices
WHERE account_id = $1 AND status = 'draft' AND subscription_ids <> '{}'
ORDER BY finalize_at, invoice_id
"""
DELETE_BILLS: Final = "DELETE FROM invoice_bills WHERE account_id = $1 AND invoice_id = $2"


async def insert(
    conn: Connection,
    account_id: UUID,
    draft: InvoiceDraft,
    was: Mapping[BillKey, Subscription],
    *,
    finalize_at: datetime,
    at: datetime,
) -> None:
    """Write a draft over these bills; `was` are the subscriptions before their steps.

    Raises asyncpg.UniqueViolationError if one of the bills has its invoice.
    """
    invoice_id = new_id()
    kept = {key: encode(on) for key, on in was.items()}
    await store.insert_draft(
        conn, account_id, draft, invoice_id=invoice_id, at=at, drafted_from=kept
    )
    await draft_store.set_draft(conn, account_id, invoice_id, draft, finalize_at)
    await write_lines(conn, account_id, invoice_id, draft)


async def write_lines(
    conn: Connection, account_id: UUID, invoice_id: UUID, draft: InvoiceDraft
) -> None:
    """Let a draft have these lines, and no others."""
    await draft_store.delete_lines(conn, account_id, invoice_id)
    line_ids = [new_id() for _ in draft.lines]
    await store.insert_lines(conn, account_id, invoice_id, draft.lines, line_ids)


async def drafted(conn: Connection, account_id: UUID, invoice_id: UUID) -> tuple[Subscription, ...]:
    """Return the subscriptions as they stood before the steps that a draft bills."""
    rows = await conn.fetch(DRAFTED, account_id, invoice_id)
    return tuple(decode(row["drafted_from"]) for row in rows)


async def open_drafts(conn: Connection, account_id: UUID) -> tuple[UUID, ...]:
    """Return the account's drafts that bill a period, the one that becomes final first first."""
    rows = await conn.fetch(OPEN, account_id)
    return tuple(row["invoice_id"] for row in rows)


async def delete(conn: Connection, account_id: UUID, invoice_id: UUID) -> None:
    """Drop a draft with its bills: it comes to nothing, and that is not issued."""
    await conn.execute(DELETE_BILLS, account_id, invoice_id)
    await draft_store.delete(conn, account_id, invoice_id)
