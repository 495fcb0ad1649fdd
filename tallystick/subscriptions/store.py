"""The SQL of subscriptions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from tallystick.kernel.db import Connection
from tallystick.subscriptions.model import DueCount, Subscription, Terms

# An account is on a plan once: a partial unique index.
INSERT: Final = """
INSERT INTO subscriptions (account_id, subscription_id, plan_version_id, plan_id, status,
    started_at, timezone, period_index, period_start, period_end, next_bill_at, created_at,
    quantity, billing_time, anchor_on, schedule_owner, flat_from, covered_from, opens_at,
    trial_ends_at, trial_end, remainder, ends_at, currency, used_from,
    invoice_separately, external_id, standing_at, usage_bill_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20,
    $21, $22, $23, $24, $25, $26, $27, $28, $29)
ON CONFLICT (account_id, plan_id) WHERE status <> 'canceled' DO NOTHING RETURNING subscription_id
"""
INSERT_TERMS: Final = """
INSERT INTO subscription_terms (account_id, subscription_id, bill_index, starts_at,
    plan_version_id, quantity)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::integer[], $4::timestamptz[], $5::uuid[],
    $6::integer[])
"""
TERMS: Final = """
SELECT bill_index, starts_at, plan_version_id, quantity FROM subscription_terms
WHERE account_id = $1 AND subscription_id = $2 ORDER BY bill_index
"""
FIND: Final = """
SELECT * FROM subscriptions WHERE account_id = $1 AND subscription_id = $2
"""
LOCK: Final = f"{FIND} FOR NO KEY UPDATE"
OWNER: Final = "SELECT account_id FROM subscriptions WHERE subscription_id = $1"
# What an account is on, as one subscription: the one that it has had longest.
FIND_CURRENT: Final = """
SELECT * FROM subscriptions
WHERE account_id = $1 AND status IN ('trialing', 'active', 'past_due', 'paused')
ORDER BY created_at, subscription_id LIMIT 1
"""
# All periods before the one that is billed next are billed.
BILLED_UNTIL: Final = """
SELECT account_id, max(period_start) AS at FROM subscriptions
WHERE account_id = ANY ($1::uuid[]) GROUP BY account_id
"""
CURRENT_OF: Final = """
SELECT DISTINCT ON (account_id) * FROM subscriptions
WHERE account_id = ANY ($1::uuid[]) AND status IN ('trialing', 'active', 'past_due', 'paused')
ORDER BY account_id, created_at, subscription_id
"""
# With the add-ons of each, in one trip.
GIVING: Final = """
SELECT s.*, (SELECT jsonb_agg(to_jsonb(a) ORDER BY a.attached_at, a.subscription_add_on_id)
    FROM subscription_add_ons a
    WHERE a.account_id = s.account_id AND a.subscription_id = s.subscription_id)::text AS add_ons
FROM subscriptions s
WHERE s.account_id = ANY ($1::uuid[]) AND s.status = ANY ($2::text[])
ORDER BY s.account_id, s.created_at, s.subscription_id
"""
LIST: Final = """
SELECT * FROM subscriptions WHERE account_id = $1
ORDER BY created_at DESC, subscription_id DESC LIMIT $2
"""
# What may change of a subscription, with its type.
MOVES: Final = {
    "status": "text",
    "period_index": "integer",
    "period_start": "timestamptz",
    "period_end": "timestamptz",
    "next_bill_at": "timestamptz",
    "bill_error": "text",
    "bill_try_count": "integer",
    "bill_retry_at": "timestamptz",
    "cancel_at_period_end": "boolean",
    "ends_at": "timestamptz",
    "plan_version_id": "uuid",
    "plan_id": "uuid",
    "quantity": "integer",
    "invoice_separately": "boolean",
    "anchor_on": "date",
    "bill_index": "integer",
    "flat_from": "timestamptz",
    "covered_from": "timestamptz",
    "advance_until": "timestamptz",
    "opens_at": "timestamptz",
    "trial_ends_at": "timestamptz",
    "change_at": "timestamptz",
    "next_plan_version_id": "uuid",
    "next_plan_id": "uuid",
    "next_quantity": "integer",
    "paused_at": "timestamptz",
    "resumes_at": "timestamptz",
    "remainder": "text",
    "used_from": "timestamptz",
    "standing_at": "timestamptz",
    "usage_bill_at": "timestamptz",
    "schedule_owner": "text",
    "external_id": "text",
}
# Moves only from the revision that the change was decided on.
SAVE_ALL: Final = f"""
UPDATE subscriptions AS s
SET {", ".join(f"{name} = n.{name}" for name in MOVES)}, revision = s.revision + 1
FROM unnest($1::uuid[], $2::uuid[], $3::integer[],
            {", ".join(f"${at}::{type_}[]" for at, type_ in enumerate(MOVES.values(), 4))})
    AS n (account_id, subscription_id, revision, {", ".join(MOVES)})
