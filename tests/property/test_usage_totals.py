"""In whatever order events come, repeat, batch and fold: totals are the sum of what is stored."""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar
from uuid import uuid4

import asyncpg
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tallystick.accounts.model import NewAccount
from tallystick.accounts.service import create_account
from tallystick.catalog.model import NewMeter
from tallystick.kernel.db import WRITER, Database, account_scope, open_database
from tallystick.metering import service
from tallystick.metering.fold import Fold
from tallystick.metering.ingest import Ingest
from tallystick.metering.model import UsageEvent

DAY = datetime(2026, 2, 1, tzinfo=UTC)
NOW = DAY + timedelta(days=2)
MICRO = timedelta(microseconds=1)
# Around the edges of hours, where a total is put together from two sources.
INSTANTS = st.builds(
    lambda hour, off: DAY + timedelta(hours=hour) + off,
    st.integers(0, 4),
    st.sampled_from([-MICRO, timedelta(0), MICRO, timedelta(minutes=30)]),
)
QUANTITIES = st.decimals(0, 10**6, places=12) | st.integers(0, 10**15 - 1)
EVENTS = st.tuples(st.integers(0, 15), INSTANTS, QUANTITIES)
INSERT_SLOWLY = """
INSERT INTO usage_events (account_id, key, at, event_type, source, event_id, properties)
VALUES ($1, gen_random_uuid(), $2, $3, 'slow', 'slow', jsonb_build_object('n', $4::numeric))
"""


class Usage(RuleBasedStateMachine):
    loop: ClassVar[asyncio.AbstractEventLoop]
    db: ClassVar[Database]
    dsn: ClassVar[str]
    ingest: ClassVar[Ingest]

    @initialize()
    def begin(self) -> None:
        self.kind = f"call-{uuid4()}"
        self.slow: asyncpg.Connection | None = None
        self.stored: dict[str, tuple[datetime, Decimal]] = {}
        self.pending: tuple[datetime, Decimal] | None = None
        self.meters: list[Any] = []
        self.run(self.make_account())
        self.add_meter(summed=True)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    async def make_account(self) -> None:
        new = NewAccount(
            name="A", email="a@example.com", currency="USD", country="US", external_id=self.kind
        )
        async with self.db.transaction(WRITER) as conn:
            self.account_id = (await create_account(conn, new, NOW)).account_id

    @rule(summed=st.booleans())
    def add_meter(self, *, summed: bool) -> None:
        code = f"m{uuid4().hex}"
        how: dict[str, Any] = {"aggregation": "sum", "property": "n"} if summed else {}

        async def add() -> None:
            new = NewMeter(code=code, event_type=self.kind, **how)
            async with self.db.transaction(WRITER) as conn:
                self.meters.append(await service.create_meter(conn, new, NOW))

        if len(self.meters) < 4:
            self.run(add())

    @rule(events=st.lists(EVENTS, min_size=1, max_size=12))
    def send(self, events: list[tuple[int, datetime, Decimal]]) -> None:
        sent, expected = [], []
        known = {int(number) for number in self.stored if number.isdigit()}
        for number, at, n in events:
            told = self.stored.setdefault(str(number), (at, Decimal(n)))
            is_same = told == (at, Decimal(n))
            is_first = number not in known
            known.add(number)
            expected.append("accepted" if is_first else "duplicate" if is_same else "conflict")
            sent.append(
                UsageEvent(source="s", id=str(number), type=self.kind, subject=self.kind, at=at,
                           properties={"n": Decimal(n)})
            )  # fmt: skip
        results = self.run(self.ingest.record(sent, now=NOW, strict=False))
        assert [result.status.value for result in results] == expected

    @rule(at=INSTANTS, n=QUANTITIES)
    def begin_a_slow_transaction(self, at: datetime, n: Decimal) -> None:
        async def begin() -> None:
            self.slow = await asyncpg.connect(self.dsn)
            await self.slow.execute("BEGIN")
            await self.slow.execute(INSERT_SLOWLY, self.account_id, at, self.kind, Decimal(n))

        if self.slow is None:
            self.run(begin())
            self.pending = (at, Decimal(n))

    @rule(commit=st.booleans())
    def end_the_slow_transaction(self, *, commit: bool) -> None:
        if self.slow is None:
            return
        self.run(self.slow.execute("COMMIT" if commit else "ROLLBACK"))
        self.run(self.slow.close())
        if commit and self.pending:
            self.stored[f"slow-{len(self.stored)}-{uuid4()}"] = self.pending
        self.slow, self.pending = None, None

    @rule(events_max=st.sampled_from([1, 3, 1000]))
    def fold(self, events_max: int) -> None:
        self.run(Fold(self.db, events_max=events_max).run_once())

    @rule(one=INSTANTS, other=INSTANTS)
    def read(self, one: datetime, other: datetime) -> None:
        start, end = sorted((one, other))

        async def totals() -> dict[str, Decimal]:
            async with self.db.transaction(account_scope(self.account_id)) as conn:
                return await service.period_totals(conn, self.account_id, self.meters, start, end)

        inside = [n for at, n in self.stored.values() if start <= at < end]
        told = self.run(totals())
        for meter in self.meters:
            expected = len(inside) if meter.aggregation == "count" else sum(inside, Decimal(0))
            assert told[meter.code] == expected

    def teardown(self) -> None:
        if not hasattr(self, "account_id"):
            return
        self.end_the_slow_transaction(commit=True)
        self.read(DAY - timedelta(days=1), NOW)
        self.fold(1000)
        self.read(DAY - timedelta(days=1), NOW)

        async def differences() -> object:
            async with self.db.transaction(WRITER) as conn:
                return await service.differences(conn)

        assert self.run(differences()) == ()


def test_totals_are_the_sum_of_the_stored_events_whatever_happens(dsn: str) -> None:
    Usage.loop = asyncio.new_event_loop()
    Usage.dsn = dsn
    Usage.db = Usage.loop.run_until_complete(open_database(dsn, connections_max=4))
    Usage.ingest = Ingest(Usage.db)
    try:
        run_state_machine_as_test(
            Usage,
            settings=settings(
                max_examples=40,
                stateful_step_count=20,
                deadline=None,
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )
    finally:
        Usage.loop.run_until_complete(Usage.ingest.close())
        Usage.loop.run_until_complete(Usage.db.close())
        Usage.loop.close()
