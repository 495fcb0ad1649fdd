"""SQL of what issued invoices billed for usage, and of those whose usage changed since."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from tallystick.invoices.billed_fees_store import TAKEN
from tallystick.invoices.derivation import Derivation, decode
from tallystick.invoices.usage_change import Billed
from tallystick.invoices.usage_lines_model import PriceKey, UsageChange, UsageLine
from tallystick.kernel.db import Connection
from tallystick.money.amount import Money

ISSUED_LINES: Final = """
SELECT i.invoice_id, i.number, l.subscription_id, i.currency, l.invoice_line_id, l.position,
    l.kind, l.description, l.meter_code, l.period_start, l.period_end, l.amount_minor, l.derivation
FROM invoices i JOIN invoice_lines l USING (account_id, invoice_id)
WHERE i.account_id = $1 AND i.status IN ('open', 'paid', 'uncollectible')
  AND l.subscription_id IS NOT NULL AND l.kind IN ('usage', 'minimum', 'maximum')
  AND l.meter_code = ANY ($2::text[]) AND l.period_end > $3
  AND coalesce((l.derivation -> 'advance' ->> 'is_last')::boolean, true)
ORDER BY l.period_start, i.invoice_id, l.position
"""
NOTE: Final = """
INSERT INTO invoice_usage_changes AS c (account_id, invoice_id, meter_code, subscription_id,
    period_start, period_end, changed_since, changed_at)
SELECT $1, n.*, $7, $7
FROM unnest($2::uuid[], $3::text[], $4::uuid[], $5::timestamptz[], $6::timestamptz[]) AS n
ORDER BY 2, 4, 3
ON CONFLICT (account_id, invoice_id, subscription_id, meter_code)
DO UPDATE SET changed_at = excluded.changed_at
"""
NOTE_AGAIN: Final = """
INSERT INTO invoice_usage_changes AS c (account_id, invoice_id, meter_code, subscription_id,
    period_start, period_end, changed_since, changed_at)
SELECT DISTINCT account_id, invoice_id, meter_code, subscription_id, period_start, period_end,
    $4::timestamptz, $4::timestamptz
FROM invoice_lines
WHERE account_id = $1 AND invoice_id = $2 AND price_code = $3 AND kind = 'usage'
ON CONFLICT (account_id, invoice_id, subscription_id, meter_code)
DO UPDATE SET changed_at = excluded.changed_at
"""
CHANGES_OF: Final = """
SELECT account_id, invoice_id, meter_code, subscription_id, period_start, period_end,
    changed_since, changed_at
FROM invoice_usage_changes WHERE account_id = ANY ($1::uuid[]) AND period_end >= $2
ORDER BY account_id, period_end, invoice_id, subscription_id, meter_code
"""
LOCK_CHANGES_OF: Final = f"{CHANGES_OF} FOR UPDATE"
# Accounts to whom no run comes any more, nor a draft that waits to be made final.
WAITING: Final = """
SELECT DISTINCT c.account_id FROM invoice_usage_changes AS c JOIN accounts AS a USING (account_id)
WHERE c.period_end >= $1 AND c.changed_since <= $2 AND a.test_clock_id IS NOT DISTINCT FROM $3
  AND NOT EXISTS (SELECT FROM subscriptions AS s
                  WHERE s.account_id = c.account_id AND s.next_bill_at IS NOT NULL)
  AND NOT EXISTS (SELECT FROM invoices AS i WHERE i.account_id = c.account_id
                  AND i.status = 'draft' AND i.finalize_at IS NOT NULL)