WHERE s.account_id = n.account_id AND s.subscription_id = n.subscription_id
  AND s.revision = n.revision
RETURNING s.subscription_id
"""  # noqa: S608 -- names of columns, from the list above
# The accounts table says who lives by which clock. Another worker's accounts are skipped whole: the
# account's row is locked first, so that no subscription of an account that is skipped is held.
# Parked subscriptions are skipped until their time (wall time) comes. Two statements, because one
# with IS NOT DISTINCT FROM can use no index on the clock: one that stands in the future would read
# every subscription.
CLAIM_DUE: Final = """
SELECT s.* FROM subscriptions AS s JOIN accounts AS a USING (account_id)
WHERE s.next_bill_at <= $1 AND a.test_clock_id IS NULL
  AND (s.bill_retry_at IS NULL OR s.bill_retry_at <= $2)
ORDER BY s.next_bill_at, s.account_id, s.subscription_id LIMIT $3
FOR NO KEY UPDATE OF a, s SKIP LOCKED
"""
CLAIM_DUE_ON_CLOCK: Final = """
SELECT s.* FROM subscriptions AS s JOIN accounts AS a USING (account_id)
WHERE s.next_bill_at <= $1 AND a.test_clock_id = $4
  AND (s.bill_retry_at IS NULL OR s.bill_retry_at <= $2)
ORDER BY s.next_bill_at, s.account_id, s.subscription_id LIMIT $3
FOR NO KEY UPDATE OF a, s SKIP LOCKED
"""
# What the limit of a claim cut off of its last account.
CLAIM_REST: Final = """
SELECT s.* FROM subscriptions AS s
WHERE s.account_id = $1 AND s.next_bill_at = $2 AND s.subscription_id > $3
  AND (s.bill_retry_at IS NULL OR s.bill_retry_at <= $4)
ORDER BY s.subscription_id FOR NO KEY UPDATE SKIP LOCKED
"""
# The same way to those whose standing is to be looked at.
CLAIM_STANDING: Final = """
SELECT s.* FROM subscriptions AS s JOIN accounts AS a USING (account_id)
WHERE s.standing_at <= $1 AND a.test_clock_id IS NULL
ORDER BY s.standing_at, s.subscription_id LIMIT $2 FOR NO KEY UPDATE OF s SKIP LOCKED
"""
CLAIM_STANDING_ON_CLOCK: Final = """
SELECT s.* FROM subscriptions AS s JOIN accounts AS a USING (account_id)
WHERE s.standing_at <= $1 AND a.test_clock_id = $3
ORDER BY s.standing_at, s.subscription_id LIMIT $2 FOR NO KEY UPDATE OF s SKIP LOCKED
"""
NEXT_STANDING: Final = """
SELECT min(s.standing_at) FROM subscriptions AS s JOIN accounts AS a USING (account_id)
WHERE a.test_clock_id = $1
"""
BY_EXTERNAL_ID: Final = """
SELECT * FROM subscriptions WHERE schedule_owner = $1 AND external_id = $2
"""
DUE_COUNT: Final = """
SELECT s.bill_error, count(*) AS count
FROM subscriptions AS s JOIN accounts AS a USING (account_id)
WHERE s.next_bill_at <= $1 AND a.test_clock_id IS NULL GROUP BY s.bill_error ORDER BY count DESC
"""
PARKED: Final = """
SELECT * FROM subscriptions WHERE bill_error IS NOT NULL
ORDER BY next_bill_at, account_id, subscription_id LIMIT $1
"""
# Whole accounts, in the order of their ids.
DUE_AFTER: Final = """
SELECT s.* FROM subscriptions AS s
WHERE s.next_bill_at <= $1 AND s.account_id IN (
    SELECT DISTINCT d.account_id FROM subscriptions AS d JOIN accounts AS a USING (account_id)
    WHERE d.account_id > $2 AND d.next_bill_at <= $1 AND a.test_clock_id IS NULL
    ORDER BY d.account_id LIMIT $3)
