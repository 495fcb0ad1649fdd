"""Collecting through Stripe: autopay, paying now, refusals, and what the books say after."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tallystick.accounts import service as accounts
from tallystick.invoices.model import Status
from tallystick.kernel import test_clocks
from tallystick.kernel.db import WRITER
from tallystick.kernel.errors import BadInput, Conflict, NotFound, Unavailable
from tallystick.kernel.ids import new_id
from tallystick.payments import methods
from tallystick.payments.gateway import Gateways
from tallystick.payments.gateways.manual import ManualGateway
from tallystick.payments.model import AttemptOutcome, PaymentStatus

if TYPE_CHECKING:
    from tests.service.payments.conftest import World


async def test_autopay_collects_a_finalized_invoice_to_the_cent(world: "World") -> None:
    account = await world.account()
    await world.save_card(account)
    invoice = await world.invoice(account, 4900)
    await world.settle_down()
    payment = await world.payment(account)
    assert payment.status is PaymentStatus.SUCCEEDED
    assert payment.request_key == f"invoice:{invoice}:autopay"
    (charge,) = await world.charges()
    assert (charge["amount"], charge["currency"]) == (4900, "usd")
    assert charge["metadata"]["tallystick_payment"] == str(payment.payment_id)
    assert await world.balances(account) == (0, 4900)
    paid = await world.get_invoice(account, invoice)
    assert (paid.status, paid.due.minor) == (Status.PAID, 0)
    told = await world.told(account)
    assert told.count("payment.succeeded") == told.count("invoice.paid") == 1


async def test_a_finalized_invoice_told_twice_is_wished_for_once(world: "World") -> None:
    account = await world.account()
    await world.save_card(account)
    invoice = await world.invoice(account)
    await world.settle_down()
    async with world.db.transaction(WRITER) as conn:
        await conn.execute(
            """INSERT INTO outbox (account_id, kind, payload)
               SELECT account_id, kind, payload FROM outbox_done WHERE kind = 'invoice.finalized'"""
        )
    await world.settle_down()
    assert (await world.payment(account)).invoice_id == invoice
    assert len(await world.charges()) == 1


async def test_without_autopay_or_a_card_nothing_is_charged(world: "World") -> None:
    off = await world.account(autopay=False)
    await world.save_card(off)
    await world.invoice(off)
    bare = await world.account()
    await world.invoice(bare)
    await world.settle_down()
    assert await world.payments(off) == await world.payments(bare) == []


async def test_a_card_saved_later_pays_what_was_open(world: "World") -> None:
    account = await world.account()
    await world.invoice(account, 1000)
    await world.invoice(account, 2000)
    await world.settle_down()
    await world.save_card(account)
    await world.settle_down()
    assert sorted(charge["amount"] for charge in await world.charges()) == [1000, 2000]
    assert await world.balances(account) == (0, 3000)


async def test_a_declined_card_fails_the_payment_in_our_words(world: "World") -> None:
    account = await world.account()
    await world.save_card(account, "pm_card_chargeCustomerFail")
    invoice = await world.invoice(account)
    await world.settle_down()
    payment = await world.payment(account)
    assert (payment.status, payment.failure_code) == (PaymentStatus.FAILED, "card_declined")
    attempt = await world.attempt(payment)
    assert (attempt.outcome, attempt.hard) == (AttemptOutcome.DECLINED, False)
    assert await world.balances(account) == (4900, 0)
    assert (await world.get_invoice(account, invoice)).status is Status.OPEN
    assert (await world.told(account)).count("payment.failed") == 1


async def test_a_new_default_card_pays_what_the_old_one_could_not(world: "World") -> None:
    account = await world.account()
    bad = await world.save_card(account, "pm_card_chargeCustomerFail")
    invoice = await world.invoice(account)
    await world.settle_down()
    async with world.db.transaction(WRITER) as conn:
        await methods.remove(conn, account, bad.payment_method_id)
    await world.save_card(account)
    await world.settle_down()
    states = [payment.status for payment in await world.payments(account)]
    assert states == [PaymentStatus.FAILED, PaymentStatus.SUCCEEDED]
    assert (await world.get_invoice(account, invoice)).status is Status.PAID


async def test_a_bank_that_asks_is_answered_on_a_page_and_the_same_charge_pays(
    world: "World",
) -> None:
    account = await world.account()
    await world.save_card(account, "pm_card_authenticationRequired")
    invoice = await world.invoice(account)
    await world.settle_down()
    payment = await world.payment(account)
    attempt = await world.attempt(payment)
    assert payment.status is PaymentStatus.PROCESSING
    assert (attempt.outcome, attempt.code) == (
        AttemptOutcome.NEEDS_ACTION,
        "authentication_required",
    )
    assert (await world.told(account)).count("payment.action_needed") == 1
    reference = attempt.gateway_reference or ""
    secret = (await world.stripe.start_action(reference)).client_secret
    (method,) = await world.methods(account)
    await world.page(
        f"/v1/payment_intents/{reference}/confirm",
        client_secret=secret,
        payment_method=method.token,
    )
    await world.page("/_page/authenticate", client_secret=secret, outcome="complete")
    await world.endpoint.wait("payment_intent.succeeded")
    await world.settle_down()
    assert (await world.payment(account)).status is PaymentStatus.SUCCEEDED
    assert (await world.get_invoice(account, invoice)).status is Status.PAID
    assert await world.balances(account) == (0, 4900)


async def test_paying_otherwise_first_puts_away_the_charge_that_waits_for_its_payer(
    world: "World",
) -> None:
    account = await world.account()
    await world.save_card(account, "pm_card_authenticationRequired")
    invoice = await world.invoice(account)
    await world.settle_down()
    first = await world.payment(account)
    reference = (await world.attempt(first)).gateway_reference
    visa = await world.save_card(account)
    view = await world.collector.pay_invoice(
        account, invoice, request_key="k", method_id=visa.payment_method_id
    )
    assert view.payment.status is PaymentStatus.SUCCEEDED
    await world.settle_down()
    states = [payment.status for payment in await world.payments(account)]
    assert states == [PaymentStatus.CANCELLED, PaymentStatus.SUCCEEDED]
    intents = {intent["id"]: intent["status"] for intent in await world.look("payment_intents")}
    assert intents[reference] == "canceled"
    assert len(await world.charges()) == 1


async def test_pay_now_answers_with_what_came_of_it_and_replays(world: "World") -> None:
    account = await world.account(autopay=False)
    await world.save_card(account)
    invoice = await world.invoice(account)
    first = await world.collector.pay_invoice(account, invoice, request_key="k")
    again = await world.collector.pay_invoice(account, invoice, request_key="k")
    assert first.payment.status is PaymentStatus.SUCCEEDED
    assert again.payment.payment_id == first.payment.payment_id
    assert len(await world.charges()) == 1
    with pytest.raises(Conflict) as refused:
        await world.collector.pay_invoice(account, invoice, request_key="other")
    assert refused.value.code == "already_paid"


async def test_pay_now_takes_over_an_autopay_wish_that_was_not_tried_yet(world: "World") -> None:
    account = await world.account()
    await world.save_card(account)
    invoice = await world.invoice(account)
    await world.teller.run_due(world.clock())
    view = await world.collector.pay_invoice(account, invoice, request_key="k")
    assert view.payment.status is PaymentStatus.SUCCEEDED
    await world.settle_down()
    assert len(await world.charges()) == 1
    assert await world.balances(account) == (0, 4900)


async def test_pay_now_needs_a_method_an_open_invoice_and_a_gateway(world: "World") -> None:
    account = await world.account(autopay=False)
    invoice = await world.invoice(account)
    with pytest.raises(Conflict) as refused:
        await world.collector.pay_invoice(account, invoice, request_key="1")
    assert refused.value.code == "payment_method_missing"
    with pytest.raises(NotFound):
        await world.collector.pay_invoice(account, new_id(), request_key="2")
    await world.save_card(account)
    world.wire(Gateways([ManualGateway()]))
    with pytest.raises(Unavailable):
        await world.collector.pay_invoice(account, invoice, request_key="3")
    assert await world.payments(account) == []


async def test_a_wish_waits_while_its_gateway_is_not_configured(world: "World") -> None:
    account = await world.account()
    await world.save_card(account)
    await world.invoice(account)
    await world.teller.run_due(world.clock())
    both = world.gateways
    world.wire(Gateways([ManualGateway()]))
    await world.settle_down()
    assert (await world.payment(account)).status is PaymentStatus.PENDING
    world.wire(both)
    await world.settle_down()
    assert (await world.payment(account)).status is PaymentStatus.SUCCEEDED


async def test_an_amount_below_stripes_least_fails_without_a_call(world: "World") -> None:
    account = await world.account()
    await world.save_card(account)
    await world.invoice(account, 49)
    await world.settle_down()
    payment = await world.payment(account)
    assert (payment.status, payment.failure_code) == (PaymentStatus.FAILED, "amount_too_small")
    assert await world.look("payment_intents") == []


async def test_what_stripe_never_charges_is_tried_once_whatever_is_saved(world: "World") -> None:
    account = await world.account()
    async with world.db.transaction(WRITER) as conn:
        await accounts.set_autopay(conn, account, enabled=True, fallback=True)
    await world.save_card(account)
    await world.invoice(account, 49)
    await world.settle_down()
    second = await world.save_card(account, "pm_card_mastercard")
    async with world.db.transaction(WRITER) as conn:
        await methods.set_default(conn, account, second.payment_method_id)
    await world.settle_down()
    assert [one.failure_code for one in await world.payments(account)] == ["amount_too_small"]


async def test_an_amount_that_is_refused_puts_no_other_payment_away(world: "World") -> None:
    account = await world.account()
    await world.save_card(account)
    invoice = await world.invoice(account)
    await world.teller.run_due(world.clock())
    (waits,) = await world.payments(account)
    assert waits.status is PaymentStatus.PENDING
    for minor in (4901, 49):
        with pytest.raises(BadInput):
            await world.collector.pay_invoice(
                account, invoice, request_key=f"pay:{minor}", amount_minor=minor
            )
    assert await world.payments(account) == [waits]


async def test_all_that_is_due_below_the_least_puts_no_wish_away(world: "World") -> None:
    account = await world.account()
    await world.save_card(account)
    await world.invoice(account, 49)
    await world.teller.run_due(world.clock())
    (waits,) = await world.payments(account)
    with pytest.raises(BadInput):
        await world.collector.pay_balance(account, request_key="all")
    assert await world.payments(account) == [waits]
    assert waits.status is PaymentStatus.PENDING


async def test_yen_are_charged_as_whole_yen(world: "World") -> None:
    account = await world.account()
    await world.save_card(account)
    await world.invoice(account, 500, "JPY")
    await world.settle_down()
    (charge,) = await world.charges()
    assert (charge["amount"], charge["currency"]) == (500, "jpy")
    assert await world.balances(account, "JPY") == (0, 500)


async def test_a_method_removed_before_its_charge_fails_the_payment(world: "World") -> None:
    account = await world.account()
    method = await world.save_card(account)
    await world.invoice(account)
    await world.teller.run_due(world.clock())
    async with world.db.transaction(WRITER) as conn:
        await methods.remove(conn, account, method.payment_method_id)
    await world.settle_down()
    payment = await world.payment(account)
    assert payment.failure_code == "payment_method_missing"
    assert await world.look("payment_intents") == []


async def test_an_account_on_a_test_clock_pays_in_its_own_time(world: "World") -> None:
    then = datetime(2031, 5, 1, tzinfo=UTC)
    clock = new_id()
    async with world.db.transaction(WRITER) as conn:
        await test_clocks.create(conn, clock, "later", then, world.clock())
    account = await world.account(test_clock_id=clock)
    await world.save_card(account)
    await world.invoice(account)
    await world.teller.run_due(world.clock())
    assert await world.collector.run_due(world.clock(), None) == 0
    assert await world.collector.next_at(clock) == then
    assert await world.collector.run_due(then - timedelta(seconds=1), clock) == 0
    assert await world.collector.run_due(then, clock) == 1
    payment = await world.payment(account)
    assert (payment.status, payment.settled_at) == (PaymentStatus.SUCCEEDED, then)
    assert await world.collector.next_at(clock) is None
