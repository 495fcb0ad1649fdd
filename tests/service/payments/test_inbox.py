"""Webhooks in: signed or refused, stored once, applied whenever they fit."""

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
import pytest
import stripe

from tallystick.kernel.db import STAFF, WRITER
from tallystick.kernel.errors import BadInput, NotFound, Unavailable
from tallystick.kernel.paging import PageRequest
from tallystick.payments import method_store
from tallystick.payments.facts import Delivery
from tallystick.payments.gateway import Gateways
from tallystick.payments.gateways.manual import ManualGateway
from tallystick.payments.gateways.stripe import StripeGateway
from tallystick.payments.gateways.stripe.signature import sign
from tallystick.payments.model import PaymentStatus
from tallystick.webhooks import desk
from tallystick.webhooks.model import EventFilter

if TYPE_CHECKING:
    from tests.service.payments.conftest import World

OLD, NEW = "whsec_old_secret_0000", "whsec_new_secret_1111"


def event(kind: str, thing: dict[str, Any], **fields: object) -> bytes:
    return msgspec.json.encode(
        {
            "id": f"evt_{kind}_{time.monotonic_ns()}",
            "object": "event",
            "type": kind,
            "created": int(time.time()),
            "livemode": False,
            "data": {"object": thing},
            **fields,
        }
    )


def signed(body: bytes, *secrets: str, at: float | None = None) -> dict[str, str]:
    """Sign as Stripe does, by its own SDK; with several secrets there is a v1 for each."""
    stamp = int(time.time() if at is None else at)
    headers = [
        stripe.WebhookSignature.generate_signature_header(body.decode(), secret, stamp)
        for secret in secrets or (OLD,)
    ]
    rest = [header.partition(",")[2] for header in headers[1:]]
    return {"Stripe-Signature": ",".join([headers[0], *rest])}


def v0(header: str) -> str:
    return header.replace("v1=", "v0=")


async def receive(world: "World", body: bytes, headers: dict[str, str]) -> None:
    await world.inbox.receive("stripe", Delivery(body=body, headers=headers), datetime.now(UTC))


async def only_row(world: "World") -> dict[str, Any]:
    (row,) = await world.inbox_rows()
    return row


def intent(account: UUID, payment: UUID, attempt: UUID, **fields: object) -> dict[str, Any]:
    return {
        "id": "pi_told",
        "object": "payment_intent",
        "status": "succeeded",
        "currency": "usd",
        "amount": 4900,
        "amount_received": 4900,
        "customer": None,
        "metadata": {
            "tallystick_account": str(account),
            "tallystick_payment": str(payment),
            "tallystick_attempt": str(attempt),
        },
        **fields,
    }


@pytest.mark.parametrize("secrets", [(OLD,), (NEW,), (NEW, OLD), ("whsec_unknown", OLD)])
async def test_each_secret_of_a_rotation_is_taken(world: "World", secrets: tuple[str, ...]) -> None:
    body = event("customer.created", {"id": "cus_1"})
    await receive(world, body, signed(body, *secrets))
    await world.settle_down()
    assert (await only_row(world))["status"] == "ignored"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body: (body, {}),
        lambda body: (body, {"stripe-signature": ""}),
        lambda body: (body, {"stripe-signature": "t=1,v1=\u00e9"}),
        lambda body: (body, {"stripe-signature": f"t={int(time.time())}"}),
        lambda body: (body, {"stripe-signature": f"t={'9' * 40},v1=00"}),
        lambda body: (body, signed(body, "whsec_other")),
        lambda body: (body + b" ", signed(body)),
        lambda body: (body, signed(body, at=time.time() - 301)),
        lambda body: (body, signed(body, at=time.time() + 301)),
        lambda body: (body, {"stripe-signature": v0(signed(body)["Stripe-Signature"])}),
    ],
    ids=[
        "no header", "empty", "not ascii", "no v1", "endless t", "other secret", "changed body",
        "too old", "from the future", "other scheme",
    ],
)  # fmt: skip
async def test_what_stripe_did_not_sign_now_is_refused_and_not_kept(
    world: "World", spoil: Any
) -> None:
    body, headers = spoil(event("customer.created", {"id": "cus_1"}))
    with pytest.raises(BadInput) as refused:
        await receive(world, body, headers)
    assert refused.value.code == "invalid_signature"
    assert await world.inbox_rows() == []


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b'{"id": 1}', b"\xff\xfe"])
async def test_a_signed_body_that_is_no_event_is_refused(world: "World", body: bytes) -> None:
    stamp = str(int(time.time()))
    with pytest.raises(BadInput) as refused:
        await receive(world, body, {"stripe-signature": f"t={stamp},v1={sign(stamp, body, OLD)}"})
    assert refused.value.code == "invalid_payload"


