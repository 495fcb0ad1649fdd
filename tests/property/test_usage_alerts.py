"""A threshold is told once in a period, however its events come, with workers beside and killed."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import asyncpg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tallystick.accounts.model import Account, NewAccount
from tallystick.accounts.service import create_account
from tallystick.alerts import evaluate, service, store
from tallystick.alerts.jobs import AlertWork
from tallystick.alerts.model import NewRule
from tallystick.catalog.model import NewMeter
from tallystick.kernel.db import WRITER, Database, open_database
from tallystick.kernel.ids import show
from tallystick.metering import service as metering
from tallystick.metering.fold import Fold
from tallystick.metering.ingest import Ingest
from tallystick.metering.model import UsageEvent

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
NOW = MARCH + timedelta(days=20)
THRESHOLDS = (Decimal(10), Decimal(25), Decimal(60))
TOLD = """
SELECT threshold FROM usage_alerts WHERE account_id = $1 ORDER BY threshold
"""
EVENTS = """
SELECT (payload ->> 'threshold')::numeric AS threshold FROM outbox
WHERE account_id = $1 AND kind = 'usage.alert_fired' ORDER BY 1
"""
# A batch of events (an event may come again, and out of order), or what happens beside them.
BATCHES = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 19)), min_size=1, max_size=4)
STEPS = st.lists(
    st.one_of(BATCHES, st.sampled_from(["look", "both look", "killed", "fold"])),
    min_size=1,
    max_size=8,
)


class Story:
    """One account with a rule, and what is sent to it."""

    def __init__(self, db: Database, dsn: str, account: Account) -> None:
        self.db = db
        self.dsn = dsn
        self.account = account
        self.ingest = Ingest(db)
        self.works = [AlertWork(db, lambda: NOW, gap_s=0) for _ in range(2)]
        self.sent: dict[int, int] = {}

    async def send(self, batch: list[tuple[int, int]]) -> None:
        """Send the events of a batch, of which each is sent once with one content."""
        self.sent |= {key: quantity for key, quantity in batch if key not in self.sent}
        events = [
            UsageEvent(
                source="s", id=str(key), type="call", at=MARCH + timedelta(days=key),
                subject=show("account", self.account.account_id),
                properties={"n": self.sent[key]},
            )
            for key, _ in batch
        ]  # fmt: skip
        await self.ingest.record(events, now=NOW)

    async def happen(self, step: str) -> None:
        if step == "fold":
            await Fold(self.db).run_once()
        elif step == "killed":
            await self.killed()
        else:
            works = self.works[: 1 if step == "look" else 2]
            await asyncio.gather(*(work.run_due(NOW, None) for work in works))

    async def killed(self) -> None:
        """A worker ends after it has told all, and before it commits."""
        conn: asyncpg.Connection[Any] = await asyncpg.connect(self.dsn)
        transaction = conn.transaction()
        await transaction.start()
        if await store.lock_next_account(conn, NOW, None):
            await store.take(conn, self.account.account_id, NOW)
            await evaluate.evaluate(conn, self.account.account_id, NOW)
        await transaction.rollback()  # as the server does when the connection is gone
        await conn.close()

    async def check(self) -> None:
        for work in self.works:
            while await work.run_due(NOW, None):
                pass
        reached = [at for at in THRESHOLDS if sum(self.sent.values()) >= at]
        async with self.db.transaction(WRITER) as conn:
            for sql in (TOLD, EVENTS):
                rows = await conn.fetch(sql, self.account.account_id)
                assert [row["threshold"] for row in rows] == reached, sql
            assert not await conn.fetch("SELECT FROM usage_alert_due")


async def begin(db: Database, dsn: str) -> Story:
    """An account of its own, with a rule on what it calls."""
    name = f"a-{uuid4()}"
    new = NewAccount(
        name="A", email="a@example.com", currency="USD", country="US", external_id=name
    )
    rule = NewRule(name="r", watch="meter", meter="calls", unit="quantity", thresholds=THRESHOLDS)
    async with db.transaction(WRITER) as conn:
        account = await create_account(conn, new, MARCH)
        await service.create_rule(conn, account.account_id, rule, MARCH)
    return Story(db, dsn, account)


def test_a_threshold_is_told_exactly_once(dsn: str) -> None:
    with asyncio.Runner() as runner:
        db = runner.run(open_database(dsn, connections_max=8))
        runner.run(make_meter(db))

        @settings(max_examples=40, suppress_health_check=list(HealthCheck))
        @given(STEPS)
        def tell(steps: list[Any]) -> None:
            runner.run(play(db, dsn, steps))

        try:
            tell()
        finally:
            runner.run(db.close())


async def make_meter(db: Database) -> None:
    new = NewMeter(code="calls", event_type="call", aggregation="sum", property="n")
    async with db.transaction(WRITER) as conn:
        await metering.create_meter(conn, new, MARCH)


async def play(db: Database, dsn: str, steps: list[Any]) -> None:
    story = await begin(db, dsn)
    for step in steps:
        await (story.happen(step) if isinstance(step, str) else story.send(step))
    await story.check()