ORDER BY s.account_id, s.next_bill_at, s.subscription_id
"""
NEXT_DUE: Final = """
SELECT min(s.next_bill_at) FROM subscriptions AS s JOIN accounts AS a USING (account_id)
WHERE a.test_clock_id = $1 AND s.bill_error IS NULL
"""


async def insert(conn: Connection, new: Subscription) -> bool:
    """Write a new subscription; False if the account is on that plan."""
    written = await conn.fetchval(
        INSERT, new.account_id, new.subscription_id, new.plan_version_id, new.plan_id, new.status,
        new.started_at, new.timezone, new.period_index, new.period_start, new.period_end,
        new.next_bill_at, new.created_at, new.quantity, new.billing_time, new.anchor_on,
        new.schedule_owner, new.flat_from, new.covered_from, new.opens_at, new.trial_ends_at,
        new.trial_end, new.remainder, new.ends_at, new.currency, new.used_from,
        new.invoice_separately, new.external_id, new.standing_at, new.usage_bill_at,
    )  # fmt: skip
    return written is not None


async def insert_terms(conn: Connection, begun: Sequence[tuple[Subscription, datetime]]) -> None:
    """Write down what each of these is on from an instant on."""
    if not begun:
        return
    now = [on for on, _ in begun]
    await conn.execute(
        INSERT_TERMS,
        [on.account_id for on in now],
        [on.subscription_id for on in now],
        [on.bill_index for on in now],
        [starts_at for _, starts_at in begun],
        [on.plan_version_id for on in now],
        [on.quantity for on in now],
    )


async def terms(conn: Connection, account_id: UUID, subscription_id: UUID) -> tuple[Terms, ...]:
    """Return all that it was on, in order."""
    rows = await conn.fetch(TERMS, account_id, subscription_id)
    return tuple(Terms(**row) for row in rows)


async def account_of(conn: Connection, subscription_id: UUID) -> UUID | None:
    """Return whose it is, for staff who name it alone."""
    found: UUID | None = await conn.fetchval(OWNER, subscription_id)
    return found


async def find(conn: Connection, account_id: UUID, subscription_id: UUID) -> Subscription | None:
    """Return one subscription of the account."""
    row = await conn.fetchrow(FIND, account_id, subscription_id)
    return _subscription(row) if row else None


async def lock(conn: Connection, account_id: UUID, subscription_id: UUID) -> Subscription | None:
    """Return one subscription and lock its row."""
    row = await conn.fetchrow(LOCK, account_id, subscription_id)
    return _subscription(row) if row else None


async def find_current(conn: Connection, account_id: UUID) -> Subscription | None:
    """Return what the account is on; of several the one that it has had longest."""
    row = await conn.fetchrow(FIND_CURRENT, account_id)
    return _subscription(row) if row else None


async def current_of(conn: Connection, account_ids: Sequence[UUID]) -> tuple[Subscription, ...]:
    """Return what each of these accounts is on."""
    return tuple(_subscription(row) for row in await conn.fetch(CURRENT_OF, list(account_ids)))


async def in_statuses(
    conn: Connection, account_ids: Sequence[UUID], statuses: Sequence[str]
) -> tuple[Subscription, ...]:
    """Return these accounts' subscriptions in these statuses with their add-ons, oldest first."""
    rows = await conn.fetch(GIVING, list(account_ids), list(statuses))
    return tuple(
        msgspec.convert(
            {**row, "add_ons": msgspec.json.decode(row["add_ons"] or "[]")},
            Subscription,
            strict=False,
        )
        for row in rows
    )


async def billed_until(conn: Connection, account_ids: Sequence[UUID]) -> dict[UUID, datetime]:
    """Return up to when periods of these accounts are billed at most."""
    rows = await conn.fetch(BILLED_UNTIL, list(account_ids))
    return {row["account_id"]: row["at"] for row in rows}