async def test_an_event_sent_three_times_is_kept_once(world: "World") -> None:
    body = event("customer.created", {"id": "cus_1"})
    for _ in range(3):
        await receive(world, body, signed(body))
    await world.settle_down()
    await receive(world, body, signed(body))
    assert (await only_row(world))["try_count"] == 1


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"livemode": True}, "other_mode"),
        ({"account": "acct_other"}, "other_account"),
        ({"type": "unheard.of"}, "unknown_kind"),
        ({"object": "v2.core.event", "created": "2026-11-01T00:00:00Z"}, "no_object"),
    ],
)
async def test_what_is_not_for_us_is_kept_and_ignored(
    world: "World", fields: dict[str, object], reason: str
) -> None:
    body = event("payment_method.attached", {"id": "pm_1", "type": "card"}, **fields)
    await receive(world, body, signed(body))
    await world.settle_down()
    row = await only_row(world)
    assert (row["status"], row["error"]) == ("ignored", reason)


async def test_a_charge_that_we_did_not_make_is_ignored(world: "World") -> None:
    thing = {"id": "pi_1", "status": "succeeded", "currency": "usd", "amount": 1, "metadata": {}}
    body = event("payment_intent.succeeded", thing)
    await receive(world, body, signed(body))
    await world.settle_down()
    row = await only_row(world)
    assert (row["status"], row["error"]) == ("ignored", "not_ours")


async def test_a_customer_nobody_knows_yet_is_parked_until_it_is_linked(world: "World") -> None:
    """The events of a saved card overtake the transaction that keeps its customer."""
    account = await world.account()
    world.mute()
    await world.confirm_setup(account, "pm_card_visa")
    async with world.db.transaction(WRITER) as conn:
        token = await method_store.customer(conn, account, "stripe")
        await conn.execute("DELETE FROM gateway_customers")
    await world.deliver("payment_method.attached")
    await world.settle_down()
    row = await only_row(world)
    assert (row["status"], row["error"], row["customer_token"]) == (
        "parked",
        "customer_unknown",
        token,
    )
    assert await world.setup.ensure_customer(account, "stripe") == token
    await world.settle_down()
    assert (await only_row(world))["status"] == "done"
    assert len(await world.methods(account)) == 1


async def test_a_parked_event_is_tried_again_by_itself_and_given_up_after_a_month(
    world: "World",
) -> None:
    body = event("payment_method.attached", {"id": "pm_1", "type": "card", "customer": "cus_x"})
    await receive(world, body, signed(body))
    for ahead in (timedelta(), timedelta(minutes=2), timedelta(hours=7)):
        world.ahead = ahead
        await world.settle_down()
    row = await only_row(world)
    assert (row["status"], row["try_count"]) == ("parked", 3)
    world.ahead = timedelta(days=31)
    await world.settle_down()
    assert (await only_row(world))["process_after"] is None


async def test_our_ids_on_another_accounts_customer_book_nothing(world: "World") -> None:
    account, other = await world.account(), await world.account()
    await world.save_card(account)
    stranger = await world.setup.ensure_customer(other, "stripe")
    await world.arm("status", path="/v1/payment_intents", times=None, status=503)
    await world.invoice(account)
    await world.teller.run_due(world.clock())
    await world.collector.run_due(world.clock(), None)
    payment = await world.payment(account)
    attempt = await world.attempt(payment)
    thing = intent(account, payment.payment_id, attempt.payment_attempt_id, customer=stranger)
    body = event("payment_intent.succeeded", thing)
    await receive(world, body, signed(body))
    await world.inbox_worker.run_due(world.clock())
    row = (await world.inbox_rows())[-1]
    assert (row["status"], row["error"]) == ("parked", "customer_differs")
    assert await world.settled_entries(account) == 0


