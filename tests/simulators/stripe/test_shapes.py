"""Every kind of object that the simulator makes, held once against Stripe's own schemas."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe

Json = dict[str, Any]
DAY = 24 * 3600
SUBSET = json.loads((Path(__file__).parent / "openapi_subset.json").read_text("utf-8"))
# Balances in cash belong to bank transfers, which are not simulated.
NOT_SIMULATED = {"cash_balance"}


@pytest.fixture
def year(
    client: stripe.StripeClient,
    customer: stripe.Customer,
    save_card: Callable[[str], str],
    act: Callable[..., Json],
) -> stripe.Subscription:
    """A subscription with usage over some months, a debit, a refund and a dispute."""
    meter = client.v1.billing.meters.create(
        {
            "display_name": "Calls",
            "event_name": "calls",
            "default_aggregation": {"formula": "sum"},
        }
    )
    usage = client.v1.prices.create(
        {
            "currency": "usd",
            "unit_amount": 2,
            "recurring": {"interval": "month", "usage_type": "metered", "meter": meter.id},
            "product_data": {"name": "Calls"},
        }
    )
    fee = client.v1.prices.create(
        {
            "currency": "usd",
            "unit_amount": 900,
            "recurring": {"interval": "month"},
            "product": str(usage.product),
        }
    )
    made = client.v1.subscriptions.create(
        {
            "customer": customer.id,
            "items": [{"price": fee.id}, {"price": usage.id}],
            "default_payment_method": save_card("pm_card_visa"),
        }
    )
    client.v1.billing.meter_events.create(
        {
            "event_name": "calls",
            "identifier": "e1",
            "payload": {"stripe_customer_id": customer.id, "value": "5"},
        }
    )
    client.v1.billing.meter_event_adjustments.create(
        {"event_name": "calls", "type": "cancel", "cancel": {"identifier": "e1"}}
    )
    client.v1.invoice_items.create({"customer": customer.id, "amount": 70, "currency": "usd"})
    act("clock", advance_seconds=70 * DAY)
    (newest, *_) = client.v1.payment_intents.list({"customer": customer.id}).data
    client.v1.refunds.create({"payment_intent": newest.id, "amount": 100})
    act("disputes/open", payment_intent=newest.id)
    return made


def kinds_in(thing: Any) -> set[str]:
    """The kinds of all objects in an answer."""
    if isinstance(thing, dict):
        inner = set().union(*(kinds_in(value) for value in thing.values()), set())
        return inner | ({str(thing["object"])} if "object" in thing else set())
    return set().union(*(kinds_in(item) for item in thing)) if isinstance(thing, list) else set()


def test_each_kind_of_object_has_the_shape_of_this_version(
    *,
    year: stripe.Subscription,
    client: stripe.StripeClient,
    base_url: str,
    check_shape: Callable[[Any], None],
    look: Callable[[str], list[Json]],
) -> None:
    setup = client.v1.setup_intents.create(
        {
            "customer": str(year.customer),
            "allowed_payment_method_types": ["us_bank_account"],
            "payment_method": "pm_usBankAccount_success",
            "confirm": True,
            "mandate_data": {"customer_acceptance": {"type": "offline"}},
            "expand": ["mandate", "latest_attempt"],
        }
    )
    client.v1.checkout.sessions.create(
        {"mode": "setup", "currency": "usd", "success_url": "http://shop.example"}
    )
    client.v1.webhook_endpoints.create({"url": "http://127.0.0.1:9/", "enabled_events": ["*"]})
    meter = client.v1.billing.meters.list().data[0]
    now = httpx.get(f"{base_url}/_sim/clock").json()["now"] // 60 * 60
    summaries = client.v1.billing.meters.event_summaries.list(
        meter.id, {"customer": str(year.customer), "start_time": 0, "end_time": now}
    )
    seen = kinds_in(setup.to_dict()) | kinds_in(summaries.to_dict())
    for family in httpx.get(f"{base_url}/_sim/families").json()["data"]:
        things = look(family)
        check_shape(things)
        seen |= kinds_in(things)
    adjusted = client.v1.billing.meter_event_adjustments.create(
        {
            "event_name": "calls",
            "type": "cancel",
            "cancel": {"identifier": late_event(client, year)},
        }
    )
    seen.add(adjusted.object)
    assert set(SUBSET["x-resources"]) - NOT_SIMULATED <= seen


def late_event(client: stripe.StripeClient, year: stripe.Subscription) -> str:
    payload = {"stripe_customer_id": str(year.customer), "value": "1"}
    return client.v1.billing.meter_events.create(
        {"event_name": "calls", "payload": payload}
    ).identifier
