"""Whatever is sent, folded, amended, reversed and backfilled: totals are those of what survives.

The model is a list of events as they count now, and knows nothing of voids, keys and hours. The
same surviving events, sent to an account of their own, give the same totals too.
"""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID, uuid4

import asyncpg
import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tallystick.accounts.model import NewAccount
from tallystick.accounts.service import create_account
from tallystick.catalog.model import Meter, NewMeter
from tallystick.corrections.model import Change, Named, Outcome, Terms
from tallystick.corrections.service import Corrections
from tallystick.kernel.db import WRITER, Database, account_scope, open_database
from tallystick.kernel.errors import Conflict, NotFound
from tallystick.metering import service
from tallystick.metering.fold import Fold
from tallystick.metering.ingest import Ingest
from tallystick.metering.model import UsageEvent

DAY = datetime(2026, 1, 31, 21, tzinfo=UTC)  # a month ends inside
NOW = DAY + timedelta(days=2)
MICRO = timedelta(microseconds=1)
INSTANTS = st.builds(
    lambda hour, off: DAY + timedelta(hours=hour) + off,
    st.integers(0, 5),
    st.sampled_from([-MICRO, timedelta(0), MICRO, timedelta(minutes=30)]),
)
TOLD = st.tuples(
    INSTANTS,
    st.fixed_dictionaries(
        {
            "n": st.integers(0, 5) | st.decimals(0, 5, places=3),
            "who": st.sampled_from(["ann", "bob", "cy"]),
        }
    ),
)
NUMBERS = st.integers(0, 7)
KINDS: Sequence[Mapping[str, Any]] = (
    {"aggregation": "count"},
    {"aggregation": "sum", "property": "n", "group_by": ("who",)},
    {"aggregation": "max", "property": "n"},
    {"aggregation": "min", "property": "n"},
    {"aggregation": "average", "property": "n"},
    {"aggregation": "latest", "property": "n"},
    {"aggregation": "unique_count", "property": "who"},
    {"aggregation": "weighted_sum", "property": "n"},
    {"aggregation": "sum", "property": "n", "recurring": True},
    {"aggregation": "unique_count", "property": "who", "recurring": True},
)
INSERT_SLOWLY = """
INSERT INTO usage_events (account_id, key, at, event_type, source, event_id, properties)
VALUES ($1, gen_random_uuid(), $2, 'none', 'slow', 'slow', '{}')
"""
Told = tuple[datetime, dict[str, Any]]


class Sent(msgspec.Struct):
    """An event: as it was sent, and as it counts now (None: taken out)."""

    first: Told
    now: Told | None