async def test_a_webhook_with_another_amount_is_parked_with_its_reason(world: "World") -> None:
    account = await world.account()
    method = await world.save_card(account)
    assert method.is_default
    await world.arm("status", path="/v1/payment_intents", times=None, status=503)
    await world.invoice(account)
    await world.teller.run_due(world.clock())
    await world.collector.run_due(world.clock(), None)
    payment = await world.payment(account)
    attempt = await world.attempt(payment)
    customer = await world.setup.ensure_customer(account, "stripe")
    thing = intent(
        account,
        payment.payment_id,
        attempt.payment_attempt_id,
        customer=customer,
        amount_received=4800,
    )
    body = event("payment_intent.succeeded", thing)
    await receive(world, body, signed(body))
    await world.inbox_worker.run_due(world.clock())
    row = (await world.inbox_rows())[-1]
    assert (row["status"], row["error"]) == ("parked", "amount_differs")
    assert (await world.payment(account)).status is PaymentStatus.PROCESSING
    assert await world.settled_entries(account) == 0


async def test_a_failure_is_kept_with_its_reason_and_tried_again_later(world: "World") -> None:
    account = await world.account()
    world.mute()
    await world.confirm_setup(account, "pm_card_visa")
    await world.arm("status", path="/v1/payment_methods/*", times=None, status=500)
    await world.deliver("payment_method.attached")
    now = world.clock()
    await world.inbox_worker.run_due(now)
    row = await only_row(world)
    assert row["status"] == "received"
    assert row["error"].startswith("Unavailable")
    await world.disarm()
    assert await world.inbox_worker.run_due(now) == 0
    world.ahead = timedelta(minutes=1)
    await world.settle_down()
    assert (await only_row(world))["status"] == "done"


async def test_money_that_went_back_waits_instead_of_being_lost(world: "World") -> None:
    refund = {"id": "re_1", "object": "refund", "status": "succeeded", "payment_intent": "pi_1"}
    body = event("refund.created", {**refund, "amount": 100, "currency": "usd"})
    await receive(world, body, signed(body))
    await world.settle_down()
    row = await only_row(world)
    assert (row["status"], row["error"]) == ("parked", "charge_unknown")


async def test_staff_see_events_and_have_one_tried_again(world: "World") -> None:
    refund = {"id": "re_1", "object": "refund", "status": "succeeded", "payment_intent": "pi_1"}
    body = event("refund.created", {**refund, "amount": 100, "currency": "usd"})
    await receive(world, body, signed(body))
    await world.settle_down()
    async with world.db.transaction(STAFF) as conn:
        page = await desk.list_events(conn, EventFilter(), PageRequest())
    (row,) = page.items
    assert (page.total, row.kind) == (1, "refund.created")
    async with world.db.transaction(WRITER) as conn:
        await desk.replay_one(conn, "stripe", row.event_id, world.clock())
        with pytest.raises(NotFound):
            await desk.replay_one(conn, "stripe", "evt_none", world.clock())
    await world.settle_down()
    assert (await only_row(world))["try_count"] == 2


async def test_gateways_without_webhooks_or_keys_say_so(world: "World") -> None:
    now = datetime.now(UTC)
    with pytest.raises(BadInput):
        await world.inbox.receive("manual", Delivery(body=b"{}", headers={}), now)
    with pytest.raises(NotFound):
        await world.inbox.receive("unheard", Delivery(body=b"{}", headers={}), now)
    without = msgspec.structs.replace(world.settings, webhook_secrets=())
    world.wire(Gateways([StripeGateway(without), ManualGateway()]))
    with pytest.raises(Unavailable):
        await receive(world, b"{}", {})
    world.wire(Gateways([ManualGateway()]))
    with pytest.raises(Unavailable):
        await receive(world, b"{}", {})


async def test_the_simulators_webhooks_come_in_over_http(world: "World") -> None:
    account = await world.account()
    await world.save_card(account)
    await world.invoice(account)
    await world.settle_down()
    await world.endpoint.wait("payment_intent.succeeded")
    await world.settle_down()
    statuses = {row["kind"]: row["status"] for row in await world.inbox_rows()}
    assert statuses["payment_intent.succeeded"] == "done"
    assert "received" not in statuses.values()
    deliveries = await world.look("deliveries")
    assert {delivery["status"] for delivery in deliveries} <= {"delivered", "pending"}
