"""Billing meters: events told, canceled, rejected, and summed up."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import stripe

Json = dict[str, Any]
Act = Callable[..., Json]
HOUR, DAY = 3600, 24 * 3600
THIN: Any = "v1.billing.meter.error_report_triggered"


@pytest.fixture
def now(base_url: str, act: Act) -> int:
    """A time of the simulator's that is the start of a UTC day, thirty days in."""
    at: int = httpx.get(f"{base_url}/_sim/clock").json()["now"]
    act("clock", to=(at // DAY + 30) * DAY)
    return (at // DAY + 30) * DAY


def make_meter(client: stripe.StripeClient, formula: Any = "sum") -> stripe.billing.Meter:
    return client.v1.billing.meters.create(
        {
            "display_name": "API calls",
            "event_name": "api_calls",
            "default_aggregation": {"formula": formula},
        }
    )


@pytest.fixture
def tell(client: stripe.StripeClient, customer: stripe.Customer) -> Callable[..., Any]:
    def tell(value: str, at: int, identifier: str = "", **payload: str) -> Any:
        params: Any = {
            "event_name": "api_calls",
            "payload": {"stripe_customer_id": customer.id, "value": value, **payload},
            "timestamp": at,
            **({"identifier": identifier} if identifier else {}),
        }
        return client.v1.billing.meter_events.create(params)

    return tell


@pytest.fixture
def total(client: stripe.StripeClient, customer: stripe.Customer) -> Callable[..., Any]:
    def total(meter: stripe.billing.Meter, start: int, end: int, **more: Any) -> list[Any]:
        asked: Any = {"customer": customer.id, "start_time": start, "end_time": end, **more}
        listed = client.v1.billing.meters.event_summaries.list(meter.id, asked)
        return [(one.start_time, one.end_time, one.aggregated_value) for one in listed.data]

    return total


@pytest.mark.parametrize(("formula", "value"), [("sum", 7.5), ("count", 3), ("last", 1.0)])
def test_usage_is_summed_up_by_the_meters_formula(
    *,
    client: stripe.StripeClient,
    now: int,
    tell: Callable[..., Any],
    total: Callable[..., Any],
    formula: str,
    value: float,
) -> None:
    meter = make_meter(client, formula)
    for said, at in (("2.5", now - 3 * HOUR), ("4", now - 2 * HOUR), ("1", now - HOUR)):
        tell(said, at)
    tell("100", now)
    assert total(meter, now - DAY, now) == [(now - DAY, now, value)]


def test_rows_come_by_hour_and_by_day(
    client: stripe.StripeClient, now: int, tell: Callable[..., Any], total: Callable[..., Any]
) -> None:
    meter = make_meter(client)
    for at in (now - 90 * 60, now - 70 * 60, now - 10 * 60):
        tell("1", at)
    by_hour = total(meter, now - DAY, now, value_grouping_window="hour")
    assert by_hour == [(now - HOUR, now, 1), (now - 2 * HOUR, now - HOUR, 2)]
    assert total(meter, now - DAY, now, value_grouping_window="day") == [(now - DAY, now, 3)]
    assert total(meter, now - 120, now - 60) == [(now - 120, now - 60, 0)]
    assert len(total(meter, now - DAY, now, value_grouping_window="hour", limit=1)) == 1


@pytest.mark.parametrize(
    ("start", "end", "window"),
    [(-61, 0, None), (-90 * 60, 0, "hour"), (-HOUR, 0, "day"), (0, 0, None), (0, -HOUR, None)],
)
def test_times_lie_on_whole_minutes_hours_and_days(
    *,
    client: stripe.StripeClient,
    now: int,
    total: Callable[..., Any],
    start: int,
    end: int,
    window: str | None,
) -> None:
    meter = make_meter(client)
    more = {"value_grouping_window": window} if window else {}
    with pytest.raises(stripe.InvalidRequestError):
        total(meter, now + start, now + end, **more)


def test_an_identifier_counts_once_in_a_day(
    *,
    client: stripe.StripeClient,
    now: int,
    tell: Callable[..., Any],
    total: Callable[..., Any],
    act: Act,
) -> None:
    meter = make_meter(client)
    tell("1", now - HOUR, "a")
    with pytest.raises(stripe.InvalidRequestError, match="already exists"):
        tell("1", now - HOUR, "a")
    act("clock", advance_seconds=DAY)
    tell("1", now - HOUR, "a")
    assert total(meter, now - DAY, now) == [(now - DAY, now, 2)]


def test_an_event_is_canceled_within_a_day(
    *,
    client: stripe.StripeClient,
    now: int,
    tell: Callable[..., Any],
    total: Callable[..., Any],
    act: Act,
) -> None:
    meter = make_meter(client)
    tell("5", now - HOUR, "a")
    tell("7", now - HOUR, "b")

    def cancel(identifier: str) -> stripe.billing.MeterEventAdjustment:
        return client.v1.billing.meter_event_adjustments.create(
            {
                "event_name": "api_calls",
                "type": "cancel",
                "cancel": {"identifier": identifier},
            }
        )

    assert cancel("a").status == "pending"
    assert total(meter, now - DAY, now) == [(now - DAY, now, 7)]
    with pytest.raises(stripe.InvalidRequestError) as refused:
        cancel("c")
    assert refused.value.code == "resource_missing"
    act("clock", advance_seconds=DAY)
    with pytest.raises(stripe.InvalidRequestError, match="24 hours"):
        cancel("b")


@pytest.mark.parametrize(
    ("ahead", "code"),
    [(5 * 60 + 60, "timestamp_in_future"), (-35 * DAY - 60, "timestamp_too_far_in_past")],
)
def test_an_event_has_to_be_recent(
    client: stripe.StripeClient, now: int, tell: Callable[..., Any], ahead: int, code: str
) -> None:
    make_meter(client)
    tell("1", now - 35 * DAY + 60)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        tell("1", now + ahead)
    assert refused.value.code == code


def test_what_does_not_count_is_told_in_thin_events(
    client: stripe.StripeClient, now: int, tell: Callable[..., Any], look: Callable[..., Any]
) -> None:
    tell("1", now)
    meter = make_meter(client)
    tell("many", now)
    tell("1", now, stripe_customer_id="cus_none")
    tell("1", now, stripe_customer_id="")
    client.v1.billing.meters.deactivate(meter.id)
    tell("1", now)
    client.v1.billing.meters.reactivate(meter.id)
    told = look("thin_events")[::-1]
    codes = [one["data"]["reason"]["error_types"][0]["code"] for one in told]
    assert codes == [
        "no_meter",
        "meter_event_invalid_value",
        "meter_event_customer_not_found",
        "meter_event_no_customer_defined",
        "archived_meter",
    ]
    assert [one["type"] for one in told][:2] == ["v1.billing.meter.no_meter_found", THIN]
    whole = client.v2.core.events.retrieve(told[1]["id"])
    assert whole.to_dict()["data"]["reason"]["error_count"] == 1


def test_a_thin_event_is_delivered_to_those_who_name_it(
    hooked: str, receiver: Any, connect: Callable[[str], stripe.StripeClient]
) -> None:
    client = connect(hooked)
    client.v1.webhook_endpoints.create({"url": f"{receiver.url}/thin", "enabled_events": [THIN]})
    secret = "whsec_thin"
    meter = make_meter(client)
    client.v1.billing.meter_events.create(
        {"event_name": "api_calls", "payload": {"stripe_customer_id": "cus_none", "value": "1"}}
    )
    receiver.wait(lambda seen: any(b"v2.core.event" in body for body in seen.bodies))
    (body,) = [body for body in receiver.bodies if b"v2.core.event" in body]
    assert "data" not in json.loads(body)
    header = stripe.WebhookSignature.generate_signature_header(body.decode(), secret)
    notified: Any = client.parse_event_notification(body, header, secret)
    assert notified.related_object.id == meter.id
    assert notified.fetch_event().data.reason.error_types[0].code == (
        "meter_event_customer_not_found"
    )
    assert notified.fetch_related_object().event_name == "api_calls"


def test_one_active_meter_has_a_name(client: stripe.StripeClient) -> None:
    meter = make_meter(client)
    with pytest.raises(stripe.InvalidRequestError, match="exists already"):
        make_meter(client)
    client.v1.billing.meters.deactivate(meter.id)
    make_meter(client)
    assert client.v1.billing.meters.update(meter.id, {"display_name": "Old"}).display_name == "Old"
    listed = client.v1.billing.meters.list({"status": "inactive"})
    assert [one.id for one in listed.data] == [meter.id]