ORDER BY c.account_id LIMIT $4
"""
# What adjustments of issued invoices that hold came to (a draft's are found again when it is made
# final), and the quantity that the last of them billed.
BILLED_LATER: Final = """
SELECT (l.derivation #>> '{changed,invoice_id}')::uuid AS invoice_id, l.subscription_id,
    l.price_code,
    sum(l.amount_minor - coalesce((l.derivation #>> '{discount,back_minor}')::bigint, 0))::bigint
        AS minor,
    (array_agg(l.derivation #>> '{changed,new_quantity}'
               ORDER BY i.issued_at DESC, i.invoice_id DESC))[1]::numeric AS quantity
FROM invoice_lines l JOIN invoices i USING (account_id, invoice_id)
WHERE l.account_id = $1 AND l.kind = 'adjustment'
  AND (l.derivation #>> '{changed,invoice_id}')::uuid = ANY ($2::uuid[])
  AND i.status NOT IN ('draft', 'void')
GROUP BY 1, 2, 3
"""
# What coupons took off all that was billed for usage of a period and was not taken back.
DISCOUNTS: Final = f"""
SELECT l.subscription_id, l.price_code, l.period_start,
    sum({TAKEN} - coalesce((l.derivation #>> '{{discount,back_minor}}')::bigint, 0))::bigint
        AS minor
FROM invoice_lines l JOIN invoices i USING (account_id, invoice_id)
WHERE l.account_id = $1 AND l.subscription_id = ANY ($2::uuid[])
  AND l.period_start = ANY ($3::timestamptz[]) AND l.meter_code IS NOT NULL
  AND i.status IN ('open', 'paid', 'uncollectible')
GROUP BY 1, 2, 3
"""  # noqa: S608 -- put together from constants
# A change that came after the rating stays, for the next one.
SETTLE: Final = """
DELETE FROM invoice_usage_changes
WHERE account_id = $1 AND invoice_id = $2 AND subscription_id = $3 AND meter_code = $4
  AND changed_at <= $5
"""


async def issued_lines(
    conn: Connection, account_id: UUID, meter_codes: Sequence[str], after: datetime
) -> tuple[UsageLine, ...]:
    """Return what issued invoices bill for these meters in periods that end after an instant."""
    rows = await conn.fetch(ISSUED_LINES, account_id, list(meter_codes), after)
    return tuple(
        UsageLine(
            invoice_id=row["invoice_id"],
            number=row["number"],
            subscription_id=row["subscription_id"],
            invoice_line_id=row["invoice_line_id"],
            position=row["position"],
            kind=row["kind"],
            description=row["description"],
            meter_code=row["meter_code"],
            period_start=row["period_start"],
            period_end=row["period_end"],
            amount=Money(row["amount_minor"] + _before(derivation), row["currency"]),
            derivation=derivation,
        )
        for row in rows
        for derivation in [decode(row["derivation"])]
    )


def _before(derivation: Derivation) -> int:
    """Return what was billed of the line's usage as it came, before, without coupons."""
    before = derivation.advance.billed_minor if derivation.advance else 0
    return before - (derivation.discount.back_minor if derivation.discount else 0)


async def note(
    conn: Connection, account_id: UUID, lines: Sequence[UsageLine], at: datetime
) -> None:
    """Note that the usage behind these lines changed."""
    await conn.execute(
        NOTE,
        account_id,
        [line.invoice_id for line in lines],
        [line.meter_code for line in lines],
        [line.subscription_id for line in lines],
        [line.period_start for line in lines],
        [line.period_end for line in lines],
        at,
    )


async def note_again(
    conn: Connection, account_id: UUID, invoice_id: UUID, price_code: str, at: datetime
) -> None:
    """Note that the usage that an invoice billed by a price is to be rated again."""
    await conn.execute(NOTE_AGAIN, account_id, invoice_id, price_code, at)


async def changes_of(
    conn: Connection, account_ids: Collection[UUID], since: datetime, *, lock: bool
) -> tuple[UsageChange, ...]:
    """Return changes of periods that ended at `since` or later, account by account."""
    rows = await conn.fetch(LOCK_CHANGES_OF if lock else CHANGES_OF, list(account_ids), since)
    return tuple(UsageChange(**row) for row in rows)


async def waiting(
    conn: Connection, since: datetime, until: datetime, test_clock_id: UUID | None, limit: int
) -> tuple[UUID, ...]:
    """Return accounts with changes, noted first by `until`, that no subscription's run will see."""
    rows = await conn.fetch(WAITING, since, until, test_clock_id, limit)
    return tuple(row["account_id"] for row in rows)


async def billed_later(
    conn: Connection, account_id: UUID, invoice_ids: Collection[UUID]
) -> dict[PriceKey, Billed]:
    """Return what later invoices added to the usage of these, by its price."""
    rows = await conn.fetch(BILLED_LATER, account_id, list(invoice_ids))
    return {
        (row["invoice_id"], row["subscription_id"], row["price_code"]): Billed(
            row["minor"], row["quantity"]
        )
        for row in rows
    }


async def discounts(
    conn: Connection, account_id: UUID, lines: Sequence[UsageLine]
) -> dict[PriceKey, int]:
    """Return what coupons took, in minor units, off the usage that these lines billed.

    Of each price in its period, with what later invoices added or gave back.
    """
    whose = list({line.subscription_id for line in lines})
    starts = list({line.period_start for line in lines})
    rows = await conn.fetch(DISCOUNTS, account_id, whose, starts)
    found = {
        (row["subscription_id"], row["price_code"], row["period_start"]): row["minor"]
        for row in rows
    }
    return {
        line.price_key: found.get((line.subscription_id, line.price_key[2], line.period_start), 0)
        for line in lines
    }


async def settle(conn: Connection, change: UsageChange) -> None:
    """Drop a change, unless another one came since it was read."""
    await conn.execute(
        SETTLE,
        change.account_id,
        change.invoice_id,
        change.subscription_id,
        change.meter_code,
        change.changed_at,
    )