class UsageMachine(RuleBasedStateMachine):
    loop: ClassVar[asyncio.AbstractEventLoop]
    db: ClassVar[Database]
    dsn: ClassVar[str]
    ingest: ClassVar[Ingest]
    corrections: ClassVar[Corrections]

    @initialize()
    def begin(self) -> None:
        self.kind = f"call-{uuid4()}"
        self.sent: dict[int, Sent] = {}
        self.slow: asyncpg.Connection | None = None
        self.account_id = self.run(self.make_account(self.kind))
        self.meters: list[Meter] = self.run(self.make_meters())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    async def make_account(self, name: str) -> UUID:
        new = NewAccount(
            name="A", email="a@example.com", currency="USD", country="US", external_id=name
        )
        async with self.db.transaction(WRITER) as conn:
            return (await create_account(conn, new, NOW)).account_id

    async def make_meters(self) -> list[Meter]:
        async with self.db.transaction(WRITER) as conn:
            return [
                await service.create_meter(
                    conn, NewMeter(code=f"m{uuid4().hex}", event_type=self.kind, **kind), NOW
                )
                for kind in KINDS
            ]

    def event(self, number: int, told: Told, subject: str = "") -> UsageEvent:
        return UsageEvent(
            source="s",
            id=str(number),
            type=self.kind,
            subject=subject or self.kind,
            at=told[0],
            properties=told[1],
        )

    @rule(events=st.lists(st.tuples(NUMBERS, TOLD), min_size=1, max_size=5), late=st.booleans())
    def send(self, events: list[tuple[int, Told]], *, late: bool) -> None:
        """By the front door, or as a backfill: an id that is known changes nothing either way."""
        batch = [self.event(number, told) for number, told in events]
        if late:
            work = self.corrections.backfill(self.account_id, batch, Terms(reason="late"))
            results = self.run(work).results
        else:
            results = self.run(self.ingest.record(batch, now=NOW, strict=False))
        for (number, told), result in zip(events, results, strict=True):
            is_new = number not in self.sent
            known = self.sent.setdefault(number, Sent(told, told))
            same = "duplicate" if known.first == told else "conflict"
            assert result.status.value == ("accepted" if is_new else same)

    @rule(number=NUMBERS, told=TOLD, parts=st.sampled_from(["at", "properties", "both"]))
    def amend(self, number: int, told: Told, parts: str) -> None:
        change = Change(
            at=told[0] if parts != "properties" else None,
            properties=told[1] if parts != "at" else None,
        )
        outcome = self.correct(number, self.corrections.amend(self.named(number), change, TERMS))
        if outcome is not None:
            known = self.sent[number]
            assert known.now is not None
            new = (change.at or known.now[0], change.properties or known.now[1])
            assert outcome.state == ("unchanged" if new == known.now else "applied")
            known.now = new

    @rule(number=NUMBERS)
    def reverse(self, number: int) -> None:
        outcome = self.correct(
            number, self.corrections.reverse(self.named(number), TERMS), again=True
        )
        if outcome is not None:
            known = self.sent[number]
            assert outcome.state == ("unchanged" if known.now is None else "applied")
            known.now = None

    @rule(number=NUMBERS, told=TOLD)
    def preview(self, number: int, told: Told) -> None:
        change, terms = Change(properties=told[1]), Terms(reason="look", preview=True)
        self.correct(number, self.corrections.amend(self.named(number), change, terms))

    def named(self, number: int) -> Named:
        return Named(self.account_id, "s", str(number))

    def correct(
        self, number: int, work: Coroutine[Any, Any, Outcome], *, again: bool = False
    ) -> Outcome | None:
        """Return what came of it; None where it was refused, and should have been."""
        known = self.sent.get(number)
        try:
            outcome: Outcome = self.run(work)
        except NotFound:
            assert known is None
            return None
        except Conflict as error:
            if error.code != "event_reversed":
                raise
            assert known is not None
            assert known.now is None
            return None
        assert known is not None
        assert known.now is not None or again
        return outcome

    @rule(events=st.lists(TOLD, min_size=1, max_size=3))
    def all_at_once(self, events: list[Told]) -> None:
        """Corrections, new events and folds, side by side; each event is touched by one of them."""
        free = [number for number in range(8, 40) if number not in self.sent][: len(events)]
        fresh = dict(zip(free, events, strict=False))
        taken = [number for number, one in self.sent.items() if one.now is not None][:2]

        async def work() -> None:
            batch = [self.event(number, told) for number, told in fresh.items()]
            await asyncio.gather(
                *([self.ingest.record(batch, now=NOW)] if batch else []),
                *(self.corrections.reverse(self.named(number), TERMS) for number in taken[:1]),
                *(
                    self.corrections.amend(self.named(number), Change(at=events[0][0]), TERMS)
                    for number in taken[1:]
                ),
                Fold(self.db).run_once(),
                Fold(self.db, events_max=1).run_once(),
            )

        self.run(work())
        self.sent |= {number: Sent(told, told) for number, told in fresh.items()}
        for number in taken[:1]:
            self.sent[number].now = None
        for number in taken[1:]:
            was = self.sent[number].now
            assert was is not None
            self.sent[number].now = (events[0][0], was[1])

    @rule(events_max=st.sampled_from([1, 3, 1000]))
    def fold(self, events_max: int) -> None:
        self.run(Fold(self.db, events_max=events_max).run_once())

    @rule()
    def begin_or_end_a_slow_transaction(self) -> None:
        """Which holds folds back, so that corrected events are in the tail for longer."""

        async def begin() -> asyncpg.Connection:
            conn = await asyncpg.connect(self.dsn)
            await conn.execute("BEGIN")
            await conn.execute(INSERT_SLOWLY, self.account_id, DAY)
            return conn

        if self.slow is None:
            self.slow = self.run(begin())
        else:
            self.run(self.slow.close())
            self.slow = None

    @rule(one=INSTANTS, other=INSTANTS)
    def read(self, one: datetime, other: datetime) -> None:
        """Count, sum, largest and smallest are easily said; teardown compares all kinds."""
        start, end = sorted((one, other))
        told = self.totals(self.account_id, start, end)
        inside = [
            Decimal(sent.now[1]["n"])
            for sent in self.sent.values()
            if sent.now is not None and start <= sent.now[0] < end
        ]
        expected = [len(inside), sum(inside), max(inside, default=0), min(inside, default=0)]
        assert [told[meter.code] for meter in self.meters[:4]] == expected

    def totals(self, account_id: UUID, start: datetime, end: datetime) -> Mapping[str, Decimal]:
        async def read() -> Mapping[str, Decimal]:
            async with self.db.transaction(account_scope(account_id)) as conn:
                return await service.period_totals(conn, account_id, self.meters, start, end)

        found: Mapping[str, Decimal] = self.run(read())
        return found

    def groups(self, account_id: UUID) -> set[tuple[str | None, Decimal]]:
        async def read() -> set[tuple[str | None, Decimal]]:
            async with self.db.transaction(account_scope(account_id)) as conn:
                found = await service.grouped_totals(
                    conn, account_id, self.meters[1], DAY, NOW, group_by=("who",)
                )
            return {(one.dimensions["who"], one.quantity) for one in found if one.quantity}

        found: set[tuple[str | None, Decimal]] = self.run(read())
        return found

    def teardown(self) -> None:
        if not hasattr(self, "meters"):
            return
        if self.slow is not None:
            self.begin_or_end_a_slow_transaction()
        other = f"other-{self.kind}"
        other_id = self.run(self.make_account(other))
        left = [(number, one.now) for number, one in self.sent.items() if one.now is not None]
        # Two events of one instant are told apart by their keys, which differ between the two.
        instants = [told[0] for _, told in left]
        compared = [
            meter
            for meter in self.meters
            if meter.aggregation != "latest" or len(set(instants)) == len(instants)
        ]
        if left:
            batch = [self.event(number, told, other) for number, told in left]
            self.run(self.ingest.record(batch, now=NOW))
        for _ in range(2):
            for start in (DAY - timedelta(days=1), DAY + timedelta(hours=2, minutes=30)):
                mine = self.totals(self.account_id, start, NOW)
                theirs = self.totals(other_id, start, NOW)
                for meter in compared:
                    assert mine[meter.code] == theirs[meter.code], meter
            assert self.groups(self.account_id) == self.groups(other_id)
            self.fold(1000)

        async def differences() -> object:
            async with self.db.transaction(WRITER) as conn:
                return await service.differences(conn)

        assert self.run(differences()) == ()


TERMS = Terms(reason="a test")


def test_totals_are_those_of_the_surviving_events_whatever_happens(dsn: str) -> None:
    machine = UsageMachine
    machine.loop = asyncio.new_event_loop()
    machine.dsn = dsn
    machine.db = machine.loop.run_until_complete(open_database(dsn, connections_max=8))
    machine.ingest = Ingest(machine.db)
    machine.corrections = Corrections(machine.db, lambda: NOW, timedelta(hours=1))
    try:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=25,
                stateful_step_count=20,
                deadline=None,
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )
    finally:
        machine.loop.run_until_complete(machine.ingest.close())
        machine.loop.run_until_complete(machine.db.close())
        machine.loop.close()
