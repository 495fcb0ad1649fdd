"""The SQL of disputes."""

from typing import Final
from uuid import UUID

import msgspec

from tallystick.credit_notes.model import Dispute
from tallystick.kernel.db import Connection
from tallystick.money.amount import Money

INSERT: Final = """
INSERT INTO disputes (account_id, dispute_id, invoice_id, gateway, reference, currency,
    amount_minor, status, opened_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, 'opened', $8)
ON CONFLICT (account_id, gateway, reference) DO NOTHING RETURNING dispute_id
"""
LOCK: Final = """
SELECT account_id, dispute_id, invoice_id, gateway, reference, currency::text AS currency,
    amount_minor, status, opened_at, ended_at
FROM disputes WHERE account_id = $1 AND gateway = $2 AND reference = $3 FOR NO KEY UPDATE
"""
END: Final = """
UPDATE disputes SET status = $3, ended_at = $4
WHERE account_id = $1 AND dispute_id = $2 AND status = 'opened'
"""


async def insert(conn: Connection, dispute: Dispute) -> bool:
    """Write a dispute; False if the gateway told of it before."""
    written = await conn.fetchval(
        INSERT, dispute.account_id, dispute.dispute_id, dispute.invoice_id, dispute.gateway,
        dispute.reference, dispute.currency, dispute.amount.minor, dispute.opened_at,
    )  # fmt: skip
    return written is not None


async def lock(conn: Connection, account_id: UUID, gateway: str, reference: str) -> Dispute | None:
    """Return the dispute that a gateway calls so, and lock its row."""
    row = await conn.fetchrow(LOCK, account_id, gateway, reference)
    if row is None:
        return None
    fields = dict(row)
    fields["amount"] = Money(fields.pop("amount_minor"), fields["currency"])
    return msgspec.convert(fields, Dispute)


async def end(conn: Connection, dispute: Dispute) -> None:
    """Write how a locked dispute ended."""
    await conn.execute(
        END, dispute.account_id, dispute.dispute_id, dispute.status, dispute.ended_at
    )
