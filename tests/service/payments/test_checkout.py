"""Pages of Stripe (Checkout): what is paid there is booked once, and never by coming back."""

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tallystick.kernel.db import WRITER
from tallystick.kernel.errors import BadInput, Conflict, Unavailable
from tallystick.money.amount import Money
from tallystick.payments.checkouts import LIFE, Checkouts, Wanted, get_checkout
from tallystick.payments.model import AttemptOutcome, CheckoutStatus, PaymentStatus

if TYPE_CHECKING:
    from uuid import UUID

    from tallystick.payments.checkouts import Opened
    from tallystick.payments.model import Checkout
    from tests.service.payments.conftest import World

Json = dict[str, Any]
CARD = {"type": "card", "name": "Ada", "exp_month": "12", "exp_year": "2040", "cvc": "123"}
GOOD, DECLINED = "4242424242424242", "4000000000000002"


def wanted(mode: str = "payment", **more: Any) -> Wanted:
    amount = more.get("amount")
    return Wanted(
        mode=mode,
        description="Invoice 1",
        currency=amount.currency if amount else "USD",
        success_url="http://127.0.0.1:1/back",
        cancel_url="http://127.0.0.1:1/back",
        **more,
    )


async def opened(world: "World", account: "UUID", key: str = "k1", **more: Any) -> "Opened":
    checkouts = Checkouts(world.db, world.gateways, world.setup, world.collector, world.clock)
    return await checkouts.open(account, wanted(**more), request_key=key)


async def pay(world: "World", page: "Opened", number: str = GOOD, **more: str) -> Json:
    """Do what the payer does on the page."""
    form = {**CARD, "number": number, **more}
    return await world.page(f"/_page/checkout/{page.page.reference}/pay", **form)


async def checkout_of(world: "World", page: "Opened") -> "Checkout":
    account = page.checkout.account_id
    async with world.db.transaction(WRITER) as conn:
        return await get_checkout(conn, account, page.checkout.checkout_id)


async def test_an_invoice_is_paid_on_the_page_and_booked_once(world: "World") -> None:
    account = await world.account()
    invoice = await world.invoice(account)
    page = await opened(world, account, invoice_ids=(invoice,))
    assert page.page.url.startswith(world.base_url)
    again = await opened(world, account, invoice_ids=(invoice,))
    assert again.page.reference == page.page.reference
    payment = await world.payment(account)
    assert payment.status is PaymentStatus.PROCESSING
    assert (await world.attempt(payment)).outcome is AttemptOutcome.NEEDS_ACTION
    await pay(world, page, DECLINED)  # the payer tries another card then
    await world.endpoint.wait("payment_intent.payment_failed")
    await world.settle_down()
    assert (await world.payment(account)).status is PaymentStatus.PROCESSING
    await pay(world, page)
    await world.endpoint.wait("checkout.session.completed")
    await world.endpoint.wait("payment_intent.succeeded")
    await world.settle_down()
    await world.deliver("checkout.session.completed", times=2)
    await world.settle_down()
    done = await world.payment(account)
    assert (done.status, (done.reference or "")[:3]) == (PaymentStatus.SUCCEEDED, "pi_")
    assert (await world.get_invoice(account, invoice)).status == "paid"
    assert (await world.balances(account), await world.settled_entries(account)) == ((0, 4900), 1)
    assert (await checkout_of(world, page)).status is CheckoutStatus.COMPLETE
    with pytest.raises(Conflict) as over:
        await opened(world, account, invoice_ids=(invoice,))
    assert over.value.code == "checkout_over"


@pytest.mark.parametrize("kind", ["checkout.session.completed", "payment_intent.succeeded"])
async def test_either_event_alone_books_what_was_paid(world: "World", kind: str) -> None:
    account = await world.account()
    invoice = await world.invoice(account)
    page = await opened(world, account, invoice_ids=(invoice,))
    world.mute()
    await pay(world, page)
    await world.deliver(kind)
    await world.settle_down()
    assert (await world.get_invoice(account, invoice)).status == "paid"
    assert await world.settled_entries(account) == 1


