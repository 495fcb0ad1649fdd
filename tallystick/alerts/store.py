"""The SQL of alerts: rules, budgets, what was told, and whom to look at."""

from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from tallystick.alerts.model import AlertRule, Budget, UsageAlert
from tallystick.kernel.db import Connection
from tallystick.kernel.paging import PageRequest

# Takes the row's lock: what an account watches is changed by one at a time.
WATCH: Final = """
INSERT INTO usage_watches (account_id, tick_at) VALUES ($1, $2)
ON CONFLICT (account_id) DO UPDATE SET tick_at = least(usage_watches.tick_at, EXCLUDED.tick_at)
"""
UNWATCH: Final = """
DELETE FROM usage_watches WHERE account_id = $1
AND NOT EXISTS (SELECT FROM usage_alert_rules WHERE account_id = $1)
AND NOT EXISTS (SELECT FROM usage_budgets WHERE account_id = $1)
"""
NOTE: Final = "SELECT note_usage(ARRAY[$1::uuid])"

INSERT_RULE: Final = """
INSERT INTO usage_alert_rules (account_id, alert_rule_id, name, watch, meter_code, unit, thresholds,
    is_active, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
SAVE_RULE: Final = """
UPDATE usage_alert_rules SET name = $3, thresholds = $4, is_active = $5
WHERE account_id = $1 AND alert_rule_id = $2
"""
DELETE_RULE: Final = "DELETE FROM usage_alert_rules WHERE account_id = $1 AND alert_rule_id = $2"
RULES: Final = """
SELECT * FROM usage_alert_rules WHERE account_id = $1 ORDER BY created_at DESC, alert_rule_id DESC
"""
INSERT_BUDGET: Final = """
INSERT INTO usage_budgets (account_id, budget_id, name, watch, meter_code, amount, actual_percents,
    forecast_percents, is_active, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
SAVE_BUDGET: Final = """
UPDATE usage_budgets SET name = $3, amount = $4, actual_percents = $5, forecast_percents = $6,
    is_active = $7
WHERE account_id = $1 AND budget_id = $2
"""
DELETE_BUDGET: Final = "DELETE FROM usage_budgets WHERE account_id = $1 AND budget_id = $2"
BUDGETS: Final = """
SELECT * FROM usage_budgets WHERE account_id = $1 ORDER BY created_at DESC, budget_id DESC
"""

# Two workers may look at one account: the one that comes second waits here, and then tells nothing.
FIRE: Final = """
INSERT INTO usage_alerts (account_id, usage_alert_id, source_id, source, name, basis, watch,
    meter_code, unit, threshold, period_start, period_end, quantity, limit_quantity, currency,
    fired_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
ON CONFLICT ON CONSTRAINT usage_alerts_once DO NOTHING RETURNING usage_alert_id
"""
FIRED: Final = """
SELECT source_id, basis, threshold FROM usage_alerts WHERE account_id = $1 AND period_start = $2
"""
_HISTORY_COLUMNS: Final = """account_id, usage_alert_id, source_id, source, name, basis, watch,
    meter_code, unit, threshold, period_start, period_end, quantity, limit_quantity, currency,
    fired_at"""
HISTORY: Final = f"""
SELECT {_HISTORY_COLUMNS} FROM usage_alerts
WHERE account_id = $1 AND ($2::timestamptz IS NULL OR (fired_at, usage_alert_id) < ($2, $3))
ORDER BY fired_at DESC, usage_alert_id DESC LIMIT $4 OFFSET $5
"""  # noqa: S608 - a constant list of columns
HISTORY_OF_ALL: Final = f"""
SELECT {_HISTORY_COLUMNS} FROM usage_alerts
WHERE $1::timestamptz IS NULL OR (fired_at, usage_alert_id) < ($1, $2)
ORDER BY fired_at DESC, usage_alert_id DESC LIMIT $3 OFFSET $4
"""  # noqa: S608 - a constant list of columns
COUNT: Final = "SELECT count(*) FROM usage_alerts WHERE account_id = $1"
COUNT_OF_ALL: Final = "SELECT count(*) FROM usage_alerts"

NEXT_ACCOUNT: Final = """
SELECT d.account_id FROM usage_alert_due AS d JOIN accounts AS a USING (account_id)
WHERE d.due_at <= $1 AND a.test_clock_id IS NOT DISTINCT FROM $2
ORDER BY d.due_at, d.due_id LIMIT 1 FOR UPDATE OF d SKIP LOCKED
"""
# A statement of its own before anything is read: whatever commits later keeps its row.
TAKE: Final = """
DELETE FROM usage_alert_due WHERE (account_id, due_id) IN (
    SELECT account_id, due_id FROM usage_alert_due WHERE account_id = $1 AND due_at <= $2
    FOR UPDATE SKIP LOCKED)
RETURNING try_count
"""
PUT_OFF: Final = """
UPDATE usage_alert_due SET due_at = $2, try_count = $3 WHERE account_id = $1 AND due_at <= $4
"""
TICK: Final = """
WITH due AS (
    SELECT w.account_id FROM usage_watches AS w JOIN accounts AS a USING (account_id)
    WHERE w.tick_at <= $1 AND a.test_clock_id IS NOT DISTINCT FROM $2
    ORDER BY w.tick_at LIMIT $4 FOR NO KEY UPDATE OF w SKIP LOCKED),
noted AS (INSERT INTO usage_alert_due (account_id) SELECT account_id FROM due)
UPDATE usage_watches SET tick_at = $3 WHERE account_id IN (SELECT account_id FROM due)
"""
NEXT_TICK: Final = """
SELECT min(w.tick_at) FROM usage_watches AS w JOIN accounts AS a USING (account_id)
WHERE a.test_clock_id = $1
"""


class Fired(msgspec.Struct, frozen=True):
    """What was told already in a period."""

    source_id: UUID
    basis: str
    threshold: Decimal


async def watch(conn: Connection, account_id: UUID, tick_at: datetime) -> None:
    """Note that the account watches something, and lock that note."""
    await conn.execute(WATCH, account_id, tick_at)


async def unwatch(conn: Connection, account_id: UUID) -> None:
    """Take the note back if nothing is watched any more."""
    await conn.execute(UNWATCH, account_id)


async def note(conn: Connection, account_id: UUID) -> None:
    """Let the account be looked at once this is committed."""
    await conn.execute(NOTE, account_id)


async def insert_rule(conn: Connection, rule: AlertRule) -> None:
    """Write a new rule."""
    await conn.execute(INSERT_RULE, *msgspec.structs.astuple(rule))


async def save_rule(conn: Connection, rule: AlertRule) -> None:
    """Write what can be changed of a rule."""
    key = rule.account_id, rule.alert_rule_id
    await conn.execute(SAVE_RULE, *key, rule.name, rule.thresholds, rule.is_active)


async def delete_rule(conn: Connection, account_id: UUID, alert_rule_id: UUID) -> None:
    """Forget a rule."""
    await conn.execute(DELETE_RULE, account_id, alert_rule_id)


async def rules(conn: Connection, account_id: UUID) -> tuple[AlertRule, ...]:
    """Return the account's rules, newest first."""
    rows = await conn.fetch(RULES, account_id)
    return tuple(AlertRule(**{**row, "thresholds": tuple(row["thresholds"])}) for row in rows)


async def insert_budget(conn: Connection, budget: Budget) -> None:
    """Write a new budget."""
    await conn.execute(INSERT_BUDGET, *msgspec.structs.astuple(budget))


async def save_budget(conn: Connection, budget: Budget) -> None:
    """Write what can be changed of a budget."""
    await conn.execute(
        SAVE_BUDGET,
        budget.account_id,
        budget.budget_id,
        budget.name,
        budget.amount,
        budget.actual_percents,
        budget.forecast_percents,
        budget.is_active,
    )


async def delete_budget(conn: Connection, account_id: UUID, budget_id: UUID) -> None:
    """Forget a budget."""
    await conn.execute(DELETE_BUDGET, account_id, budget_id)


async def budgets(conn: Connection, account_id: UUID) -> tuple[Budget, ...]:
    """Return the account's budgets, newest first."""
    return tuple(_budget(row) for row in await conn.fetch(BUDGETS, account_id))


async def fire(conn: Connection, alert: UsageAlert) -> bool:
    """Write an alert down; False when its threshold was told of in this period already."""
    written = await conn.fetchval(FIRE, *msgspec.structs.astuple(alert))
    return written is not None


async def fired(conn: Connection, account_id: UUID, period_start: datetime) -> frozenset[Fired]:
    """Return what was told already in the period that begins then."""
    rows = await conn.fetch(FIRED, account_id, period_start)
    return frozenset(Fired(**row) for row in rows)


async def history(
    conn: Connection, account_id: UUID | None, request: PageRequest
) -> tuple[UsageAlert, ...]:
    """Return one more alert than asked for, newest first; None: of all accounts, for staff."""
    after = request.after
    where = (after.at, after.id) if after else (None, None)
    part = *where, request.limit + 1, request.offset
    if account_id is None:
        rows = await conn.fetch(HISTORY_OF_ALL, *part)
    else:
        rows = await conn.fetch(HISTORY, account_id, *part)
    return tuple(UsageAlert(**row) for row in rows)


async def count(conn: Connection, account_id: UUID | None) -> int:
    """Return how many alerts there are; None: of all accounts, for staff."""
    if account_id is None:
        found: int = await conn.fetchval(COUNT_OF_ALL)
    else:
        found = await conn.fetchval(COUNT, account_id)
    return found


async def lock_next_account(
    conn: Connection, wall: datetime, test_clock_id: UUID | None
) -> UUID | None:
    """Return an account on that clock that is to be looked at, and lock what says so."""
    found: UUID | None = await conn.fetchval(NEXT_ACCOUNT, wall, test_clock_id)
    return found


async def take(conn: Connection, account_id: UUID, wall: datetime) -> int:
    """Take what says that the account is to be looked at; return how often that failed."""
    rows = await conn.fetch(TAKE, account_id, wall)
    return max((row["try_count"] for row in rows), default=0)


async def put_off(
    conn: Connection, account_id: UUID, until: datetime, try_count: int, wall: datetime
) -> None:
    """Let the account be looked at later, after it failed so often."""
    await conn.execute(PUT_OFF, account_id, until, try_count, wall)


async def tick(
    conn: Connection, now: datetime, test_clock_id: UUID | None, following: datetime, limit: int
) -> int:
    """Note watching accounts whose tick has come, and set their next one; return how many."""
    done = await conn.execute(TICK, now, test_clock_id, following, limit)
    return int(done.rsplit(" ", 1)[1])


async def next_tick_at(conn: Connection, test_clock_id: UUID) -> datetime | None:
    """Return when the next tick comes on that clock."""
    found: datetime | None = await conn.fetchval(NEXT_TICK, test_clock_id)
    return found


def _budget(row: asyncpg.Record) -> Budget:
    percents = ("actual_percents", "forecast_percents")
    return Budget(**{**row, **{name: tuple(row[name]) for name in percents}})
