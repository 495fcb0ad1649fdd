"""Webhooks: signed, at least once, repeated, and astray on demand."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import stripe

from tallystick.simulators.stripe.app import Options
from tallystick.simulators.stripe.server import running

# The classes of conftest.py, which tests can not import.
Receiver = Any
Connect = Callable[[str], stripe.StripeClient]
SECRET = "whsec_test"


def deliveries(base_url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx.get(f"{base_url}/_sim/deliveries").json()["data"]
    return found[::-1]


def arm(base_url: str, action: str, **facts: Any) -> None:
    httpx.post(f"{base_url}/_sim/faults", json={"action": action, **facts}).raise_for_status()


def make(connect: Connect, base_url: str, count: int) -> list[str]:
    client = connect(base_url)
    return [client.v1.customers.create({"name": str(n)}).id for n in range(count)]


def names(receiver: Receiver) -> list[str]:
    return [event.data.object["name"] for event in receiver.events()]


def test_events_are_signed_and_told_in_order(
    hooked: str, receiver: Receiver, connect: Connect, check_shape: Callable[[Any], None]
) -> None:
    client = connect(hooked)
    customer = client.v1.customers.create({"name": "Ada"}, {"idempotency_key": "cus:1"})
    client.v1.payment_intents.create(
        {
            "amount": 1500,
            "currency": "usd",
            "customer": customer.id,
            "allowed_payment_method_types": ["card"],
            "payment_method": "pm_card_visa",
            "confirm": True,
        }
    )
    receiver.wait(lambda r: len(r.bodies) == 4)
    assert receiver.types() == [
        "customer.created",
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
    ]
    first = receiver.events()[0]
    assert first.api_version == stripe.api_version
    assert first.request is not None
    assert first.request.idempotency_key == "cus:1"
    assert first.pending_webhooks == 1
    check_shape([event.to_dict() for event in receiver.events()])


def test_another_secret_or_another_body_does_not_verify(
    hooked: str, receiver: Receiver, connect: Connect
) -> None:
    make(connect, hooked, 1)
    receiver.wait(lambda r: len(r.bodies) == 1)
    body, header = receiver.bodies[0], receiver.headers[0]
    for changed, secret in ((body, "whsec_other"), (body + b" ", SECRET)):
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(changed, header, secret)


def test_a_delivery_is_repeated_until_it_is_taken(
    hooked: str, receiver: Receiver, connect: Connect, eventually: Callable[..., None]
) -> None:
    receiver.statuses[:] = [500, 302]
    make(connect, hooked, 1)
    eventually(lambda: deliveries(hooked)[0]["status"] == "delivered")
    attempts = deliveries(hooked)[0]["attempts"]
    assert [attempt["status_code"] for attempt in attempts] == [500, 302, 200]
    assert len({event.id for event in receiver.events()}) == 1
    event = connect(hooked).v1.events.list().data[0]
    assert event.pending_webhooks == 0


def test_a_delivery_that_nobody_takes_is_given_up(
    hooked: str, receiver: Receiver, connect: Connect, eventually: Callable[..., None]
) -> None:
    receiver.statuses[:] = [500] * 9
    make(connect, hooked, 1)
    eventually(lambda: deliveries(hooked)[0]["status"] == "given_up")
    assert len(receiver.bodies) == 3
    event = connect(hooked).v1.events.list().data[0]
    assert event.pending_webhooks == 1


def test_one_event_that_fails_does_not_hold_up_the_next(
    hooked: str, receiver: Receiver, connect: Connect
) -> None:
    receiver.statuses[:] = [500]
    make(connect, hooked, 2)
    receiver.wait(lambda r: len(r.bodies) == 3)
    assert sorted(names(receiver)) == ["0", "0", "1"]


def test_a_webhook_can_be_sent_twice(hooked: str, receiver: Receiver, connect: Connect) -> None:
    arm(hooked, "duplicate", event="customer.created")
    make(connect, hooked, 2)
    receiver.wait(lambda r: len(r.bodies) == 3)
    assert names(receiver) == ["0", "0", "1"]
    assert receiver.events()[0].id == receiver.events()[1].id


def test_a_webhook_can_be_lost(hooked: str, receiver: Receiver, connect: Connect) -> None:
    arm(hooked, "never", event="customer.*")
    make(connect, hooked, 2)
    receiver.wait(lambda r: len(r.bodies) == 1)
    assert names(receiver) == ["1"]
    assert deliveries(hooked)[0]["status"] == "dropped"


@pytest.mark.parametrize(
    ("order", "came"), [("reversed", ["2", "1", "0"]), ("kept", ["0", "1", "2"])]
)
def test_held_webhooks_are_released_in_either_order(
    *,
    hooked: str,
    receiver: Receiver,
    connect: Connect,
    eventually: Callable[..., None],
    order: str,
    came: list[str],
) -> None:
    arm(hooked, "hold", times=None)
    make(connect, hooked, 3)
    eventually(lambda: [one["status"] for one in deliveries(hooked)] == ["held"] * 3)
    assert receiver.bodies == []
    httpx.delete(f"{hooked}/_sim/faults")
    answer = httpx.post(f"{hooked}/_sim/webhooks/release", json={"order": order})
    assert answer.json() == {"released": 3}
    receiver.wait(lambda r: len(r.bodies) == 3)
    assert names(receiver) == came


def test_an_event_can_be_sent_once_more(hooked: str, receiver: Receiver, connect: Connect) -> None:
    make(connect, hooked, 1)
    receiver.wait(lambda r: len(r.bodies) == 1)
    event = receiver.events()[0].id
    again = httpx.post(f"{hooked}/_sim/webhooks/resend", json={"event": event})
    assert again.json() == {"queued": 1}
    receiver.wait(lambda r: len(r.bodies) == 2)
    assert receiver.events()[1].id == event


def test_the_webhook_goes_out_even_when_the_reply_is_lost(
    hooked: str, receiver: Receiver, connect: Connect
) -> None:
    arm(hooked, "drop_reply", path="/v1/customers")
    with pytest.raises(stripe.APIConnectionError):
        make(connect, hooked, 1)
    receiver.wait(lambda r: r.types() == ["customer.created"])


def test_an_endpoint_of_the_api_hears_what_it_asked_for(
    client: stripe.StripeClient, receiver: Receiver
) -> None:
    made = client.v1.webhook_endpoints.create(
        {"url": receiver.url, "enabled_events": ["customer.deleted"], "metadata": {"a": "1"}}
    )
    assert made.secret is not None
    assert made.secret.startswith("whsec_")
    assert client.v1.webhook_endpoints.retrieve(made.id).to_dict().get("secret") is None
    one = client.v1.customers.create()
    client.v1.customers.delete(one.id)
    receiver.wait(lambda r: len(r.bodies) == 1)
    event = stripe.Webhook.construct_event(receiver.bodies[0], receiver.headers[0], made.secret)
    assert event.type == "customer.deleted"
    off = client.v1.webhook_endpoints.update(made.id, {"disabled": True})
    assert off.status == "disabled"
    assert [e.id for e in client.v1.webhook_endpoints.list().data] == [made.id]
    assert client.v1.webhook_endpoints.delete(made.id).deleted
    assert client.v1.webhook_endpoints.list().data == []


@pytest.mark.parametrize(
    "params",
    [
        {"enabled_events": ["*"]},
        {"url": "http://127.0.0.1/"},
        {"url": "ftp://127.0.0.1/", "enabled_events": ["*"]},
        {"url": "http://127.0.0.1/", "enabled_events": []},
    ],
)
def test_an_endpoint_needs_an_address_and_something_to_hear(
    client: stripe.StripeClient, params: dict[str, Any]
) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        client.raw_request("post", "/v1/webhook_endpoints", **params)


def test_events_are_listed_by_type_and_time(client: stripe.StripeClient) -> None:
    one = client.v1.customers.create()
    client.v1.customers.update(one.id, {"name": "Ada"})
    client.v1.customers.update(one.id, {"name": "Ada"})
    client.v1.customers.delete(one.id)
    kinds = ["customer.created", "customer.deleted"]
    found = client.v1.events.list({"types": kinds})
    assert [event.type for event in found.data] == kinds[::-1]
    changed = client.v1.events.list({"type": "customer.updated"}).data
    assert len(changed) == 1
    assert changed[0].to_dict()["data"]["previous_attributes"] == {"name": None}
    at = found.data[0].created
    assert len(client.v1.events.list({"created": {"gte": at - 60}}).data) == 3
    assert client.v1.events.list({"created": {"gt": at + 60}}).data == []
    assert client.v1.events.retrieve(found.data[0].id).type == "customer.deleted"


def test_a_dead_receiver_stops_nothing(connect: Connect, eventually: Callable[..., None]) -> None:
    options = Options(webhook_url="http://127.0.0.1:9/", webhook_secret=SECRET, retry_gaps=(0.01,))
    with running(options) as base_url:
        make(connect, base_url, 1)
        eventually(lambda: deliveries(base_url)[0]["status"] == "given_up")
        assert deliveries(base_url)[0]["attempts"][0]["error"] == "ConnectError"


def test_an_endpoint_is_told_in_the_version_it_was_made_for(
    hooked: str, receiver: Any, connect: Callable[[str], stripe.StripeClient]
) -> None:
    client = connect(hooked)

    def listen(version: Any) -> stripe.WebhookEndpoint:
        return client.v1.webhook_endpoints.create(
            {"url": f"{receiver.url}/old", "enabled_events": ["*"], "api_version": version}
        )

    assert listen("2022-08-01").api_version == "2022-08-01"
    with pytest.raises(stripe.InvalidRequestError, match="API version"):
        listen("2031-01-01")
    customer = client.v1.customers.create()
    card = client.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    price = client.v1.prices.create(
        {
            "currency": "usd",
            "unit_amount": 900,
            "recurring": {"interval": "month"},
            "product_data": {"name": "Pro"},
        }
    )
    made = client.v1.subscriptions.create(
        {
            "customer": customer.id,
            "items": [{"price": price.id}],
            "default_payment_method": card.id,
        }
    )

    def told(kind: str) -> list[Any]:
        events = [json.loads(body) for body in list(receiver.bodies)]
        mine = [event for event in events if event["api_version"] == "2022-08-01"]
        return [event["data"]["object"] for event in mine if event["type"] == kind]

    receiver.wait(lambda _: told("invoice.payment_succeeded") and told("payment_intent.succeeded"))
    (invoice,) = told("invoice.paid")
    assert (invoice["paid"], invoice["subscription"]) == (True, made.id)
    (intent,) = told("payment_intent.succeeded")
    assert invoice["payment_intent"] == intent["id"]
    assert intent["charges"]["data"][0]["amount"] == 900
    (subscription,) = told("customer.subscription.created")
    assert subscription["current_period_end"] == made["items"].data[0].current_period_end
