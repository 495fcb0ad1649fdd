"""SQL of what issued invoices billed of flat prices, and of what coupons took off lines."""

from typing import Final
from uuid import UUID

from tallystick.invoices.billed_fees import BilledFee
from tallystick.invoices.derivation import decode
from tallystick.kernel.db import Connection
from tallystick.subscriptions.periods import Period

# What coupons took off a line `l`.
TAKEN: Final = """
    (SELECT coalesce(sum((part ->> 'taken_minor')::bigint), 0)::bigint
     FROM invoice_lines d, jsonb_array_elements(d.derivation #> '{coupon,covered}') AS part
     WHERE d.account_id = l.account_id AND d.invoice_id = l.invoice_id AND d.kind = 'discount'
       AND (part ->> 'position')::integer = l.position)
"""
# Of the lines over that time the one that was billed last: earlier ones were given back before. One
# on a draft (it has no `issued_at`, and so comes first) has been billed, too.
FEE: Final = f"""
SELECT l.invoice_id, coalesce(i.number, 'a draft') AS number, l.price_code, l.position,
    l.period_start, l.period_end,
    l.amount_minor, l.derivation, {TAKEN} AS taken_minor
FROM invoice_lines l JOIN invoices i USING (account_id, invoice_id)
WHERE l.account_id = $1 AND l.subscription_id = $2 AND l.price_code = $3
  AND l.kind IN ('subscription', 'proration') AND l.amount_minor > 0
  AND l.period_start <= $4 AND l.period_end >= $5
  AND (l.derivation ->> 'plan_version_id')::uuid = $6
  AND i.status <> 'void'
ORDER BY l.period_start DESC, i.issued_at DESC, i.invoice_id DESC, l.position DESC LIMIT 1
"""  # noqa: S608 -- put together from constants


async def last_fee(
    conn: Connection,
    account_id: UUID,
    subscription_id: UUID,
    *,
    price_code: str,
    plan_version_id: UUID,
    part: Period,
) -> BilledFee | None:
    """Return the line that billed the price for this time, the last one; None: there is none."""
    row = await conn.fetchrow(
        FEE, account_id, subscription_id, price_code, part.start, part.end, plan_version_id
    )
    if row is None:
        return None
    share = decode(row["derivation"]).share
    return BilledFee(
        invoice_id=row["invoice_id"],
        number=row["number"],
        subscription_id=subscription_id,
        plan_version_id=plan_version_id,
        price_code=price_code,
        period=Period(row["period_start"], row["period_end"]),
        start=share.start if share else 0,
        billed_minor=row["amount_minor"],
        taken_minor=row["taken_minor"],
    )
