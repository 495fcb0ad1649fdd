"""Whatever is archived and whenever: totals are those of all events that were ever taken."""

import asyncio
import tempfile
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tallystick.accounts.model import NewAccount
from tallystick.accounts.service import create_account
from tallystick.catalog.model import Aggregation, NewMeter
from tallystick.kernel.db import WRITER, Database, account_scope, open_database
from tallystick.kernel.errors import Conflict
from tallystick.metering import recount, service
from tallystick.metering.archive import Archiver
from tallystick.metering.fold import Fold
from tallystick.metering.ingest import Ingest
from tallystick.metering.model import UsageEvent

MAY = datetime(2024, 5, 31, 20, tzinfo=UTC)
END = MAY + timedelta(hours=9)
NOW = MAY + timedelta(days=100)
MONTHS = [datetime(2024, month, 1, tzinfo=UTC) for month in (5, 6, 7)]
# Around the edge of a month, in few hours: late events meet archived ones.
INSTANTS = st.builds(
    lambda hour, minute: MAY + timedelta(hours=hour, minutes=minute),
    st.integers(0, 7),
    st.sampled_from([0, 1, 30, 59]),
)
EVENTS = st.tuples(st.integers(0, 30), INSTANTS, st.integers(0, 9))
AHEAD = """
UPDATE usage_fold SET upto = '1000000000000'
WHERE upto > (SELECT coalesce(max(tx), '0') FROM usage_events)
"""
METERS: dict[Aggregation, dict[str, Any]] = {
    "count": {"group_by": ("n",)},
    "sum": {"property": "n"},
    "max": {"property": "n"},
    "latest": {"property": "n"},
    "unique_count": {"property": "n"},
    "average": {"property": "n"},
    "weighted_sum": {"property": "n"},
}


def expected(aggregation: str, inside: Sequence[tuple[datetime, str, int]]) -> Decimal:
    """The events as (instant, id, value)."""
    values = [value for _, _, value in inside]
    match aggregation:
        case "count":
            return Decimal(len(values))
        case "sum":
            return Decimal(sum(values))
        case "max":
            return Decimal(max(values, default=0))
        case _:
            return Decimal(len(set(values)))


class Archive(RuleBasedStateMachine):
    loop: ClassVar[asyncio.AbstractEventLoop]
    db: ClassVar[Database]

    @initialize()
    def begin(self) -> None:
        self.kind = f"call-{uuid4()}"
        self.stored: dict[int, tuple[datetime, int]] = {}
        self.is_archived = False
        self.folder = tempfile.TemporaryDirectory()
        self.run(self.make())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    async def make(self) -> None:
        new = NewAccount(
            name="A", email="a@example.com", currency="USD", country="US", external_id=self.kind
        )
        async with self.db.transaction(WRITER) as conn:
            self.account_id = (await create_account(conn, new, NOW)).account_id
            self.meters = [
                await service.create_meter(
                    conn,
                    NewMeter(code=f"m{uuid4().hex}", event_type=self.kind, aggregation=name, **how),
                    NOW,
                )
                for name, how in METERS.items()
            ]

    @rule(events=st.lists(EVENTS, min_size=1, max_size=12))
    def send(self, events: list[tuple[int, datetime, int]]) -> None:
        sent, told = [], []
        for number, at, n in events:
            known = self.stored.get(number)
            same = "duplicate" if known == (at, n) else "conflict"
            told.append("accepted" if known is None else same)
            self.stored.setdefault(number, (at, n))
            sent.append(
                UsageEvent(source="s", id=str(number), type=self.kind, subject=self.kind, at=at,
                           properties={"n": n})
            )  # fmt: skip
        results = self.run(self.record(sent))
        assert [result.status.value for result in results] == told

    async def totals(self, start: datetime = MAY, end: datetime = END) -> dict[str, Decimal]:
        async with self.db.transaction(account_scope(self.account_id)) as conn:
            return await service.period_totals(conn, self.account_id, self.meters, start, end)

    async def record(self, sent: list[UsageEvent]) -> Any:
        ingest = Ingest(self.db)  # one that has just begun knows of the archives there are
        try:
            return await ingest.record(sent, now=NOW, strict=False)
        finally:
            await ingest.close()

    @rule()
    def fold(self) -> None:
        self.run(Fold(self.db).run_once())

    @rule(before=st.sampled_from(MONTHS), events_max=st.sampled_from([1, 3, 1000]))
    def archive(self, before: datetime, events_max: int) -> None:
        archiver = Archiver(
            self.db, lambda: NOW, Path(self.folder.name), grace=timedelta(), events_max=events_max
        )
        kept = self.run(self.totals())
        self.run(archiver.run(before))
        assert self.run(self.totals()) == kept

    @rule()
    def rebuild(self) -> None:
        async def rebuild() -> None:
            async with self.db.transaction(WRITER) as conn:
                months = await recount.account_months(conn)
            await recount.rebuild(self.db, months, lambda _: None)

        self.run(rebuild())

    @rule()
    def restore(self) -> None:
        """As in another server: all is folded, and the mark is one that this server never saw."""

        async def restore() -> None:
            await Fold(self.db).run_once()
            before = await self.totals()
            async with self.db.transaction(WRITER) as conn:
                await conn.execute(AHEAD)
            while await Fold(self.db).run_once():
                pass
            assert await self.totals() == before

        self.run(restore())

    @rule(one=INSTANTS, other=INSTANTS)
    def read(self, one: datetime, other: datetime) -> None:
        start, end = sorted((one, other))

        inside = [(at, str(number), n) for number, (at, n) in self.stored.items()
                  if start <= at < end]  # fmt: skip
        try:
            told = self.run(self.totals(start, end))
        except Conflict as error:
            if error.code != "usage_archived" or not (start.minute or end.minute):
                raise
            return
        for meter in self.meters:
            if meter.aggregation in {"average", "weighted_sum"}:
                continue  # held to what they were before, where totals are made anew
            if meter.aggregation == "latest":
                latest = max((at for at, _, _ in inside), default=None)
                allowed = {n for at, _, n in inside if at == latest} or {0}
                assert told[meter.code] in allowed
            else:
                assert told[meter.code] == expected(meter.aggregation, inside), meter.aggregation

    def teardown(self) -> None:
        if not hasattr(self, "account_id"):
            return
        self.read(MAY, END)
        self.fold()
        self.archive(MONTHS[2], 1000)
        self.read(MAY, END)

        async def differences() -> object:
            async with self.db.transaction(WRITER) as conn:
                return await service.differences(conn)

        assert self.run(differences()) == ()
        self.folder.cleanup()


def test_totals_are_those_of_all_events_whatever_is_archived(dsn: str) -> None:
    Archive.loop = asyncio.new_event_loop()
    Archive.db = Archive.loop.run_until_complete(open_database(dsn, connections_max=4))
    try:
        run_state_machine_as_test(
            Archive,
            settings=settings(
                max_examples=30,
                stateful_step_count=15,
                deadline=None,
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )
    finally:
        Archive.loop.run_until_complete(Archive.db.close())
        Archive.loop.close()
