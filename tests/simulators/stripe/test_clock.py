"""The simulator's clock, what falls due on it, and events of one's own making."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import stripe

from tallystick.simulators.stripe.app import Options
from tallystick.simulators.stripe.server import running

Json = dict[str, Any]
DAY = 24 * 3600


def test_things_fall_due_in_their_order_each_at_its_own_instant(
    client: stripe.StripeClient, act: Callable[..., Json], look: Callable[[str], list[Json]]
) -> None:
    start = client.v1.customers.create().created
    for hours in (3, 1, 2):
        client.v1.checkout.sessions.create(
            {
                "mode": "setup",
                "currency": "usd",
                "expires_at": start + hours * 3600,
                "success_url": "http://shop.example",
            }
        )
    assert [timer["at"] - start for timer in look("timers")] == [3600, 7200, 10800]
    assert act("clock", advance_seconds=DAY)["duties_done"] == 3
    expired = client.v1.events.list({"type": "checkout.session.expired"}).data
    assert [event.created - start for event in expired] == [10800, 7200, 3600]
    assert expired[0].request is not None
    assert expired[0].request.id is None
    assert look("timers") == []


def test_the_clock_and_what_is_planned_survive_a_restart(
    tmp_path: Path, connect: Callable[[str], stripe.StripeClient]
) -> None:
    options = Options(state_path=tmp_path / "state.sqlite")
    with running(options) as base_url:
        httpx.post(f"{base_url}/_sim/clock", json={"advance_seconds": 30 * DAY})
        session = connect(base_url).v1.checkout.sessions.create(
            {"mode": "setup", "currency": "usd", "success_url": "http://shop.example"}
        )
    with running(options) as base_url:
        assert httpx.get(f"{base_url}/_sim/clock").json()["now"] >= session.created
        httpx.post(f"{base_url}/_sim/clock", json={"advance_seconds": DAY})
        again = connect(base_url).v1.checkout.sessions.retrieve(session.id)
        assert again.status == "expired"


def test_what_falls_due_is_done_unasked(
    client: stripe.StripeClient,
    customer: stripe.Customer,
    save_card: Callable[[str], str],
    eventually: Callable[[Callable[[], bool]], None],
    act: Callable[..., Json],
) -> None:
    intent = client.v1.payment_intents.create(
        {
            "amount": 1500,
            "currency": "usd",
            "customer": customer.id,
            "allowed_payment_method_types": ["card"],
            "payment_method": save_card("pm_card_refundFail"),
            "confirm": True,
        }
    )
    refund = client.v1.refunds.create({"payment_intent": intent.id})
    act("clock", advance_seconds=59)
    eventually(lambda: client.v1.refunds.retrieve(refund.id).status == "failed")


def test_a_duty_that_can_not_be_done_any_more_holds_nothing_up(
    client: stripe.StripeClient,
    customer: stripe.Customer,
    act: Callable[..., Json],
    look: Callable[[str], list[Json]],
) -> None:
    """A draft of a customer who is gone can not be finalized."""
    client.v1.invoice_items.create({"customer": customer.id, "amount": 100, "currency": "usd"})
    made = client.v1.invoices.create({"customer": customer.id, "auto_advance": True})
    client.v1.customers.delete(customer.id)
    assert act("clock", advance_seconds=DAY)["duties_done"] == 1
    assert look("timers") == []
    assert client.v1.invoices.retrieve(made.id).status == "draft"


def test_a_forged_event_is_signed_and_delivered(
    hooked: str, receiver: Any, connect: Callable[[str], stripe.StripeClient]
) -> None:
    wish = {
        "type": "planet.discovered",
        "object": {"id": "planet_1", "object": "planet"},
        "livemode": True,
        "account": "acct_other",
        "created": 1_000_000_000,
    }
    httpx.post(f"{hooked}/_sim/webhooks/forge", json=wish).raise_for_status()
    receiver.wait(lambda seen: len(seen.bodies) == 1)
    (event,) = receiver.events()
    assert (event.type, event.livemode, event.account) == (
        "planet.discovered",
        True,
        "acct_other",
    )
    assert connect(hooked).v1.events.retrieve(event.id).created == 1_000_000_000
