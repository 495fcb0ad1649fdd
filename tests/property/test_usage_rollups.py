"""Roll-ups of every aggregation are what a plain reading of all events gives, whatever happens.

Events come in any order, repeated, late, in any batches; folds, voids, recounts, rebuilds and new
meters at any moment. The model keeps a list of events and knows nothing of hours.
"""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, ClassVar
from uuid import UUID, uuid4

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tallystick.catalog.model import Meter, MeterFilter, NewMeter
from tallystick.kernel.db import WRITER, Database, account_scope, open_database
from tallystick.metering import events_store, service
from tallystick.metering.fold import Fold
from tallystick.metering.prepare import event_key
from tallystick.metering.recount import AccountMonth, account_months, rebuild

DAY = datetime(2026, 1, 31, 20, tzinfo=UTC)  # a month ends inside
END = DAY + timedelta(hours=9)
MICRO = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
ZERO = Decimal(0)
ENCODE = msgspec.json.Encoder(decimal_format="number").encode
INSTANTS = st.builds(
    lambda hour, off: DAY + timedelta(hours=hour) + off,
    st.integers(0, 8),
    st.sampled_from([-MICRO, timedelta(0), MICRO, timedelta(minutes=30)]),
)
PROPERTIES = st.fixed_dictionaries(
    {
        "n": st.integers(-3, 3) | st.decimals(-5, 5, places=2),
        "who": st.sampled_from(["ann", "bob", "cy", None]),
        "model": st.sampled_from(["x", "y", None]),
        "region": st.sampled_from(["eu", "us"]),
    },
    optional={"operation_type": st.sampled_from(["add", "remove"])},
)
FILTERS = st.sampled_from(
    [
        (),
        (),
        (MeterFilter(property="model", values=("x",)),),
        (
            MeterFilter(property="model", operator="is_not", values=("x",)),
            MeterFilter(property="region", values=("eu", "as")),
        ),
        (MeterFilter(property="who", operator="exists"),),
    ]
)
GROUPS = st.sampled_from([(), ("model",), ("model", "region")])
NUMERIC = ("sum", "max", "min", "average", "latest", "weighted_sum")
METERS = st.fixed_dictionaries(
    {
        "aggregation": st.sampled_from(["count", "unique_count", *NUMERIC]),
        "computed": st.booleans(),
        "recurring": st.booleans(),
        "filters": FILTERS,
        "group_by": GROUPS,
        "allow_negative": st.booleans(),
    }
)


class Event(msgspec.Struct, frozen=True):
    key: UUID
    at: datetime
    properties: dict[str, Any]


def passes(meter: Meter, event: Event) -> bool:
    for one in meter.filters:
        told = event.properties[one.property]
        ok = {"is": told in one.values, "is_not": told not in one.values, "exists": told}
        if not ok[one.operator]:
            return False
    return True


def value_of(meter: Meter, event: Event) -> Decimal | None:
    n = Decimal(event.properties["n"])
    if meter.aggregation == "count":
        return Decimal(1)
    value = n * 2 + Decimal("0.5") if meter.expression else n
    return value if value >= 0 or meter.allow_negative else None


def nearest(value: Fraction) -> Decimal:
    """Twelve decimals, half away from zero."""
    scaled = abs(value) * 10**12 + Fraction(1, 2)
    whole = scaled.numerator // scaled.denominator
    return Decimal(whole if value >= 0 else -whole).scaleb(-12)


def unique_count(events: Iterable[Event]) -> Decimal:
    there: set[str] = set()
    for event in events:
        who = event.properties["who"]
        is_removed = event.properties.get("operation_type") == "remove"
        if who is not None:
            (there.discard if is_removed else there.add)(who)
    return Decimal(len(there))


