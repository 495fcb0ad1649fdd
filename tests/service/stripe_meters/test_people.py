"""What Stripe refuses, what is too much, what nobody knows: shown, and decided by a person."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from tallystick.corrections.model import Named, Terms
from tallystick.corrections.service import Corrections
from tallystick.kernel.db import WRITER
from tallystick.kernel.errors import BadInput, Conflict, NotFound
from tallystick.payments.facts import GatewayEvent, Ignored, UsageRefused
from tallystick.payments.verdicts import Handled, Skipped, Verdict
from tallystick.stripe_meters import service
from tallystick.stripe_meters.model import Decision
from tallystick.stripe_meters.news import UsageNews
from tallystick.stripe_meters.summaries import read_sides

if TYPE_CHECKING:
    from tests.service.stripe_meters.conftest import World

TEN = datetime(2026, 3, 15, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
SETTLED = timedelta(hours=2)
LATE = timedelta(minutes=10)


class Behind:
    """Whoever gets the other news."""

    async def apply(self, gateway: str, event: GatewayEvent) -> Verdict:
        return Skipped(f"{gateway} {event.kind}")


def told(fact: UsageRefused | Ignored) -> GatewayEvent:
    return GatewayEvent("evt_1", "kind", TEN, False, fact)  # noqa: FBT003 - a test's mode


async def report(world: "World") -> Verdict:
    """Hand in the newest thin event."""
    thin = world.http.get("/_sim/thin_events").json()["data"][0]
    news = UsageNews(world.db, world.stripe.meters, world.wall, Behind())
    return await news.apply("stripe", told(UsageRefused(thin["id"])))


async def decide(world: "World", no: int, decision: Decision) -> None:
    event = (await world.events())[no]
    async with world.db.transaction(WRITER) as conn:
        await service.decide(
            conn, event.stripe_meter_event_id, decision, "seen at Stripe", world.wall()
        )


async def reverse(world: "World", account_id: UUID, event_id: str) -> None:
    corrections = Corrections(world.db, world.wall, timedelta(days=400))
    terms = Terms(reason="never happened", may_change_billed=True)
    await corrections.reverse(Named(account_id, "gw", event_id), terms)


async def test_usage_that_is_corrected_within_a_day_is_taken_back_and_told_anew(
    world: "World",
) -> None:
    ada = await world.account()
    await world.meter()
    wrong = await world.use(30)
    await world.use(7)
    await world.work(SETTLED)
    await reverse(world, ada, wrong)
    await world.work(LATE)
    assert await world.told() == [("canceled", Decimal(37)), ("sent", Decimal(7))]
    assert await world.counted(ada) == {TEN: Decimal(7)}


async def test_after_a_day_what_is_too_much_waits_for_a_person(world: "World") -> None:
    ada = await world.account()
    await world.meter()
    wrong = await world.use(30)
    await world.use(7)
    await world.work(SETTLED)
    await world.work(timedelta(days=1))
    await reverse(world, ada, wrong)
    await world.work(LATE)
    assert await world.told() == [("sent", Decimal(37)), ("held", Decimal(-30))]
    (_, held) = await world.events()
    assert held.reason == "too_much_sent"
    await decide(world, 1, "settled")
    await world.use(1)
    await world.work(LATE)
    assert await world.told() == [
        ("sent", Decimal(37)),
        ("settled", Decimal(-30)),
        ("sent", Decimal(1)),
    ]


async def test_what_stripe_would_not_take_back_stays_sent_and_is_held(world: "World") -> None:
    ada = await world.account()
    await world.meter()
    wrong = await world.use(30)
    await world.use(7)
    await world.work(SETTLED)
    world.arm("status", "/v1/billing/meter_event_adjustments", status=400)
    await reverse(world, ada, wrong)
    await world.work(LATE)
    await world.work(LATE)
    world.disarm()
    states = await world.told()
    assert ("sent", Decimal(37)) in states
    assert sum(value for status, value in states if status == "held") < 0
    assert sum(
        value for status, value in states if status in {"sent", "held", "queued"}
    ) == Decimal(7)


async def test_what_stripe_does_not_count_is_refused_with_its_reason_and_told_anew(
    world: "World",
) -> None:
    ada = await world.account()
    meter = await world.meter()
    await world.use(5)
    world.client.v1.billing.meters.deactivate(meter.reference)
    await world.work(SETTLED)
    assert await world.told() == [("sent", Decimal(5))]
    assert await report(world) == Handled(ada)
    (refused,) = await world.events()
    assert (refused.status, refused.reason) == ("refused", "archived_meter")
    assert await report(world) == Handled(ada)
    world.client.v1.billing.meters.reactivate(meter.reference)
    await decide(world, 0, "not_counted")
    await world.work()
    assert await world.told() == [("replaced", Decimal(5)), ("sent", Decimal(5))]
    assert await world.counted(ada) == {TEN: Decimal(5)}


async def test_reports_of_others_and_other_news_are_left_alone(world: "World") -> None:
    customer = world.client.v1.customers.create({}).id
    world.client.v1.billing.meter_events.create(
        {"event_name": "theirs", "payload": {"stripe_customer_id": customer, "value": "1"}}
    )
    assert await report(world) == Skipped("no_usage_of_ours")
    async with world.db.transaction(WRITER) as conn:
        assert (await service.sync_state(conn, world.wall())).unnamed_count == 1
    news = UsageNews(world.db, world.stripe.meters, world.wall, Behind())
    assert await news.apply("stripe", told(Ignored("x"))) == Skipped("stripe kind")
    assert await news.apply("ccbill", told(UsageRefused("x"))) == Skipped("ccbill kind")
    assert await news.apply("stripe", told(UsageRefused("evt_gone"))) == Skipped("report_gone")


@pytest.mark.parametrize(("decision", "counted"), [("counted", 5), ("not_counted", 10)])
async def test_without_an_answer_for_a_day_nothing_is_sent_blindly(
    world: "World", decision: Decision, counted: int
) -> None:
    ada = await world.account()
    await world.meter()
    await world.use(5)
    world.arm("drop_reply")
    await world.work(SETTLED)
    world.disarm()
    # Nobody worked for a day: the identifier would count again.
    await world.work(timedelta(days=1))
    (held,) = await world.events()
    assert (held.status, held.reason) == ("held", "unanswered")
    assert len(world.at_stripe()) == 1
    await decide(world, 0, decision)
    await world.work()
    # A person who is wrong about it is taken at their word: what lacks is told again.
    assert await world.counted(ada) == {TEN: Decimal(counted)}
    with pytest.raises(Conflict, match="can not be said"):
        await decide(world, 0, decision)


async def test_what_waited_too_long_for_a_customer_is_held(world: "World") -> None:
    await world.account(linked=False)
    await world.meter()
    await world.use(5)
    await world.work(SETTLED)
    await world.work(timedelta(days=36))
    (held,) = await world.events()
    assert (held.status, held.reason) == ("held", "timestamp_too_far_in_past")
    with pytest.raises(Conflict):
        await decide(world, 0, "counted")


async def test_a_meter_that_is_taken_away_is_sent_no_more(world: "World") -> None:
    await world.account(linked=False)
    await world.meter()
    await world.use(5)
    await world.work(SETTLED)
    async with world.db.transaction(WRITER) as conn:
        await service.remove_meter(conn, "tokens")
        with pytest.raises(NotFound):
            await service.remove_meter(conn, "tokens")
    await world.use(7)
    await world.work(timedelta(days=2))
    assert await world.told() == [("parked", Decimal(5))]
    assert world.at_stripe() == []


async def test_another_meter_at_stripe_is_told_the_hours_again(world: "World") -> None:
    ada = await world.account()
    await world.meter()
    await world.use(5)
    await world.work(SETTLED)
    world.their_meter("better")
    await world.configuration.set_meter("tokens", "better", TEN)
    await world.work(LATE)
    assert [event.event_name for event in await world.events()] == ["tokens", "better"]
    assert await world.counted(ada) == {TEN: Decimal(5)}


async def test_a_meter_goes_only_where_it_can(world: "World") -> None:
    await world.our_meter("peak", aggregation="max")
    await world.our_meter("tokens")
    await world.our_meter("others")
    for name, formula in (("tokens", "sum"), ("last", "last")):
        world.their_meter(name, formula)
    set_meter = world.configuration.set_meter
    for code, name, error in (
        ("peak", "tokens", "stripe_meter_unsuitable"),
        ("tokens", "nobody", "stripe_meter_missing"),
        ("tokens", "last", "stripe_meter_differs"),
    ):
        with pytest.raises(Conflict) as refused:
            await set_meter(code, name, None)
        assert refused.value.code == error
    saved = await set_meter("tokens", "tokens", None)
    assert saved.sends_from == datetime(2026, 3, 15, 12, tzinfo=UTC)
    with pytest.raises(Conflict, match="Another meter"):
        await set_meter("others", "tokens", None)
    kept = await set_meter("tokens", "tokens", None)
    assert kept == saved
    older = await set_meter("tokens", "tokens", datetime(2020, 1, 1, tzinfo=UTC))
    assert older.sends_from == datetime(2026, 2, 8, 12, tzinfo=UTC)


async def test_both_sides_are_read_back_by_hours_without_a_verdict(world: "World") -> None:
    ada = await world.account()
    meter = await world.meter()
    for at, n in ((0, "0.1"), (1, "2"), (3, "4")):
        await world.use(n, TEN - at * HOUR)
    await world.work(SETTLED)
    customer = world.at_stripe()[0]["payload"]["stripe_customer_id"]
    world.client.v1.billing.meter_events.create(
        {
            "event_name": "tokens",
            "payload": {"stripe_customer_id": customer, "value": "9"},
            "timestamp": int((TEN - 2 * HOUR).timestamp()),
        }
    )
    await world.use(1, TEN)
    await world.work()
    span = (TEN - 2 * HOUR, TEN + HOUR)
    found = await read_sides(world.db, world.stripe.meters, ada, "tokens", span)
    assert (found.meter, found.customer) == (meter, customer)
    assert [(one.hour, one.sent, one.sent_count, one.theirs) for one in found.hours] == [
        (TEN - 2 * HOUR, Decimal(0), 0, Decimal(9)),
        (TEN - HOUR, Decimal(2), 1, Decimal(2)),
        (TEN, Decimal("0.1"), 1, Decimal("0.1")),
    ]


@pytest.mark.parametrize(
    ("start", "end"),
    [(TEN, TEN), (TEN, TEN + timedelta(minutes=30)), (TEN - timedelta(days=63), TEN)],
)
async def test_only_spans_of_whole_hours_are_read(
    world: "World", start: datetime, end: datetime
) -> None:
    ada = await world.account()
    await world.meter()
    with pytest.raises(BadInput):
        await read_sides(world.db, world.stripe.meters, ada, "tokens", (start, end))


async def test_without_a_customer_there_is_nothing_to_read(world: "World") -> None:
    ada = await world.account(linked=False)
    await world.meter()
    with pytest.raises(NotFound, match="no customer at Stripe"):
        await read_sides(world.db, world.stripe.meters, ada, "tokens", (TEN, TEN + HOUR))