async def test_coming_back_asks_stripe_and_proves_nothing_by_itself(world: "World") -> None:
    account = await world.account()
    invoice = await world.invoice(account)
    page = await opened(world, account, invoice_ids=(invoice,))
    world.mute()
    payment = await world.payment(account)
    back = await world.collector.refresh(account, payment.payment_id)
    assert back.payment.status is PaymentStatus.PROCESSING
    await pay(world, page)
    back = await world.collector.refresh(account, payment.payment_id)
    assert back.payment.status is PaymentStatus.SUCCEEDED
    assert (await world.get_invoice(account, invoice)).status == "paid"


async def test_autopay_waits_for_the_page_and_goes_on_when_it_has_run_out(world: "World") -> None:
    account = await world.account(autopay=False)
    invoice = await world.invoice(account)
    page = await opened(world, account, invoice_ids=(invoice,))
    async with world.db.transaction(WRITER) as conn:
        await conn.execute("UPDATE accounts SET autopay = true WHERE account_id = $1", account)
    await world.save_card(account)
    assert (await world.payment(account)).status is PaymentStatus.PROCESSING
    ahead = int((LIFE + timedelta(minutes=1)).total_seconds())
    await world.http.post("/_sim/clock", json={"advance_seconds": ahead})
    await world.endpoint.wait("checkout.session.expired")
    await world.settle_down()
    first, second = await world.payments(account)
    assert (first.status, second.status) == (PaymentStatus.CANCELLED, PaymentStatus.SUCCEEDED)
    assert (await world.get_invoice(account, invoice)).status == "paid"
    assert (await checkout_of(world, page)).status is CheckoutStatus.EXPIRED
    assert "checkout.expired" in await world.told(account)
    assert await world.settled_entries(account) == 1


async def test_who_pays_with_a_saved_card_meanwhile_closes_the_page(world: "World") -> None:
    account = await world.account(autopay=False)
    await world.save_card(account)
    invoice = await world.invoice(account)
    page = await opened(world, account, invoice_ids=(invoice,))
    paid = await world.collector.pay_invoice(account, invoice, request_key="mine")
    assert paid.payment.status is PaymentStatus.SUCCEEDED
    refused = await pay(world, page)
    assert "error" in refused
    await world.settle_down()
    assert await world.settled_entries(account) == 1
    assert len(await world.charges()) == 1


async def test_a_page_that_was_paid_is_not_charged_again(world: "World") -> None:
    """The payer was faster than who presses the other button, and no webhook has come yet."""
    account = await world.account(autopay=False)
    await world.save_card(account)
    invoice = await world.invoice(account)
    page = await opened(world, account, invoice_ids=(invoice,))
    world.mute()
    await pay(world, page)
    with pytest.raises(Conflict) as refused:
        await world.collector.pay_invoice(account, invoice, request_key="mine")
    assert refused.value.code == "already_paid"
    assert len(await world.charges()) == 1
    assert await world.settled_entries(account) == 1


async def test_a_bank_debit_is_money_only_when_the_bank_has_paid(world: "World") -> None:
    account = await world.account()
    invoice = await world.invoice(account)
    page = await opened(world, account, invoice_ids=(invoice,))
    await pay(world, page, type="us_bank_account", test_account="success")
    await world.endpoint.wait("checkout.session.completed")
    await world.settle_down()
    payment = await world.payment(account)
    assert (await world.attempt(payment)).outcome is AttemptOutcome.PENDING
    assert await world.settled_entries(account) == 0
    await world.http.post("/_sim/ach/settle", json={})
    await world.endpoint.wait("checkout.session.async_payment_succeeded")
    await world.settle_down()
    assert (await world.get_invoice(account, invoice)).status == "paid"
    assert await world.settled_entries(account) == 1


@pytest.mark.parametrize("by_webhook", [True, False])
async def test_a_bank_debit_that_is_refused_ends_the_payment(
    world: "World",
    by_webhook: bool,  # noqa: FBT001 - a parameter of pytest
) -> None:
    account = await world.account()
    invoice = await world.invoice(account)
    page = await opened(world, account, invoice_ids=(invoice,))
    await pay(world, page, type="us_bank_account", test_account="insufficientFunds")
    await world.endpoint.wait("checkout.session.completed")
    await world.settle_down()
    if not by_webhook:
        world.mute()
    await world.http.post("/_sim/ach/settle", json={})
    await world.endpoint.wait("checkout.session.async_payment_failed")
    await world.settle_down()
    payment = await world.payment(account)
    if not by_webhook:
        await world.collector.refresh(account, payment.payment_id)
    payment = await world.payment(account)
    code = "bank_debit_refused" if by_webhook else "insufficient_funds"
    assert (payment.status, payment.failure_code) == (PaymentStatus.FAILED, code)
    assert (await world.get_invoice(account, invoice)).status == "open"


