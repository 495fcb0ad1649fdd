"""Whatever fails on the way to Lago, and whoever dies: its totals end as ours, each event once."""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar
from uuid import uuid4

import httpx
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tallystick.accounts.model import NewAccount
from tallystick.accounts.service import create_account
from tallystick.catalog.model import NewMeter
from tallystick.kernel.db import WRITER, Database, open_database
from tallystick.lago_sync import service
from tallystick.lago_sync.client import LagoApi
from tallystick.lago_sync.model import LagoSettings
from tallystick.lago_sync.sender import Sender
from tallystick.metering import service as metering
from tallystick.metering.ingest import Ingest
from tallystick.metering.model import UsageEvent
from tallystick.metering.prepare import event_key
from tallystick.simulators.lago.server import running

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
MARCH = (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))
QUANTITIES = st.decimals(0, 10**6, places=12) | st.integers(0, 10**15 - 1)
FAULTS = st.sampled_from(
    [
        {"action": "status", "status": 429, "retry_after": "90"},
        {"action": "status", "status": 500},
        {"action": "status_after", "status": 502},
        {"action": "drop_before"},
        {"action": "drop_reply"},
    ]
)
ALL_SETTLED = """
SELECT coalesce(max(tx), '0') < pg_snapshot_xmin(pg_current_snapshot()) FROM usage_events
"""


VOID = "INSERT INTO usage_voids (account_id, key) VALUES ($1, $2) ON CONFLICT DO NOTHING"


class Sync(RuleBasedStateMachine):
    loop: ClassVar[asyncio.AbstractEventLoop]
    db: ClassVar[Database]
    url: ClassVar[str]

    @initialize()
    def begin(self) -> None:
        self.wall = NOW
        self.kind = f"call-{uuid4()}"
        self.stored: dict[str, Decimal] = {}
        self.voided: set[str] = set()
        self.meters: list[Any] = []
        httpx.post(f"{self.url}/_sim/reset").raise_for_status()
        self.api = LagoApi(LagoSettings(self.url, "any"), self.clock)
        self.sender = Sender(self.db, self.api, self.clock)
        self.run(self.make_account())
        self.add_meter()

    def clock(self) -> datetime:
        return self.wall

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    async def make_account(self) -> None:
        new = NewAccount(
            name="A", email="a@example.com", currency="USD", country="US", external_id=self.kind
        )
        async with self.db.transaction(WRITER) as conn:
            # Of the examples before: theirs is sent, or is nobody's business here.
            await conn.execute("DELETE FROM lago_outbox")
            await conn.execute("UPDATE lago_sync SET next_try_at = 'epoch', lease_until = 'epoch'")
            self.account_id = (await create_account(conn, new, NOW)).account_id

    @rule()
    def add_meter(self) -> None:
        async def add() -> None:
            new = NewMeter(code=f"m{uuid4().hex}", event_type=self.kind, aggregation="sum",
                           property="n")  # fmt: skip
            async with self.db.transaction(WRITER) as conn:
                self.meters.append(await metering.create_meter(conn, new, NOW))

        if len(self.meters) < 3:
            self.run(add())

    @rule(told=st.lists(st.tuples(st.integers(0, 30), QUANTITIES), min_size=1, max_size=12))
    def record(self, told: list[tuple[int, Decimal]]) -> None:
        events = []
        for number, n in told:
            kept = self.stored.setdefault(str(number), Decimal(n))
            events.append(
                UsageEvent(source="s", id=str(number), type=self.kind, subject=self.kind,
                           at=NOW - timedelta(minutes=number), properties={"n": kept})
            )  # fmt: skip
        self.run(Ingest(self.db).record(events, now=NOW))

    @rule(fault=FAULTS, times=st.integers(1, 3), skip=st.integers(0, 2))
    def fail(self, fault: dict[str, Any], times: int, skip: int) -> None:
        armed = {**fault, "times": times, "skip": skip, "path": "*/events/batch"}
        httpx.post(f"{self.url}/_sim/faults", json=armed).raise_for_status()

    @rule(batch_max=st.sampled_from([1, 3, 100]))
    def send(self, batch_max: int) -> None:
        self.sender._batch_max = batch_max
        self.run(self.sender.run_due(self.wall))

    @rule(is_sent=st.booleans())
    def die(self, *, is_sent: bool) -> None:
        """A sender takes a batch, maybe sends it, and is gone."""

        async def die() -> None:
            batch = await self.sender._take(self.wall)
            if is_sent and batch.rows:
                await self.api.send([row.event for row in batch.rows])

        self.run(die())
        self.sender = Sender(self.db, self.api, self.clock)

    @rule(seconds=st.sampled_from([1, 25, 3601]))
    def wait(self, seconds: int) -> None:
        self.wall += timedelta(seconds=seconds)

    @rule(number=st.integers(0, 30))
    def take_back(self, number: int) -> None:
        async def take_back() -> None:
            async with self.db.transaction(WRITER) as conn:
                key = event_key("s", str(number))
                await conn.execute(VOID, self.account_id, key)
                await service.compensate(conn, self.account_id, [key], NOW)

        if str(number) in self.stored:
            self.voided.add(str(number))
            self.run(take_back())

    async def finish(self) -> None:
        """Let everything settle and be sent, without faults."""
        for _ in range(6000):
            async with self.db.transaction(WRITER) as conn:
                if await conn.fetchval(ALL_SETTLED):
                    break
            await asyncio.sleep(0.01)
        idle = 0
        while idle < 3:
            if await self.sender.run_due(self.wall):
                idle = 0
                continue
            idle += 1
            self.wall += timedelta(hours=1, seconds=1)

    def teardown(self) -> None:
        if not hasattr(self, "account_id"):
            return
        httpx.delete(f"{self.url}/_sim/faults").raise_for_status()
        self.run(self.finish())
        self.run(self.api.close())
        headers = {"authorization": "Bearer any"}
        found = httpx.get(
            f"{self.url}/api/v1/events", params={"per_page": "100000"}, headers=headers
        ).json()["events"]
        mine = [event for event in found if event["external_subscription_id"] == self.kind]
        ids = [event["transaction_id"] for event in mine]
        assert len(ids) == len(set(ids))
        ours = self.run(self.totals())
        for meter in self.meters:
            theirs = [event for event in mine if event["code"] == meter.code]
            total = sum((Decimal(event["properties"]["n"]) for event in theirs), Decimal(0))
            assert total == ours[meter.code]
            kept = {number: n for number, n in self.stored.items() if number not in self.voided}
            assert total == sum(kept.values(), Decimal(0))

    async def totals(self) -> dict[str, Decimal]:
        async with self.db.transaction(WRITER) as conn:
            return await metering.period_totals(conn, self.account_id, self.meters, *MARCH)


def test_lagos_totals_end_as_ours_whatever_fails(dsn: str) -> None:
    Sync.loop = asyncio.new_event_loop()
    Sync.db = Sync.loop.run_until_complete(open_database(dsn, connections_max=4))
    try:
        with running(lambda: NOW) as url:
            Sync.url = url
            run_state_machine_as_test(
                Sync,
                settings=settings(
                    max_examples=25,
                    stateful_step_count=20,
                    deadline=None,
                    suppress_health_check=[HealthCheck.too_slow],
                ),
            )
    finally:
        Sync.loop.run_until_complete(Sync.db.close())
        Sync.loop.close()
