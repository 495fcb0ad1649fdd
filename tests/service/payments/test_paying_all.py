"""All that is due paid at once, and parts of it: by a press of a button, or by many."""

import asyncio
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
import pytest

from tallystick.invoices.model import Status
from tallystick.kernel.db import WRITER
from tallystick.kernel.errors import BadInput, Conflict
from tallystick.payments.gateway import Gateways
from tallystick.payments.gateways.stripe import StripeGateway
from tallystick.payments.model import PaymentStatus

if TYPE_CHECKING:
    from tallystick.payments.service import PaymentView
    from tests.service.payments.conftest import World

PRESSES = 12


async def owing(world: "World", *minor: int, card: str = "pm_card_visa") -> tuple[UUID, list[UUID]]:
    account = await world.account(autopay=False)
    await world.save_card(account, card)
    made = [await world.invoice(account, one) for one in minor]
    await world.settle_down()
    return account, made


async def test_all_that_is_due_is_one_payment_a_currency(world: "World") -> None:
    account, made = await owing(world, 1000, 2000)
    foreign = await world.invoice(account, 700, "EUR")
    views = await world.collector.pay_balance(account, request_key="k")
    assert [(one.payment.currency, one.payment.amount_minor) for one in views] == [
        ("EUR", 700),
        ("USD", 3000),
    ]
    for invoice in (*made, foreign):
        assert (await world.get_invoice(account, invoice)).status is Status.PAID
    assert await world.balances(account) == (0, 3000)
    assert await world.balances(account, "EUR") == (0, 700)
    again = await world.collector.pay_balance(account, request_key="k")
    assert [one.payment.payment_id for one in again] == [one.payment.payment_id for one in views]
    with pytest.raises(Conflict) as refused:
        await world.collector.pay_balance(account, request_key="other")
    assert refused.value.code == "nothing_to_pay"
    assert len(await world.charges()) == 2


async def test_many_presses_at_once_pay_once(world: "World") -> None:
    account, made = await owing(world, 1000, 2000, 300)

    async def press(number: int) -> "tuple[PaymentView, ...] | Conflict":
        try:
            return await world.collector.pay_balance(account, request_key=f"press-{number % 8}")
        except Conflict as error:
            return error

    told = await asyncio.gather(*(press(number) for number in range(PRESSES)))
    refused = {one.code for one in told if isinstance(one, Conflict)}
    assert refused <= {"payment_in_progress", "nothing_to_pay", "already_paid"}
    paid = {one[0].payment.payment_id for one in told if not isinstance(one, Conflict)}
    assert len(paid) == 1
    (charge,) = await world.charges()
    assert charge["amount"] == 3300
    assert await world.balances(account) == (0, 3300)
    assert await world.prepaid(account) == 0
    for invoice in made:
        assert (await world.get_invoice(account, invoice)).status is Status.PAID


async def test_what_another_payment_may_bring_is_left_to_it(world: "World") -> None:
    account, made = await owing(world, 1000)
    await world.arm("drop_reply", path="/v1/payment_intents", times=9)
    under_way = await world.collector.pay_invoice(account, made[0], request_key="first")
    assert under_way.payment.status is PaymentStatus.PROCESSING
    await world.disarm()
    with pytest.raises(Conflict) as refused:
        await world.collector.pay_balance(account, request_key="a")
    assert refused.value.code == "payment_in_progress"
    await world.invoice(account, 500)
    (view,) = await world.collector.pay_balance(account, request_key="b")
    assert (view.payment.amount_minor, view.payment.status) == (500, PaymentStatus.SUCCEEDED)


async def test_a_declined_card_leaves_all_due_and_another_press_may_pay_it(world: "World") -> None:
    account, made = await owing(world, 1000, 2000, card="pm_card_chargeCustomerFail")
    (view,) = await world.collector.pay_balance(account, request_key="a")
    assert view.payment.status is PaymentStatus.FAILED
    visa = await world.save_card(account)
    (view,) = await world.collector.pay_balance(
        account, request_key="b", method_id=visa.payment_method_id, currency="USD"
    )
    assert view.payment.invoice_ids == tuple(made)
    assert await world.balances(account) == (0, 3000)


async def test_a_part_of_an_invoice_leaves_the_rest_due(world: "World") -> None:
    account, (invoice,) = await owing(world, 4900)
    pay = world.collector.pay_invoice
    view = await pay(account, invoice, request_key="a", amount_minor=1900)
    assert (view.payment.amount_minor, view.payment.status) == (1900, PaymentStatus.SUCCEEDED)
    left = await world.get_invoice(account, invoice)
    assert (left.status, left.due.minor) == (Status.OPEN, 3000)
    for wrong in (0, -1, 3001):
        with pytest.raises(BadInput) as refused:
            await pay(account, invoice, request_key=f"{wrong}", amount_minor=wrong)
        assert refused.value.errors[0].field == "amount_cents"
    await pay(account, invoice, request_key="b", amount_minor=3000)
    assert (await world.get_invoice(account, invoice)).status is Status.PAID
    assert await world.balances(account) == (0, 4900)


async def test_what_a_gateway_does_not_charge_at_once_is_refused_before_it_is_asked(
    world: "World",
) -> None:
    class Limited(StripeGateway):
        capabilities = msgspec.structs.replace(
            StripeGateway.capabilities, amount_limits={"USD": (300, 2000)}
        )

    account, (small, large) = await owing(world, 200, 2001)
    world.wire(Gateways([Limited(world.settings)]))
    for invoice, code in ((small, "amount_too_small"), (large, "amount_too_large")):
        with pytest.raises(BadInput) as refused:
            await world.collector.pay_invoice(account, invoice, request_key=code)
        assert refused.value.errors[0].code == code
    await world.collector.pay_invoice(account, large, request_key="part", amount_minor=2000)
    assert [charge["amount"] for charge in await world.charges()] == [2000]
    async with world.db.transaction(WRITER) as conn:
        assert await conn.fetchval("SELECT count(*) FROM payments") == 1