async def test_a_page_saves_a_method_and_takes_nothing(world: "World") -> None:
    account = await world.account()
    page = await opened(world, account, mode="setup")
    await pay(world, page)
    await world.endpoint.wait("checkout.session.completed")
    await world.endpoint.wait("payment_method.attached")
    await world.settle_down()
    (method,) = await world.methods(account)
    assert (method.type, method.is_default) == ("card", True)
    assert await world.payments(account) == []
    assert (await checkout_of(world, page)).status is CheckoutStatus.COMPLETE


async def test_the_method_of_a_first_invoice_is_kept_for_later_ones(world: "World") -> None:
    account = await world.account(autopay=False)
    invoice = await world.invoice(account)
    page = await opened(world, account, mode="subscription", invoice_ids=(invoice,))
    await pay(world, page)
    await world.endpoint.wait("checkout.session.completed")
    await world.endpoint.wait("payment_method.attached")
    await world.settle_down()
    assert (await world.get_invoice(account, invoice)).status == "paid"
    assert len(await world.methods(account)) == 1
    later = await world.invoice(account)
    paid = await world.collector.pay_invoice(account, later, request_key="later")
    assert paid.payment.status is PaymentStatus.SUCCEEDED


async def test_an_amount_that_no_invoice_asks_for_is_prepaid(world: "World") -> None:
    account = await world.account()
    page = await opened(world, account, amount=Money(2500, "USD"))
    await pay(world, page)
    await world.endpoint.wait("checkout.session.completed")
    await world.settle_down()
    payment = await world.payment(account)
    assert (payment.status, payment.received_minor, payment.over_minor) == (
        PaymentStatus.SUCCEEDED, 2500, 2500,
    )  # fmt: skip
    assert await world.balances(account) == (0, 2500)


@pytest.mark.parametrize("amount", [Money(49, "USD"), Money(1235, "KWD"), Money(10**10, "USD")])
async def test_an_amount_that_stripe_does_not_take_leaves_nothing(
    world: "World", amount: Money
) -> None:
    account = await world.account()
    with pytest.raises(BadInput) as refused:
        await opened(world, account, amount=amount)
    assert refused.value.errors[0].field == "amount_cents"
    assert await world.payments(account) == []
    assert await world.look("checkout_sessions") == []


async def test_an_opening_that_was_cut_off_leaves_nothing_to_pay_on(world: "World") -> None:
    account = await world.account(autopay=False)
    invoice = await world.invoice(account)
    await world.arm("drop_reply", path="/v1/checkout/sessions", method="POST", times=None)
    with pytest.raises(Unavailable):
        await opened(world, account, invoice_ids=(invoice,))
    await world.disarm()
    world.ahead = timedelta(minutes=3)
    await world.settle_down()
    (session,) = await world.look("checkout_sessions")
    assert session["status"] == "expired"
    assert (await world.payment(account)).status is PaymentStatus.CANCELLED
    # The same request asks for a page that is over; another one opens another.
    with pytest.raises(Conflict):
        await opened(world, account, invoice_ids=(invoice,))
    page = await opened(world, account, "k2", invoice_ids=(invoice,))
    await pay(world, page)
    await world.endpoint.wait("checkout.session.completed")
    await world.settle_down()
    assert (await world.get_invoice(account, invoice)).status == "paid"


async def test_two_who_open_at_once_open_one_page(world: "World") -> None:
    account = await world.account()
    invoice = await world.invoice(account)
    calls = [opened(world, account, f"k{one}", invoice_ids=(invoice,)) for one in range(3)]
    found = await asyncio.gather(*calls, return_exceptions=True)
    pages = [one for one in found if not isinstance(one, BaseException)]
    refused = [one for one in found if isinstance(one, Conflict)]
    assert len(pages) + len(refused) == 3
    assert len([one for one in await world.look("checkout_sessions")
                if one["status"] == "open"]) == 1  # fmt: skip