async def newest(conn: Connection, account_id: UUID, limit: int) -> tuple[Subscription, ...]:
    """Return the account's newest subscriptions."""
    return tuple(_subscription(row) for row in await conn.fetch(LIST, account_id, limit))


async def save_all(
    conn: Connection, moves: Sequence[tuple[Subscription, Subscription]]
) -> frozenset[UUID]:
    """Write what became of subscriptions; return those that were still as they had been read.

    Raises asyncpg.UniqueViolationError where an account is on a new plan already.
    """
    before, after = [was for was, _ in moves], [now for _, now in moves]
    rows = await conn.fetch(
        SAVE_ALL,
        [one.account_id for one in before],
        [one.subscription_id for one in before],
        [one.revision for one in before],
        *([getattr(one, name) for one in after] for name in MOVES),
    )
    return frozenset(row["subscription_id"] for row in rows)


async def lock_due(
    conn: Connection, now: datetime, wall: datetime, test_clock_id: UUID | None, limit: int
) -> tuple[Subscription, ...]:
    """Return the subscriptions due longest on that clock, and lock them and their accounts."""
    if test_clock_id is None:
        rows = await conn.fetch(CLAIM_DUE, now, wall, limit)
    else:
        rows = await conn.fetch(CLAIM_DUE_ON_CLOCK, now, wall, limit, test_clock_id)
    return tuple(_subscription(row) for row in rows)


async def lock_due_with(
    conn: Connection, last: Subscription, wall: datetime
) -> tuple[Subscription, ...]:
    """Return and lock what of its account is due with `last` and stands behind it."""
    rows = await conn.fetch(
        CLAIM_REST, last.account_id, last.next_bill_at, last.subscription_id, wall
    )
    return tuple(_subscription(row) for row in rows)


async def due_count(conn: Connection, now: datetime) -> DueCount:
    """Return how many are due, and the reasons of those that were parked."""
    counts = {row["bill_error"]: row["count"] for row in await conn.fetch(DUE_COUNT, now)}
    waiting: int = counts.pop(None, 0)
    return DueCount(waiting, counts)


async def parked(conn: Connection, limit: int) -> tuple[Subscription, ...]:
    """Return those that could not be billed, of all accounts, the one due longest first."""
    return tuple(_subscription(row) for row in await conn.fetch(PARKED, limit))


async def due_after(
    conn: Connection, now: datetime, after: UUID, limit: int
) -> tuple[Subscription, ...]:
    """Return what is due of the next accounts behind `after`, by account."""
    return tuple(_subscription(row) for row in await conn.fetch(DUE_AFTER, now, after, limit))


async def next_due_at(conn: Connection, test_clock_id: UUID) -> datetime | None:
    """Return when the next subscription on that clock is billed; parked ones do not count."""
    at: datetime | None = await conn.fetchval(NEXT_DUE, test_clock_id)
    return at


async def lock_standing(
    conn: Connection, now: datetime, test_clock_id: UUID | None, limit: int
) -> tuple[Subscription, ...]:
    """Return the subscriptions on that clock whose standing is to be looked at, and lock them."""
    if test_clock_id is None:
        rows = await conn.fetch(CLAIM_STANDING, now, limit)
    else:
        rows = await conn.fetch(CLAIM_STANDING_ON_CLOCK, now, limit, test_clock_id)
    return tuple(_subscription(row) for row in rows)


async def next_standing_at(conn: Connection, test_clock_id: UUID) -> datetime | None:
    """Return when the next standing on that clock is to be looked at."""
    at: datetime | None = await conn.fetchval(NEXT_STANDING, test_clock_id)
    return at


async def find_by_external_id(
    conn: Connection, schedule_owner: str, external_id: str
) -> Subscription | None:
    """Return what a gateway renews under its id, whosever it is: the writer's scope."""
    row = await conn.fetchrow(BY_EXTERNAL_ID, schedule_owner, external_id)
    return _subscription(row) if row else None


def _subscription(row: asyncpg.Record) -> Subscription:
    return msgspec.convert(dict(row), Subscription)
