"""The SQL of taking credits, and of the usage log."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from tallystick.credits.model import Debit, Debited, DebitKind, Outcome, UsageRow, UsageSum
from tallystick.kernel.db import Connection
from tallystick.kernel.paging import PageRequest
from tallystick.ledger.model import CREDITS_ISSUED, CREDITS_TRANSFERRED, CREDITS_USED

DEBIT: Final = """
SELECT * FROM debit_credits($1::uuid[], $2::integer[], $3::text[], $4::uuid[], $5::timestamptz[],
    $6::text[], $7::text[], $8::bigint[], $9::text[], $10::text[], $11::numeric[], $12::text[],
    $13::text[], $14::uuid[], $15::bigint[])
"""
BY_KEY: Final = """
SELECT ledger_entry_id, idempotency_key, operation, model, quantity, credits, credit_cost_id,
    description, metadata, at, available_after
FROM credit_usage_log WHERE account_id = $1 AND idempotency_key = $2 AND kind = $3
"""
BY_ENTRY: Final = """
SELECT ledger_entry_id, idempotency_key, operation, model, quantity, credits, credit_cost_id,
    description, metadata, at, available_after
FROM credit_usage_log WHERE account_id = $1 AND at = $2 AND ledger_entry_id = $3
"""
_FILTER: Final = """account_id = $1 AND kind = 'usage'
  AND ($2::text IS NULL OR operation = $2) AND ($3::text IS NULL OR model = $3)
  AND ($4::timestamptz IS NULL OR at >= $4) AND ($5::timestamptz IS NULL OR at < $5)"""
PAGE: Final = f"""
SELECT ledger_entry_id, idempotency_key, operation, model, quantity, credits, credit_cost_id,
    description, metadata, at, available_after
FROM credit_usage_log
WHERE {_FILTER} AND ($6::timestamptz IS NULL OR (at, ledger_entry_id) < ($6, $7::uuid))
ORDER BY at DESC, ledger_entry_id DESC LIMIT $8 OFFSET $9
"""  # noqa: S608 - the filter is ours
COUNT: Final = f"SELECT count(*) FROM credit_usage_log WHERE {_FILTER}"  # noqa: S608 - the filter is ours
SUMS: Final = f"""
SELECT operation, model, sum(credits)::bigint AS credits,
    coalesce(sum(quantity), 0) AS quantity, count(*) AS operation_count
FROM credit_usage_log WHERE {_FILTER} GROUP BY operation, model ORDER BY operation, model
"""  # noqa: S608 - the filter is ours
USED: Final = f"""
SELECT coalesce(sum(credits), 0)::bigint FROM credit_usage_log WHERE {_FILTER}
"""  # noqa: S608 - the filter is ours

COUNTER_ACCOUNTS: Final[Mapping[DebitKind, str]] = {
    "usage": CREDITS_USED,
    "adjustment": CREDITS_ISSUED,
    "transfer": CREDITS_TRANSFERRED,
}
"""Which account of the house takes what is debited."""


class UsageFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which part of the usage log is meant: `since` included, `until` not; None: all."""

    operation: str | None = None
    model: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class NewDebit(msgspec.Struct, frozen=True):
    """A debit on its way, under the id that its ledger entry will have."""

    ledger_entry_id: UUID
    debit: Debit


async def debit(conn: Connection, batch: Sequence[NewDebit]) -> list[Debited]:
    """Take credits for a batch whose keys differ; answer by position. One statement."""
    accounts = sorted({new.debit.account_id for new in batch})
    slots = {account_id: slot for slot, account_id in enumerate(accounts, 1)}
    debits = [new.debit for new in batch]
    row = await conn.fetchrow(
        DEBIT,
        accounts,
        [slots[one.account_id] for one in debits],
        [one.key for one in debits],
        [new.ledger_entry_id for new in batch],
        [one.at for one in debits],
        [one.kind for one in debits],
        [COUNTER_ACCOUNTS[one.kind] for one in debits],
        [one.units for one in debits],
        [one.operation for one in debits],
        [one.model for one in debits],
        [one.quantity for one in debits],
        [one.description for one in debits],
        [one.metadata for one in debits],
        [one.cost_id for one in debits],
        [one.epoch for one in debits],
    )
    assert row is not None  # noqa: S101 - a function answers with one row
    return [
        Debited(
            outcome=Outcome(outcome),
            ledger_entry_id=entry_id,
            units=units,
            available_units=available or 0,
            at=at,
        )
        for outcome, entry_id, units, available, at in zip(*row.values(), strict=True)
    ]


async def find(conn: Connection, account_id: UUID, key: str, kind: DebitKind) -> UsageRow | None:
    """Return the debit with this key."""
    row = await conn.fetchrow(BY_KEY, account_id, key, kind)
    return _usage_row(row) if row else None


async def by_entry(
    conn: Connection, account_id: UUID, entry_id: UUID, at: datetime
) -> UsageRow | None:
    """Return the debit, of any kind, that this entry (of this instant) posted."""
    row = await conn.fetchrow(BY_ENTRY, account_id, at, entry_id)
    return _usage_row(row) if row else None


async def page(
    conn: Connection, account_id: UUID, wanted: UsageFilter, request: PageRequest
) -> tuple[UsageRow, ...]:
    """Return one more line of the usage log than asked for, newest first."""
    after = request.after
    at, last = (after.at, after.id) if after else (None, None)
    filters = msgspec.structs.astuple(wanted)
    more = request.limit + 1
    rows = await conn.fetch(PAGE, account_id, *filters, at, last, more, request.offset)
    return tuple(_usage_row(row) for row in rows)


async def count(conn: Connection, account_id: UUID, wanted: UsageFilter) -> int:
    """Return how many lines of the usage log there are."""
    found: int = await conn.fetchval(COUNT, account_id, *msgspec.structs.astuple(wanted))
    return found


async def sums(conn: Connection, account_id: UUID, wanted: UsageFilter) -> tuple[UsageSum, ...]:
    """Return what was used by operation and model."""
    rows = await conn.fetch(SUMS, account_id, *msgspec.structs.astuple(wanted))
    return tuple(UsageSum(**row) for row in rows)


async def used(conn: Connection, account_id: UUID, wanted: UsageFilter) -> int:
    """Return the credits used, in 1/100,000."""
    units: int = await conn.fetchval(USED, account_id, *msgspec.structs.astuple(wanted))
    return units


def _usage_row(row: Any) -> UsageRow:
    fields = dict(row)
    stored = fields["metadata"]
    fields["metadata"] = None if stored is None else msgspec.json.decode(stored)
    return UsageRow(**fields)
