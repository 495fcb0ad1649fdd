"""SQL of what was billed of usage as it came."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from tallystick.invoices.billed_fees_store import TAKEN
from tallystick.invoices.derivation import decode, gross_of
from tallystick.invoices.model import BillKey
from tallystick.invoices.usage_fees import Billed, Fee, PartKey, key_of
from tallystick.kernel.db import Connection
from tallystick.money.amount import Money

INSERT: Final = """
INSERT INTO usage_fees (account_id, subscription_id, bill_index, position, price_code, part,
    period_start, period_end, quantity, amount_minor, currency, is_invoiced, billed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
"""
BILLED: Final = """
SELECT price_code, part, sum(amount_minor)::bigint AS minor, sum(quantity) AS quantity,
    min(currency) AS currency
FROM usage_fees WHERE account_id = $1 AND subscription_id = $2 AND period_start = $3
GROUP BY price_code, part ORDER BY price_code, part
"""

# What coupons took off the fees that invoices billed.
TAKEN_OFF: Final = f"""
SELECT l.price_code, l.derivation, {TAKEN} AS taken_minor
FROM invoice_lines l JOIN invoices i USING (account_id, invoice_id)
WHERE l.account_id = $1 AND l.subscription_id = $2 AND l.period_start = $3
  AND l.kind = 'usage' AND jsonb_typeof(l.derivation -> 'advance') = 'object'
  AND i.status IN ('open', 'paid', 'uncollectible')
"""  # noqa: S608 -- put together from constants


async def insert(
    conn: Connection, account_id: UUID, bill: BillKey, fees: Sequence[Fee], at: datetime
) -> None:
    """Write the fees of a bill of a subscription."""
    if not fees:
        return
    await conn.executemany(
        INSERT,
        [
            (
                account_id,
                bill.subscription_id,
                bill.bill_index,
                position,
                *fee.part,
                fee.line.period_start,
                fee.line.period_end,
                fee.line.quantity,
                gross_of(fee.line.derivation).minor,
                fee.line.amount.currency,
                fee.is_invoiced,
                at,
            )
            for position, fee in enumerate(fees, start=1)
        ],
    )


async def billed(
    conn: Connection, account_id: UUID, subscription_id: UUID, period_start: datetime
) -> dict[PartKey, Billed]:
    """Return what was billed of the usage of the period that begins then."""
    rows = await conn.fetch(BILLED, account_id, subscription_id, period_start)
    return {
        (row["price_code"], row["part"]): Billed(
            Money(row["minor"], row["currency"]), row["quantity"]
        )
        for row in rows
    }


async def taken_off(
    conn: Connection, account_id: UUID, subscription_id: UUID, period_start: datetime
) -> Counter[PartKey]:
    """Return what coupons took, in minor units, off what was billed of it."""
    found: Counter[PartKey] = Counter()
    rows = await conn.fetch(TAKEN_OFF, account_id, subscription_id, period_start)
    for row in rows:
        found[key_of(row["price_code"], decode(row["derivation"]))] += row["taken_minor"]
    return found
