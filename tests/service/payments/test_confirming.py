"""A bank that asks its customer: off session nothing is taken; on our page the same charge is."""

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tallystick.kernel import outbox
from tallystick.kernel.db import WRITER
from tallystick.kernel.errors import Conflict
from tallystick.mail_events import MailEvents
from tallystick.payments.events import PaymentActionNeeded
from tallystick.payments.model import AttemptOutcome, PaymentStatus

if TYPE_CHECKING:
    from uuid import UUID

    from tests.service.payments.conftest import World

Json = dict[str, Any]
ALWAYS = "pm_card_authenticationRequired"
UNLESS_SET_UP = "pm_card_authenticationRequiredOnSetup"


async def asked(world: "World") -> "tuple[UUID, UUID]":
    """An account whose bank asks about the payment of its invoice, and the invoice."""
    account = await world.account()
    await world.save_card(account, ALWAYS)
    invoice = await world.invoice(account)
    await world.settle_down()
    return account, invoice


async def confirm(world: "World", account: "UUID", payment: "UUID", outcome: str) -> Json:
    """Do what the page does with what it is given."""
    action = await world.collector.start_action(account, payment)
    assert action.method_token is not None
    answer = await world.page(
        f"/v1/payment_intents/{action.reference}/confirm",
        client_secret=action.client_secret,
        payment_method=action.method_token,
        return_url="http://127.0.0.1/back",
        use_stripe_sdk="true",
    )
    assert answer["status"] == "requires_action", answer
    return await world.page(
        "/_page/authenticate", client_secret=action.client_secret, outcome=outcome
    )


async def test_a_card_that_was_confirmed_when_saved_is_not_asked_again(world: "World") -> None:
    account = await world.account()
    await world.save_card(account, UNLESS_SET_UP)
    await world.invoice(account)
    await world.settle_down()
    assert (await world.payment(account)).status is PaymentStatus.SUCCEEDED


async def test_a_bank_that_asks_has_taken_nothing_and_nobody_tries_off_session_again(
    world: "World",
) -> None:
    account, invoice = await asked(world)
    payment = await world.payment(account)
    assert payment.status is PaymentStatus.PROCESSING
    assert (await world.attempt(payment)).outcome is AttemptOutcome.NEEDS_ACTION
    assert "payment.action_needed" in await world.told(account)
    assert await world.settled_entries(account) == 0
    for _ in range(2):
        await world.collector.refresh(account, payment.payment_id)
        await world.settle_down()
    assert len(await world.look("payment_intents")) == 1
    assert (await world.get_invoice(account, invoice)).status == "open"


@pytest.mark.parametrize("by_webhook", [True, False])
async def test_the_same_charge_is_confirmed_on_the_page_and_booked_once(
    world: "World",
    by_webhook: bool,  # noqa: FBT001 - a parameter of pytest
) -> None:
    account, invoice = await asked(world)
    payment = await world.payment(account)
    if not by_webhook:
        world.mute()
    await confirm(world, account, payment.payment_id, "complete")
    if by_webhook:
        await world.endpoint.wait("payment_intent.succeeded")
        await world.settle_down()
    refreshed = await world.collector.refresh(account, payment.payment_id)
    assert refreshed.payment.status is PaymentStatus.SUCCEEDED
    assert (await world.get_invoice(account, invoice)).status == "paid"
    assert await world.settled_entries(account) == 1
    assert len(await world.look("payment_intents")) == 1
    with pytest.raises(Conflict) as refused:
        await world.collector.start_action(account, payment.payment_id)
    assert refused.value.code == "payment_needs_no_action"


async def test_a_payer_who_fails_the_bank_pays_nothing_and_reads_why(world: "World") -> None:
    account, invoice = await asked(world)
    payment = await world.payment(account)
    await confirm(world, account, payment.payment_id, "fail")
    refreshed = await world.collector.refresh(account, payment.payment_id)
    assert (refreshed.payment.status, refreshed.payment.failure_code) == (
        PaymentStatus.FAILED,
        "authentication_failed",
    )
    assert (await world.get_invoice(account, invoice)).status == "open"
    assert await world.settled_entries(account) == 0


async def test_the_payer_is_sent_the_invoice_once_more(world: "World") -> None:
    account, invoice = await asked(world)
    payment = await world.payment(account)
    told = PaymentActionNeeded(payment.payment_id, invoice, (invoice,))
    event = outbox.Event(account, 1, "payment.action_needed", msgspec.json.encode(told), "r", 1)
    mails = MailEvents(world.db, world.clock)
    for _ in range(2):
        await mails.on_action_needed(event)
    async with world.db.transaction(WRITER) as conn:
        rows = await conn.fetch("SELECT * FROM mails WHERE account_id = $1", account)
    assert [(row["invoice_id"], row["addresses"]) for row in rows] == [
        (invoice, ["ada@example.com"])
    ]
