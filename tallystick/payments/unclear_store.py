"""The SQL of charges that are unclear, over all accounts."""

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
from tallystick.payments.unclear import Unclear, reason_of

_LIVE: Final = "outcome IN ('created', 'needs_action', 'pending', 'unknown')"
# $1 now, $2 gateways that are configured, $3 to $5 how long each kind may take.
_UNCLEAR: Final = f"""
FROM payment_attempts a JOIN payments p USING (account_id, payment_id)
WHERE a.{_LIVE} AND ($6::uuid IS NULL OR a.payment_id = $6)
    AND (a.resolve_after IS NULL OR a.gateway <> ALL($2::text[]) OR a.created_at <= $1::timestamptz
        - CASE a.outcome WHEN 'pending' THEN $4::interval WHEN 'needs_action' THEN $5::interval
          ELSE $3::interval END)
"""
LIST: Final = f"""
SELECT a.*, p.amount_minor, p.currency::text AS currency {_UNCLEAR}
ORDER BY a.created_at, a.payment_attempt_id LIMIT $7
"""
COUNT: Final = f"SELECT count(*) {_UNCLEAR}"
# A bank's days and a payer are awaited by the looks of every day; the sweep is for the others.
# The predicate of the index `payment_attempts_to_sweep`, word for word.
_SWEPT: Final = (
    "(outcome IN ('created', 'unknown')"
    " OR (resolve_after IS NULL AND outcome IN ('needs_action', 'pending')))"
)
LEASE_SWEEP: Final = f"""
UPDATE payment_attempts
SET sweep_after = $1::timestamptz + $2::interval, resolve_count = resolve_count + 1
WHERE (account_id, payment_attempt_id) IN (
    SELECT account_id, payment_attempt_id FROM payment_attempts
    WHERE sweep_after <= $1 AND gateway = ANY($3) AND {_SWEPT}
    ORDER BY sweep_after LIMIT $4 FOR NO KEY UPDATE SKIP LOCKED)
RETURNING *
"""  # noqa: S608 - our own words
HASTEN: Final = f"""
UPDATE payment_attempts SET sweep_after = $1
WHERE sweep_after > $1 AND created_at <= $1::timestamptz - $2::interval AND {_SWEPT}
"""  # noqa: S608 - our own words


async def page(
    conn: Connection,
    now: datetime,
    gateways: Sequence[str],
    limit: int,
    payment_id: UUID | None = None,
) -> list[Unclear]:
    """Return the oldest unclear charges, under the staff's scope; or that of one payment."""
    rows = await conn.fetch(LIST, now, list(gateways), *_limits(), payment_id, limit)
    return [_unclear(row, gateways) for row in rows]


async def count(conn: Connection, now: datetime, gateways: Sequence[str]) -> int:
    """Return how many charges are unclear."""
    return int(await conn.fetchval(COUNT, now, list(gateways), *_limits(), None))


async def lease_sweep(
    conn: Connection, now: datetime, every: timedelta, gateways: Sequence[str], limit: int
) -> list[Attempt]:
    """Take charges that were unclear for long, parked ones too; the next sweep comes later."""
    rows = await conn.fetch(LEASE_SWEEP, now, every, list(gateways), limit)
    return [msgspec.convert(dict(row), Attempt) for row in rows]


async def hasten(conn: Connection, now: datetime, age_min: timedelta) -> None:
    """Let the sweep take all now that nobody is just sending."""
    await conn.execute(HASTEN, now, age_min)


def _limits() -> tuple[timedelta, timedelta, timedelta]:
    return unclear.NO_ANSWER_AFTER, unclear.BANK_AFTER, unclear.PAYER_AFTER


def _unclear(row: "asyncpg.Record", gateways: Sequence[str]) -> Unclear:
    outcome = AttemptOutcome(row["outcome"])
    return Unclear(
        account_id=row["account_id"],
        payment_id=row["payment_id"],
        payment_attempt_id=row["payment_attempt_id"],
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
