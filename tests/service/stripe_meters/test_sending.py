"""Hours of usage go to Stripe as sums, each once, whatever comes late or fails on the way."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tallystick.kernel.db import WRITER
from tallystick.payments.metered import Answer, MeterEvent
from tallystick.stripe_meters import service
from tallystick.stripe_meters.model import SendRules

if TYPE_CHECKING:
    from tests.service.stripe_meters.conftest import World

TEN = datetime(2026, 3, 15, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
SETTLED = timedelta(hours=2)


async def test_without_a_configured_meter_nothing_is_sent(world: "World") -> None:
    await world.account()
    await world.our_meter()
    world.their_meter()
    await world.use(5)
    await world.work(timedelta(days=1))
    assert world.at_stripe() == []
    assert await world.events() == []


async def test_a_settled_hour_is_sent_once_as_the_sum_of_its_events(world: "World") -> None:
    ada, bob = await world.account(), await world.account("bob")
    await world.meter()
    await world.use("1.25")
    await world.use("2.5", TEN + timedelta(minutes=59))
    await world.use(7, subject="bob")
    await world.work()
    assert world.at_stripe() == []
    await world.work(SETTLED)
    sent = {event["payload"]["value"]: event for event in world.at_stripe()}
    assert sorted(sent) == ["3.75", "7"]
    assert sent["3.75"]["timestamp"] == int(TEN.timestamp())
    assert await world.counted(ada) == {TEN: Decimal("3.75")}
    assert await world.counted(bob) == {TEN: Decimal(7)}
    await world.work(SETTLED)
    assert len(world.at_stripe()) == 2


async def test_usage_from_before_a_meter_was_configured_is_sent_from_the_hour_asked_for(
    world: "World",
) -> None:
    ada = await world.account()
    await world.our_meter()
    world.their_meter()
    await world.use(1, TEN - HOUR)
    await world.use(2, TEN)
    await world.configuration.set_meter("tokens", "tokens", TEN)
    await world.work(SETTLED)
    assert await world.counted(ada) == {TEN: Decimal(2)}
    await world.configuration.set_meter("tokens", "tokens", TEN - HOUR)
    await world.work(SETTLED)
    assert await world.counted(ada) == {TEN - HOUR: Decimal(1), TEN: Decimal(2)}


async def test_late_usage_is_sent_as_the_difference_under_a_name_of_its_own(
    world: "World",
) -> None:
    ada = await world.account()
    await world.meter()
    await world.use(5)
    await world.work(SETTLED)
    await world.use(2)
    await world.use(1)
    await world.work()
    assert len(world.at_stripe()) == 1
    await world.work(timedelta(minutes=10))
    assert await world.told() == [("sent", Decimal(5)), ("sent", Decimal(3))]
    assert len({event["identifier"] for event in world.at_stripe()}) == 2
    assert await world.counted(ada) == {TEN: Decimal(8)}


async def test_counts_are_added_up(world: "World") -> None:
    ada = await world.account()
    await world.meter("calls", aggregation="count", property=None)
    for _ in range(3):
        await world.use(99)
    await world.work(SETTLED)
    assert await world.counted(ada, "calls") == {TEN: Decimal(3)}


async def test_of_a_latest_value_the_last_one_told_stands(world: "World") -> None:
    ada = await world.account()
    await world.meter("level", "last", aggregation="latest")
    await world.use(5, TEN + timedelta(minutes=1))
    await world.use(3, TEN + timedelta(minutes=2))
    await world.work(SETTLED)
    await world.use(4, TEN + timedelta(minutes=3))
    await world.use(9, TEN)
    await world.work(timedelta(minutes=10))
    assert await world.told() == [("sent", Decimal(3)), ("sent", Decimal(4))]
    assert await world.counted(ada, "level") == {TEN: Decimal(4)}


async def test_an_account_without_a_customer_waits_until_it_has_one(world: "World") -> None:
    ada = await world.account(linked=False)
    await world.meter()
    await world.use(5)
    await world.work(SETTLED)
    assert await world.told() == [("parked", Decimal(5))]
    await world.link(ada)
    async with world.db.transaction(WRITER) as conn:
        await service.on_customer_linked(conn, ada, world.wall())
    await world.work()
    assert await world.counted(ada) == {TEN: Decimal(5)}


@pytest.mark.parametrize(
    ("action", "facts"),
    [("drop_reply", {}), ("status_after", {"status": 500}), ("drop_before", {})],
)
async def test_what_got_no_answer_is_told_again_and_counts_once(
    world: "World", action: str, facts: dict[str, Any]
) -> None:
    ada = await world.account()
    await world.meter()
    await world.use(5)
    world.arm(action, **facts)
    await world.work(SETTLED)
    assert await world.told() == [("unknown", Decimal(5))]
    world.disarm()
    await world.work(timedelta(minutes=5))
    assert await world.told() == [("sent", Decimal(5))]
    assert await world.counted(ada) == {TEN: Decimal(5)}


async def test_too_many_requests_rest_all_sending_and_lose_nothing(world: "World") -> None:
    ada = await world.account()
    await world.meter()
    for hour in range(3):
        await world.use(hour + 1, TEN - hour * HOUR)
    world.arm("status", status=429)
    await world.work(SETTLED)
    assert {status for status, _ in await world.told()} == {"queued"}
    async with world.db.transaction(WRITER) as conn:
        state = await service.sync_state(conn, world.wall())
    assert (state.sync.failure_count, state.sync.last_error) == (1, "rate_limit")
    asked = len(world.http.get("/_sim/requests").json()["data"])
    await world.sender.run_due(world.wall())
    assert len(world.http.get("/_sim/requests").json()["data"]) == asked
    world.disarm()
    await world.work(timedelta(minutes=1))
    assert sum((await world.counted(ada)).values()) == 6


async def test_no_more_than_allowed_is_sent_in_a_second(world: "World") -> None:
    await world.account()
    await world.meter()
    for hour in range(5):
        await world.use(1, TEN - hour * HOUR)
    world.rules = SendRules(calls_per_second=2)
    sender = world.new_sender()
    await world.work()
    world.wall.at += SETTLED
    sizes = []
    for _ in range(4):
        await sender.run_due(world.wall())
        assert await sender.run_due(world.wall()) == 0
        sizes.append(len(world.at_stripe()))
        world.wall.at += timedelta(seconds=1)
    assert sizes == [2, 4, 5, 5]


class Killed:
    """A gateway behind which the process dies: Stripe has the event, nobody wrote it down."""

    def __init__(self, world: "World") -> None:
        self.real = world.stripe.meters

    async def send(self, event: MeterEvent) -> Answer:
        await self.real.send(event)
        raise asyncio.CancelledError

    async def take_back(self, event_name: str, identifier: str, key: str) -> Answer:
        raise NotImplementedError


async def test_whoever_dies_after_sending_leaves_it_to_be_sent_again_and_counted_once(
    world: "World",
) -> None:
    ada = await world.account()
    await world.meter()
    await world.use(5)
    await world.work()
    world.wall.at += SETTLED
    with pytest.raises(asyncio.CancelledError):
        await world.new_sender(Killed(world)).run_due(world.wall())
    assert await world.told() == [("unknown", Decimal(5))]
    await world.work()
    assert await world.told() == [("unknown", Decimal(5))]
    await world.work(timedelta(minutes=5))
    assert await world.told() == [("sent", Decimal(5))]
    assert await world.counted(ada) == {TEN: Decimal(5)}


async def test_two_workers_send_each_event_once(world: "World") -> None:
    ada = await world.account()
    await world.meter()
    for hour in range(4):
        await world.use(1, TEN - hour * HOUR)
    await world.work()
    world.wall.at += SETTLED
    senders = [world.new_sender() for _ in range(3)]
    for _ in range(3):
        await asyncio.gather(*(sender.run_due(world.wall()) for sender in senders))
        world.wall.at += timedelta(seconds=1)
    assert len(world.at_stripe()) == 4
    assert sum((await world.counted(ada)).values()) == 4


async def test_a_mark_of_another_server_makes_all_be_looked_at_and_nothing_told_twice(
    world: "World",
) -> None:
    ada = await world.account()
    await world.meter()
    await world.use(5)
    await world.work(SETTLED)
    async with world.db.transaction(WRITER) as conn:
        await conn.execute("UPDATE stripe_meter_sync SET upto = '18446744073709551000'")
    await world.use(2)
    await world.work()
    await world.work(SETTLED)
    assert await world.counted(ada) == {TEN: Decimal(7)}
    assert len(world.at_stripe()) == 2
