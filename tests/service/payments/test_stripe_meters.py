"""Usage told to Stripe's meters and read back, by the official SDK against the simulator."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec
import pytest
import stripe

from tallystick.payments.facts import UsageRefused
from tallystick.payments.gateways.stripe.events import read_event
from tallystick.payments.metered import (
    Away,
    GatewayMeter,
    MeterEvent,
    Refused,
    RefusedEvents,
    Taken,
    Unclear,
)

if TYPE_CHECKING:
    from tests.service.payments.conftest import World

EVENTS = "/v1/billing/meter_events"
HOUR = timedelta(hours=1)


def at_stripe(world: "World") -> stripe.StripeClient:
    addresses = dict.fromkeys(("api", "connect", "files", "meter_events"), world.base_url)
    return stripe.StripeClient("sk_test_elsewhere", base_addresses=addresses)  # type: ignore[arg-type]  # all four


def hour_of(world: "World", ago: int = 3) -> datetime:
    return world.clock().replace(minute=0, second=0, microsecond=0) - ago * HOUR


async def meter_of(world: "World", name: str = "calls", formula: str = "sum") -> GatewayMeter:
    at_stripe(world).v1.billing.meters.create(
        {
            "display_name": name,
            "event_name": name,
            "default_aggregation": {"formula": formula},
        }
    )
    found = await world.stripe.meters.find(name)
    assert found is not None
    return found


def event(customer: str, at: datetime, value: str = "5", name: str = "row-1") -> MeterEvent:
    payload = {"stripe_customer_id": customer, "value": value}
    return MeterEvent(identifier=name, key=name, event_name="calls", at=at, payload=payload)


async def test_a_meter_is_found_by_the_name_of_its_events(world: "World") -> None:
    meter = await meter_of(world)
    assert (meter.formula, meter.customer_key, meter.value_key) == (
        "sum",
        "stripe_customer_id",
        "value",
    )
    assert await world.stripe.meters.find("other") is None


async def test_usage_is_counted_once_and_read_back_by_hours(world: "World") -> None:
    meter, client = await meter_of(world), at_stripe(world)
    customer = client.v1.customers.create({}).id
    hour = hour_of(world)
    meters = world.stripe.meters
    assert await meters.send(event(customer, hour, "1.1")) == Taken()
    again = msgspec.structs.replace(event(customer, hour, "1.1"), key="another")
    assert await meters.send(again) == Taken()
    assert await meters.send(event(customer, hour + HOUR, "2", "row-2")) == Taken()
    found = await meters.summaries(meter.reference, customer, hour, hour + 2 * HOUR)
    assert [(one.start, one.quantity) for one in found] == [
        (hour, Decimal("1.1")),
        (hour + HOUR, Decimal(2)),
    ]
    assert await meters.take_back("calls", "row-2", "row-2:back") == Taken()
    assert await meters.take_back("calls", "row-3", "row-3:back") == Refused("resource_missing")
    (left,) = await meters.summaries(meter.reference, customer, hour, hour + 2 * HOUR)
    assert left.start == hour


async def test_more_hours_than_fit_on_a_page_are_read(
    world: "World", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallystick.payments.gateways.stripe.meters.PAGE_ROWS", 2)
    meter, client = await meter_of(world), at_stripe(world)
    customer = client.v1.customers.create({}).id
    first = hour_of(world, 10)
    for at in range(5):
        await world.stripe.meters.send(event(customer, first + at * HOUR, "1", f"row-{at}"))
    found = await world.stripe.meters.summaries(meter.reference, customer, first, first + 7 * HOUR)
    assert [one.start for one in found] == [first + at * HOUR for at in range(5)]


async def test_each_failure_says_whether_it_may_have_counted(world: "World") -> None:
    await meter_of(world)
    customer = at_stripe(world).v1.customers.create({}).id
    hour, meters = hour_of(world), world.stripe.meters
    old = event(customer, hour - timedelta(days=36))
    assert await meters.send(old) == Refused("timestamp_too_far_in_past")
    await world.arm("status", status=429, path=EVENTS, times=None)
    assert isinstance(await meters.send(event(customer, hour)), Away)
    await world.disarm()
    await world.arm("status_after", status=500, path=EVENTS, times=None)
    assert isinstance(await meters.send(event(customer, hour)), Unclear)
    await world.disarm()
    repeated = msgspec.structs.replace(event(customer, hour), key="row-1:2")
    assert await meters.send(repeated) == Taken()
    assert len(await world.look("meter_events")) == 1


async def test_a_report_of_what_does_not_count_is_read(world: "World") -> None:
    meter = await meter_of(world)
    at_stripe(world).v1.billing.meters.deactivate(meter.reference)
    customer = at_stripe(world).v1.customers.create({}).id
    assert await world.stripe.meters.send(event(customer, hour_of(world))) == Taken()
    (thin,) = await world.look("thin_events")
    report = await world.stripe.meters.report(thin["id"])
    assert report.meter == meter.reference
    assert report.refused == (RefusedEvents("archived_meter", ("row-1",), 1),)


def test_a_report_that_comes_in_is_a_fact_of_its_own() -> None:
    thin = {
        "id": "evt_1",
        "object": "v2.core.event",
        "type": "v1.billing.meter.no_meter_found",
        "created": datetime(2026, 11, 21, tzinfo=UTC).isoformat(),
        "livemode": False,
        "context": None,
        "related_object": None,
    }
    assert read_event(msgspec.json.encode(thin), livemode=False).fact == UsageRefused("evt_1")
    elsewhere = read_event(msgspec.json.encode({**thin, "context": "acct_9"}), livemode=False)
    assert not isinstance(elsewhere.fact, UsageRefused)
