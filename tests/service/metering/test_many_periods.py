"""Totals of many accounts at once are those of each account by itself."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from tallystick.accounts.model import Account
from tallystick.catalog.model import Meter, NewMeter, Rounding
from tallystick.kernel.db import STAFF, WRITER, Database
from tallystick.metering import service
from tallystick.metering.many_periods import totals_of_many
from tallystick.metering.model import AccountPeriod

START = datetime(2026, 2, 1, tzinfo=UTC)
MARCH = datetime(2026, 3, 1, tzinfo=UTC)
HALF = timedelta(minutes=30)
FILL = """
INSERT INTO usage_events (account_id, key, at, event_type, source, event_id, properties)
SELECT $1, md5($3 || n::text)::uuid, $2::timestamptz + n * interval '7 hours 13 minutes', 'call',
       's', n::text, jsonb_build_object('n', n * 1.25, 'who', n % 5)
FROM generate_series($4::int, $5::int) AS n
"""
KINDS = (
    NewMeter(code="count", event_type="call"),
    NewMeter(code="sum", event_type="call", aggregation="sum", property="n"),
    NewMeter(code="max", event_type="call", aggregation="max", property="n"),
    NewMeter(code="min", event_type="call", aggregation="min", property="n"),
    NewMeter(code="average", event_type="call", aggregation="average", property="n"),
    NewMeter(code="latest", event_type="call", aggregation="latest", property="n"),
    NewMeter(code="level", event_type="call", aggregation="weighted_sum", property="n"),
    NewMeter(code="people", event_type="call", aggregation="unique_count", property="who"),
    NewMeter(
        code="seats", event_type="call", aggregation="sum", property="n", recurring=True,
        rounding=Rounding(mode="ceil"),
    ),
    NewMeter(
        code="members", event_type="call", aggregation="unique_count", property="who",
        recurring=True,
    ),
    NewMeter(
        code="held", event_type="call", aggregation="weighted_sum", property="n", recurring=True
    ),
)  # fmt: skip


@pytest.fixture
async def kinds(db: Database, accounts: Sequence[Account]) -> Sequence[Meter]:
    """A meter of each aggregation."""
    del accounts
    async with db.transaction(WRITER) as conn:
        return [await service.create_meter(conn, new, START) for new in KINDS]


async def test_they_are_the_same_for_every_aggregation_folded_or_not(
    db: Database,
    accounts: Sequence[Account],
    kinds: Sequence[Meter],
    fold: Callable[[], Awaitable[bool]],
) -> None:
    one, other = (account.account_id for account in accounts)
    async with db.transaction(WRITER) as conn:
        await conn.execute(FILL, one, START - timedelta(days=40), "a", 1, 200)
        await conn.execute(FILL, other, START, "b", 1, 60)
    await fold()
    async with db.transaction(WRITER) as conn:
        await conn.execute(FILL, other, START, "b", 61, 90)
    asked = [
        AccountPeriod(one, START, MARCH),
        AccountPeriod(other, START, MARCH),
        AccountPeriod(other, START + HALF, MARCH - HALF),
        AccountPeriod(one, START - timedelta(days=31), START),
        AccountPeriod(other, START + HALF, START + HALF + timedelta(minutes=1)),
        AccountPeriod(one, MARCH + timedelta(days=300), MARCH + timedelta(days=301)),
    ]
    async with db.transaction(STAFF) as conn:
        found = await totals_of_many(conn, asked, kinds)
        for period, totals in zip(asked, found, strict=True):
            alone = await service.period_totals(
                conn, period.account_id, kinds, period.start, period.end
            )
            assert totals == alone
    assert found[0] is not None
    assert found[0]["count"] > 0


async def test_a_period_that_cuts_an_archived_hour_is_none_and_the_others_are_read(
    db: Database, dsn: str, accounts: Sequence[Account], kinds: Sequence[Meter]
) -> None:

    one = accounts[0].account_id
    owner = await asyncpg.connect(dsn)
    await owner.execute("INSERT INTO usage_archived_hours VALUES ($1, 'call', $2, 1)", one, START)
    await owner.close()
    asked = [AccountPeriod(one, START + HALF, MARCH), AccountPeriod(one, START, MARCH)]
    async with db.transaction(STAFF) as conn:
        cut, whole = await totals_of_many(conn, asked, kinds)
    assert cut is None
    assert whole is not None
