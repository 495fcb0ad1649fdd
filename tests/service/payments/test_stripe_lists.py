"""What Stripe lists and what an event only names: asked for, and applied like any webhook."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from tallystick.kernel.db import WRITER
from tallystick.money.amount import Money
from tallystick.payments import method_store
from tallystick.payments.facts import Delivery, ObjectChanged, ReceiptPage, RefundReported
from tallystick.payments.gateways.stripe.signature import sign
from tallystick.payments.model import PaymentStatus
from tallystick.payments.outcomes import Succeeded
from tallystick.payments.requests import TransactionPage
from tests.service.payments.conftest import SECRET
from tests.service.payments.test_gateway_port import a_charge, a_refund

if TYPE_CHECKING:
    from tests.service.payments.conftest import World

Json = dict[str, Any]
HOUR = timedelta(hours=1)


async def tell(world: "World", kind: str, thing: Json, *, thin: bool = False) -> None:
    """Hand in an event as Stripe sends it, and do what follows of it."""
    now = datetime.now(UTC)
    body: Json = {"id": f"evt_{kind}", "type": kind, "livemode": False}
    if thin:
        body |= {"object": "v2.core.event", "created": now.isoformat(), "related_object": thing}
    else:
        body |= {"object": "event", "created": int(now.timestamp()), "data": {"object": thing}}
    raw, stamp = msgspec.json.encode(body), str(int(now.timestamp()))
    headers = {"stripe-signature": f"t={stamp},v1={sign(stamp, raw, SECRET)}"}
    await world.inbox.receive("stripe", Delivery(body=raw, headers=headers), now)
    await world.settle_down()


async def all_events(world: "World", since: datetime) -> list[ReceiptPage]:
    pages = [await world.stripe.list_events(since, None)]
    while pages[-1].cursor is not None:
        pages.append(await world.stripe.list_events(since, pages[-1].cursor))
    return pages


async def test_what_no_webhook_brought_is_caught_up_from_the_list(world: "World") -> None:
    account = await world.account()
    world.mute()
    await world.confirm_setup(account, "pm_card_visa")
    (page,) = await all_events(world, datetime.now(UTC) - HOUR)
    kinds = [receipt.kind for receipt in page.receipts]
    assert sorted(kinds) == [
        "customer.created",
        "customer.updated",
        "payment_method.attached",
        "setup_intent.succeeded",
    ]
    for receipt in page.receipts:
        assert b"_secret_" not in receipt.body
        await world.news.apply("stripe", world.stripe.read_event(receipt.body))
    assert len(await world.methods(account)) == 1
    later = await world.stripe.list_events(datetime.now(UTC) + HOUR, None)
    assert later == ReceiptPage((), None)


async def test_a_long_list_is_read_page_by_page(world: "World") -> None:
    client = await world.stripe._calls._connect()
    for number in range(101):
        await client.v1.customers.create_async({"name": str(number)})
    pages = await all_events(world, datetime.now(UTC) - HOUR)
    assert [len(page.receipts) for page in pages] == [100, 1]


async def test_movements_of_the_balance_are_listed_with_their_fees(world: "World") -> None:
    charge = await a_charge(world, world.stripe)
    assert isinstance(await world.stripe.charge(charge), Succeeded)
    now = datetime.now(UTC)
    page = await world.stripe.list_transactions(now - HOUR, now + HOUR, None)
    (taken,) = page.transactions
    assert taken.kind == "charge"
    assert taken.amount == Money(4900, "USD")
    assert taken.fee is not None
    assert taken.net == taken.amount - taken.fee
    assert taken.references[0].startswith("ch_")
    assert taken.references[1].startswith("pi_")
    empty = await world.stripe.list_transactions(now + HOUR, now + 2 * HOUR, None)
    assert empty == TransactionPage((), None)


async def test_the_refunds_of_a_charge_are_asked_for(world: "World") -> None:
    charge = await a_charge(world, world.stripe)
    paid = await world.stripe.charge(charge)
    assert paid.reference is not None
    refund = a_refund(charge, paid.reference, "refund:1", 900)
    await world.stripe.refund(refund)
    (taken,) = await world.look("charges")
    facts = await world.stripe.read_changed(ObjectChanged("charge.refunded", taken["id"]))
    assert [one for one in facts if isinstance(one, RefundReported)] == list(facts)
    assert [(one.refund_id, one.charge_reference) for one in facts] == [  # type: ignore[union-attr]  # see above
        (refund.refund_id, paid.reference)
    ]


async def test_a_thin_event_brings_what_its_object_is_now(world: "World") -> None:
    account = await world.account()
    await world.save_card(account, "pm_card_visa")
    invoice = await world.invoice(account)
    world.mute()
    await world.arm("never", event="*", times=None)
    await world.arm("drop_reply", path="/v1/payment_intents", method="POST", times=None)
    await world.teller.run_due(world.clock())
    await world.collector.run_due(world.clock(), None)
    assert (await world.payment(account)).status is PaymentStatus.PROCESSING
    (intent,) = await world.look("payment_intents")
    await world.disarm()
    related = {"id": intent["id"], "type": "payment_intent"}
    await tell(world, "v1.payment_intent.succeeded", related, thin=True)
    assert (await world.payment(account)).status is PaymentStatus.SUCCEEDED
    assert (await world.get_invoice(account, invoice)).status == "paid"


async def test_a_thin_event_of_what_is_gone_or_not_ours_is_ignored(world: "World") -> None:
    world.mute()
    gone = {"id": "pm_gone", "type": "payment_method"}
    await tell(world, "v1.payment_method.attached", gone, thin=True)
    client = await world.stripe._calls._connect()
    other = await client.v1.payment_intents.create_async({"amount": 500, "currency": "usd"})
    related = {"id": other.id, "type": "payment_intent"}
    await tell(world, "v1.payment_intent.created", related, thin=True)
    rows = await world.inbox_rows()
    assert [(row["status"], row["error"]) for row in rows] == [
        ("ignored", "object_gone"),
        ("ignored", "not_ours"),
    ]


async def test_a_customer_deleted_at_stripe_takes_its_methods_along_and_is_made_anew(
    world: "World",
) -> None:
    account = await world.account()
    await world.save_card(account)
    async with world.db.transaction(WRITER) as conn:
        first = await method_store.customer(conn, account, "stripe")
    assert first is not None
    for _ in range(2):
        await tell(world, "customer.deleted", {"id": first, "object": "customer"})
    assert await world.methods(account) == ()
    second = await world.setup.ensure_customer(account, "stripe")
    assert second != first
    assert await world.setup.ensure_customer(account, "stripe") == second
    await world.save_card(account)
    assert len(await world.methods(account)) == 1
    # Late news of the first one are still known to be this account's.
    async with world.db.transaction(WRITER) as conn:
        assert await method_store.account_of(conn, "stripe", first) == account