def expected(meter: Meter, events: Sequence[Event], start: datetime, end: datetime) -> Decimal:
    """The quantity of [start, end), straight from what the words mean."""
    ordered = sorted(events, key=lambda event: (event.at, event.key.bytes))
    since = DAY - timedelta(days=99) if meter.recurring else start
    inside = [event for event in ordered if since <= event.at < end and passes(meter, event)]
    if meter.aggregation == "unique_count":
        return unique_count(inside)
    told = [(event.at, value) for event in inside if (value := value_of(meter, event)) is not None]
    values = [value for _, value in told]
    if meter.aggregation == "weighted_sum":
        held = [Fraction(value) * ((end - max(at, start)) // MICRO) for at, value in told]
        return nearest(sum(held, Fraction(0)) / ((end - start) // MICRO)) if end > start else ZERO
    by_kind = {
        "max": lambda: max(values),
        "min": lambda: min(values),
        "latest": lambda: values[-1],
        "average": lambda: nearest(Fraction(sum(values)) / len(values)),
    }
    total = sum(values, ZERO)
    return by_kind.get(meter.aggregation, lambda: total)() if values else ZERO


class RollUps(RuleBasedStateMachine):
    loop: ClassVar[asyncio.AbstractEventLoop]
    db: ClassVar[Database]

    @initialize(kinds=st.lists(METERS, min_size=2, max_size=5))
    def begin(self, kinds: list[dict[str, Any]]) -> None:
        self.kind = f"call-{uuid4()}"
        self.account_id = uuid4()
        self.stored: dict[UUID, Event] = {}
        self.voided: set[UUID] = set()
        self.meters: list[Meter] = []
        for kind in kinds:
            self.add_meter(kind)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    @rule(kind=METERS)
    def add_meter(self, kind: dict[str, Any]) -> None:
        if len(self.meters) < 8:
            self.run(self._add_meter(**kind))

    async def _add_meter(self, aggregation: Any, *, computed: bool, **kind: Any) -> None:
        how: dict[str, Any] = {"property": "n"}
        if aggregation in ("count", "unique_count"):
            how = {"property": "who" if aggregation == "unique_count" else None}
            kind["allow_negative"] = None
        elif computed:
            how = {"expression": "n * 2 + 0.5"}
        kind["recurring"] &= aggregation in ("sum", "unique_count", "latest", "weighted_sum")
        new = NewMeter(
            code=f"m{uuid4().hex}", event_type=self.kind, aggregation=aggregation, **how, **kind
        )
        async with self.db.transaction(WRITER) as conn:
            self.meters.append(await service.create_meter(conn, new, END))

    @rule(sent=st.lists(st.tuples(st.integers(0, 30), INSTANTS, PROPERTIES), max_size=10))
    def send(self, sent: list[tuple[int, datetime, dict[str, Any]]]) -> None:
        events = [
            Event(UUID(bytes=event_key(self.kind, str(number)).bytes), at, properties)
            for number, at, properties in sent
        ]
        first = {event.key: event for event in reversed(events)}
        rows = [
            (
                self.account_id,
                event.key,
                event.at,
                self.kind,
                "s",
                "1",
                ENCODE(event.properties).decode(),
            )
            for event in first.values()
        ]

        async def insert() -> None:
            async with self.db.transaction(WRITER) as conn:
                await events_store.insert_new_events(conn, rows)

        self.run(insert())
        self.stored = first | self.stored

    @rule(events_max=st.sampled_from([1, 5, 1000]))
    def fold(self, events_max: int) -> None:
        self.run(Fold(self.db, events_max=events_max).run_once())

    @rule(share=st.floats(0, 1))
    def void_and_recount(self, share: float) -> None:
        """As a correction does: events are taken out, and their hours counted anew."""
        if not self.counted():
            return
        event = self.counted()[int(share * (len(self.counted()) - 1))]

        async def void() -> None:
            async with self.db.transaction(WRITER) as conn:
                await conn.execute(
                    "INSERT INTO usage_voids (account_id, key) VALUES ($1, $2)",
                    self.account_id, event.key,
                )  # fmt: skip
                await service.recount(conn, self.account_id, {self.kind}, {event.at})

        self.run(void())
        self.voided.add(event.key)

    @rule()
    def rebuild(self) -> None:
        async def months() -> Sequence[AccountMonth]:
            async with self.db.transaction(WRITER) as conn:
                return await account_months(conn)

        self.run(rebuild(self.db, self.run(months()), lambda _: None))

    @rule(one=INSTANTS, other=INSTANTS)
    def read(self, one: datetime, other: datetime) -> None:
        start, end = sorted((one, other))

        async def totals() -> dict[str, Decimal]:
            async with self.db.transaction(account_scope(self.account_id)) as conn:
                return await service.period_totals(conn, self.account_id, self.meters, start, end)

        told = self.run(totals())
        for meter in self.meters:
            assert told[meter.code] == expected(meter, self.counted(), start, end), meter

    @rule(one=INSTANTS, other=INSTANTS)
    def read_groups(self, one: datetime, other: datetime) -> None:
        start, end = sorted((one, other))
        for meter in self.meters:
            self.compare_groups(meter, start, end, meter.group_by)
            self.compare_groups(meter, start, end, meter.group_by[:1])

    def compare_groups(
        self, meter: Meter, start: datetime, end: datetime, names: tuple[str, ...]
    ) -> None:
        async def groups() -> dict[tuple[str | None, ...], Decimal]:
            async with self.db.transaction(account_scope(self.account_id)) as conn:
                found = await service.grouped_totals(
                    conn, self.account_id, meter, start, end, group_by=names
                )
            return {tuple(one.dimensions[name] for name in names): one.quantity for one in found}

        told = self.run(groups())
        parts: dict[tuple[str | None, ...], list[Event]] = {}
        for event in self.counted():
            key = tuple(event.properties[name] for name in names)
            parts.setdefault(key, []).append(event)
        for key, events in parts.items():
            assert told.pop(key, Decimal(0)) == expected(meter, events, start, end), (meter, key)
        assert not told

    @rule(one=INSTANTS, other=INSTANTS)
    def read_windows(self, one: datetime, other: datetime) -> None:
        start, end = sorted((one, other))

        async def hours(meter: Meter) -> dict[datetime, Decimal]:
            async with self.db.transaction(account_scope(self.account_id)) as conn:
                found = await service.hourly_totals(conn, self.account_id, meter, start, end)
            return {one.hour: one.quantity for one in found}

        for meter in self.meters:
            told = self.run(hours(meter))
            begin = start
            while begin < end:
                stop = min(begin.replace(minute=0, second=0, microsecond=0) + HOUR, end)
                value = expected(meter, self.counted(), begin, stop)
                assert told.get(begin, Decimal(0)) == value, (meter, begin)
                begin = stop

    def counted(self) -> list[Event]:
        return [event for key, event in self.stored.items() if key not in self.voided]

    def teardown(self) -> None:
        if not hasattr(self, "account_id"):
            return
        for _ in range(2):
            self.read(DAY - timedelta(days=1), END)
            self.read_groups(DAY + timedelta(minutes=15), END)
            self.fold(1000)

        async def differences() -> object:
            async with self.db.transaction(WRITER) as conn:
                return await service.differences(conn)

        assert self.run(differences()) == ()


def test_roll_ups_are_what_a_plain_reading_gives_whatever_happens(dsn: str) -> None:
    RollUps.loop = asyncio.new_event_loop()
    RollUps.db = RollUps.loop.run_until_complete(open_database(dsn, connections_max=4))
    try:
        run_state_machine_as_test(
            RollUps,
            settings=settings(
                max_examples=40,
                stateful_step_count=15,
                deadline=None,
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )
    finally:
        RollUps.loop.run_until_complete(RollUps.db.close())
        RollUps.loop.close()
