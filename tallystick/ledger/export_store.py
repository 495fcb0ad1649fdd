"""The SQL that reads postings for accounting: one by one, and summed by day and ledger account."""

from collections.abc import AsyncIterator
from datetime import date, datetime
from typing import Final
from uuid import UUID

import msgspec

from tallystick.kernel.db import Connection

ROWS_AT_ONCE: Final = 1_000
TIMEOUT_S: Final = 3_600.0  # the server may sort the whole before the first row comes

_ONE: Final = "e.account_id = $3 AND"
POSTINGS: Final = """
SELECT e.account_id, e.ledger_entry_id, e.at, e.kind, e.reference, e.reason, p.ledger_account,
    p.unit, p.amount, p.balance_after
FROM ledger_entries AS e JOIN ledger_postings AS p USING (account_id, ledger_entry_id)
WHERE {whose} e.at >= $1 AND e.at < $2
ORDER BY e.at, e.ledger_entry_id, p.line
"""
# A day of many currencies and ledger accounts is some dozen rows, however much was posted.
DAY_SUMS: Final = """
SELECT (e.at AT TIME ZONE {zone})::date AS posted_on, p.ledger_account, p.unit,
    coalesce(sum(p.amount) FILTER (WHERE p.amount > 0), 0)::bigint AS debit,
    coalesce(-sum(p.amount) FILTER (WHERE p.amount < 0), 0)::bigint AS credit,
    count(*) AS posting_count
FROM ledger_entries AS e JOIN ledger_postings AS p USING (account_id, ledger_entry_id)
WHERE {whose} e.at >= $1 AND e.at < $2 AND p.unit <> 'CREDIT'
GROUP BY 1, 2, 3 ORDER BY 1, 3, 2
"""


class PostingRow(msgspec.Struct, frozen=True, kw_only=True):
    """One posting with what its entry says; `amount` is above zero for a debit, in minor units."""

    account_id: UUID
    ledger_entry_id: UUID
    at: datetime
    kind: str
    reference: str
    reason: str
    ledger_account: str
    unit: str
    amount: int
    balance_after: int | None


class DaySum(msgspec.Struct, frozen=True, kw_only=True):
    """What a day posted to one ledger account in one currency; both sums are zero or more."""

    posted_on: date
    ledger_account: str
    unit: str
    debit: int
    credit: int
    posting_count: int


async def postings(
    conn: Connection, account_id: UUID | None, start: datetime, end: datetime
) -> AsyncIterator[PostingRow]:
    """Yield the postings of entries of [start, end), in that order; of one account, or of all."""
    one = () if account_id is None else (account_id,)
    query = POSTINGS.format(whose=_ONE if one else "")
    cursor = conn.cursor(query, start, end, *one, prefetch=ROWS_AT_ONCE, timeout=TIMEOUT_S)
    async for row in cursor:
        yield PostingRow(**row)


async def day_sums(
    conn: Connection, account_id: UUID | None, start: datetime, end: datetime, timezone: str
) -> tuple[DaySum, ...]:
    """Return the sums of [start, end) by day of the zone, currency and ledger account. Money only.

    The debits of a day and currency are its credits, since each entry sums to zero.
    """
    one = () if account_id is None else (account_id,)
    query = DAY_SUMS.format(whose=_ONE if one else "", zone="$4" if one else "$3")
    rows = await conn.fetch(query, start, end, *one, timezone, timeout=TIMEOUT_S)
    return tuple(DaySum(**row) for row in rows)
