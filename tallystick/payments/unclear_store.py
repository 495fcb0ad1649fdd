"""The SQL of charges and refunds that are unclear, over all accounts."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from tallystick.kernel.db import Connection
from tallystick.money.amount import Money
from tallystick.payments import unclear
from tallystick.payments.model import Attempt, AttemptOutcome
from tallystick.payments.refund_model import RefundAttempt
from tallystick.payments.unclear import Kind, Unclear, reason_of

_UNANSWERED: Final = "outcome IN ('created', 'needs_action', 'pending', 'unknown')"
# $1 now, $2 gateways that are configured, $3 to $5 how long each kind of outcome may take.
_IS_UNCLEAR: Final = f"""
{_UNANSWERED} AND (resolve_after IS NULL OR gateway <> ALL($2::text[])
    OR created_at <= $1::timestamptz - CASE outcome WHEN 'pending' THEN $4::interval
        WHEN 'needs_action' THEN $5::interval ELSE $3::interval END)
"""
_COLUMNS: Final = """
account_id, payment_id, gateway, gateway_reference, outcome, code, resolve_count, resolve_after,
created_at
"""
LIST: Final = f"""
SELECT a.*, p.amount_minor, p.currency::text AS currency
FROM (SELECT 'charge' AS kind, {_COLUMNS} FROM payment_attempts WHERE {_IS_UNCLEAR}) a
JOIN payments p USING (account_id, payment_id)
UNION ALL
SELECT 'refund', {_COLUMNS}, amount_minor, currency::text FROM refund_attempts WHERE {_IS_UNCLEAR}
ORDER BY created_at, payment_id, kind LIMIT $6
"""  # noqa: S608 - our own words
COUNT: Final = f"""
SELECT (SELECT count(*) FROM payment_attempts WHERE {_IS_UNCLEAR})
    + (SELECT count(*) FROM refund_attempts WHERE {_IS_UNCLEAR})
"""  # noqa: S608 - our own words
# A bank's days and a payer are awaited by the looks of every day; the sweep is for the others. The
# predicate of the indexes `payment_attempts_to_sweep` and `refund_attempts_to_sweep`.
_SWEPT: Final = (
    "(outcome IN ('created', 'unknown')"
    " OR (resolve_after IS NULL AND outcome IN ('needs_action', 'pending')))"
)


def _lease(table: str, key: str) -> str:
    return f"""
UPDATE {table}
SET sweep_after = $1::timestamptz + $2::interval, resolve_count = resolve_count + 1
WHERE (account_id, {key}) IN (
    SELECT account_id, {key} FROM {table}
    WHERE sweep_after <= $1 AND gateway = ANY($3) AND {_SWEPT}
    ORDER BY sweep_after LIMIT $4 FOR NO KEY UPDATE SKIP LOCKED)
RETURNING *
"""  # noqa: S608 - our own words


LEASE_CHARGES: Final = _lease("payment_attempts", "payment_attempt_id")
LEASE_REFUNDS: Final = _lease("refund_attempts", "refund_attempt_id")
HASTEN: Final = tuple(
    f"""
UPDATE {table} SET sweep_after = $1
WHERE sweep_after > $1 AND created_at <= $1::timestamptz - $2::interval AND {_SWEPT}
"""  # noqa: S608 - our own words
    for table in ("payment_attempts", "refund_attempts")
)
REFUNDS_OF: Final = f"""
SELECT * FROM refund_attempts WHERE account_id = $1 AND payment_id = $2 AND {_UNANSWERED}
ORDER BY created_at
"""  # noqa: S608 - our own words


async def page(
    conn: Connection, now: datetime, gateways: Sequence[str], limit: int
) -> list[Unclear]:
    """Return the oldest of what is unclear, under the staff's scope."""
    rows = await conn.fetch(LIST, now, list(gateways), *_limits(), limit)
    return [_unclear(row, gateways) for row in rows]


async def count(conn: Connection, now: datetime, gateways: Sequence[str]) -> int:
    """Return how much is unclear."""
    return int(await conn.fetchval(COUNT, now, list(gateways), *_limits()))


async def lease_charges(
    conn: Connection, now: datetime, every: timedelta, gateways: Sequence[str], limit: int
) -> list[Attempt]:
    """Take charges that were unclear for long, parked ones too; the next sweep comes later."""
    rows = await conn.fetch(LEASE_CHARGES, now, every, list(gateways), limit)
    return [msgspec.convert(dict(row), Attempt) for row in rows]


async def lease_refunds(
    conn: Connection, now: datetime, every: timedelta, gateways: Sequence[str], limit: int
) -> list[RefundAttempt]:
    """Take refunds likewise."""
    rows = await conn.fetch(LEASE_REFUNDS, now, every, list(gateways), limit)
    return [msgspec.convert(dict(row), RefundAttempt) for row in rows]


async def hasten(conn: Connection, now: datetime, age_min: timedelta) -> None:
    """Let the sweep take all now that nobody is just sending."""
    for statement in HASTEN:
        await conn.execute(statement, now, age_min)


async def refunds_of(conn: Connection, account_id: UUID, payment_id: UUID) -> list[RefundAttempt]:
    """Return the refunds of a payment that have no clear answer."""
    rows = await conn.fetch(REFUNDS_OF, account_id, payment_id)
    return [msgspec.convert(dict(row), RefundAttempt) for row in rows]


def _limits() -> tuple[timedelta, timedelta, timedelta]:
    return unclear.NO_ANSWER_AFTER, unclear.BANK_AFTER, unclear.PAYER_AFTER


def _unclear(row: "asyncpg.Record", gateways: Sequence[str]) -> Unclear:
    outcome = AttemptOutcome(row["outcome"])
    return Unclear(
        kind=Kind(row["kind"]),
        account_id=row["account_id"],
        payment_id=row["payment_id"],
        gateway=row["gateway"],
        gateway_reference=row["gateway_reference"],
        amount=Money(row["amount_minor"], row["currency"]),
        outcome=outcome,
        code=row["code"],
        since=row["created_at"],
        tried_count=row["resolve_count"],
        next_try_at=row["resolve_after"],
        reason=reason_of(
            outcome,
            row["code"],
            is_parked=row["resolve_after"] is None,
            is_configured=row["gateway"] in gateways,
        ),
    )
