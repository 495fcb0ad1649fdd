"""One amount charged one time: invoiced, collected at once, and owed by nobody when refused."""

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec
import pytest

from tallystick.invoices import prepaid
from tallystick.invoices.model import Invoice, Status
from tallystick.invoices.service import get_invoice
from tallystick.kernel.db import WRITER
from tallystick.kernel.errors import BadInput, Conflict
from tallystick.money.amount import Money
from tallystick.payments.gateway import Gateways
from tallystick.payments.gateways.stripe import StripeGateway
from tallystick.payments.model import PaymentStatus
from tallystick.payments.once import OneTime
from tallystick.payments.outcomes import Declined

if TYPE_CHECKING:
    from tests.service.payments.conftest import World

FAILS = "pm_card_chargeCustomerFail"


async def ready(world: "World", card: str = "pm_card_visa", *, autopay: bool = False) -> UUID:
    account = await world.account(autopay=autopay)
    await world.save_card(account, card)
    return account


def ask(minor: int, currency: str = "USD") -> OneTime:
    return OneTime(amount=Money(minor, currency), description="Setting up")


async def pay_ahead(world: "World", account: UUID, minor: int) -> None:
    async with world.db.transaction(WRITER) as conn:
        amount, now = Money(minor, "USD"), world.clock()
        await prepaid.receive(conn, account, amount, key="ahead", reason="cash", at=now)


async def invoice_of(world: "World", account: UUID) -> Invoice:
    async with world.db.transaction(WRITER) as conn:
        sql = "SELECT invoice_id FROM invoices WHERE account_id = $1"
        return await get_invoice(conn, account, await conn.fetchval(sql, account))


async def test_it_is_invoiced_charged_and_done_once_for_a_key(world: "World") -> None:
    account = await ready(world, autopay=True)
    first = await world.once.charge(account, ask(2500), request_key="k")
    again = await world.once.charge(account, ask(2500), request_key="k")
    await world.settle_down()
    assert first == again
    assert first.payment is not None
    assert first.payment.payment.status is PaymentStatus.SUCCEEDED
    assert (first.invoice.status, first.invoice.lines[0].kind) == (Status.PAID, "one_off")
    assert first.invoice.lines[0].description == "Setting up"
    assert [charge["amount"] for charge in await world.charges()] == [2500]
    assert await world.balances(account) == (0, 2500)


async def test_a_refused_one_owes_nothing_and_autopay_leaves_it_alone(world: "World") -> None:
    account = await ready(world, FAILS, autopay=True)
    charged = await world.once.charge(account, ask(2500), request_key="k")
    assert charged.payment is not None
    assert charged.payment.payment.status is PaymentStatus.FAILED
    assert charged.invoice.status is Status.VOID
    await world.settle_down()
    assert len(await world.payments(account)) == 1
    assert await world.balances(account) == (0, 0)


async def test_a_process_that_died_before_it_voided_is_followed_by_the_event(
    world: "World", monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await ready(world, FAILS)

    async def dies(*_: UUID) -> None:
        raise RuntimeError

    with monkeypatch.context() as patched:
        patched.setattr(world.once, "_void_refused", dies)
        with pytest.raises(RuntimeError):
            await world.once.charge(account, ask(2500), request_key="k")
    assert (await invoice_of(world, account)).status is Status.OPEN
    await world.settle_down()
    assert (await invoice_of(world, account)).status is Status.VOID
    again = await world.once.charge(account, ask(2500), request_key="k")
    assert again.invoice.status is Status.VOID
    assert await world.balances(account) == (0, 0)


async def test_an_answer_that_was_lost_is_charged_once_and_a_late_refusal_voids(
    world: "World",
) -> None:
    account = await ready(world)
    await world.arm("drop_reply", path="/v1/payment_intents", times=9)
    charged = await world.once.charge(account, ask(2500), request_key="k")
    assert charged.invoice.status is Status.OPEN
    assert charged.payment is not None
    assert charged.payment.attempt is not None
    await world.disarm()
    named = charged.payment.attempt.payment_attempt_id
    await world.tries.record(account, named, Declined("card_declined"), answered=True)
    await world.settle_down()
    assert (await invoice_of(world, account)).status in {Status.VOID, Status.PAID}
    owed, _ = await world.balances(account)
    assert owed == 0


async def test_prepaid_money_pays_first_and_comes_back_when_the_rest_is_refused(
    world: "World",
) -> None:
    account = await ready(world, FAILS)
    await pay_ahead(world, account, 1000)
    charged = await world.once.charge(account, ask(700), request_key="small")
    assert (charged.invoice.status, charged.payment) == (Status.PAID, None)
    assert await world.once.charge(account, ask(700), request_key="small") == charged
    refused = await world.once.charge(account, ask(2500), request_key="large")
    assert refused.payment is not None
    assert refused.payment.payment.amount_minor == 2200
    assert refused.invoice.status is Status.VOID
    assert await world.prepaid(account) == 300
    assert (await world.balances(account))[0] == 0


async def test_nothing_is_written_for_what_can_not_be_charged(world: "World") -> None:
    class Limited(StripeGateway):
        capabilities = msgspec.structs.replace(
            StripeGateway.capabilities, amount_limits={"USD": (300, 2000)}
        )

    account = await ready(world)
    world.wire(Gateways([Limited(world.settings)]))
    with pytest.raises(BadInput) as refused:
        await world.once.charge(account, ask(2001), request_key="k")
    assert refused.value.errors[0].code == "amount_too_large"
    bare = await world.account()
    with pytest.raises(Conflict) as missing:
        await world.once.charge(bare, ask(2000), request_key="k")
    assert missing.value.code == "payment_method_missing"
    async with world.db.transaction(WRITER) as conn:
        assert await conn.fetchval("SELECT count(*) FROM invoices") == 0


ASKS = "pm_card_authenticationRequired"


async def asked(world: "World", minor: int = 2500) -> UUID:
    """An account with a one-time charge that waits for its payer."""
    account = await ready(world, ASKS)
    charged = await world.once.charge(account, ask(minor), request_key="k")
    assert charged.payment is not None
    assert charged.payment.payment.status is PaymentStatus.PROCESSING
    assert charged.invoice.status is Status.OPEN
    return account


async def later(world: "World", hours: int) -> None:
    world.ahead += timedelta(hours=hours)
    await world.settle_down()
    while await world.once.run_due(world.clock()):
        await world.settle_down()


async def test_one_that_its_payer_leaves_alone_owes_nothing_after_a_day(world: "World") -> None:
    account = await asked(world)
    await later(world, 23)
    assert (await invoice_of(world, account)).status is Status.OPEN
    await later(world, 2)
    assert (await world.payment(account)).status is PaymentStatus.CANCELLED
    assert (await invoice_of(world, account)).status is Status.VOID
    assert await world.balances(account) == (0, 0)
    (intent,) = await world.look("payment_intents")
    assert intent["status"] == "canceled"
    assert await world.once.run_due(world.clock() + timedelta(days=9)) == 0


async def test_one_that_was_cancelled_at_the_gateway_owes_nothing_either(world: "World") -> None:
    account = await asked(world)
    await world.tries.cancel(await world.attempt(await world.payment(account)))
    assert (await world.payment(account)).status is PaymentStatus.CANCELLED
    assert (await invoice_of(world, account)).status is Status.OPEN
    await later(world, 25)
    assert (await invoice_of(world, account)).status is Status.VOID


async def test_a_payer_who_was_faster_has_paid_and_nothing_is_voided(world: "World") -> None:
    account = await asked(world)
    reference = (await world.attempt(await world.payment(account))).gateway_reference or ""
    secret = (await world.stripe.start_action(reference)).client_secret
    (method,) = await world.methods(account)
    await world.page(
        f"/v1/payment_intents/{reference}/confirm",
        client_secret=secret,
        payment_method=method.token,
    )
    await world.page("/_page/authenticate", client_secret=secret, outcome="complete")
    world.ahead += timedelta(hours=25)
    await world.once.run_due(world.clock())  # before any webhook or look
    assert (await world.payment(account)).status is PaymentStatus.SUCCEEDED
    assert (await invoice_of(world, account)).status is Status.PAID
    assert await world.balances(account) == (0, 2500)


async def test_what_somebody_pays_otherwise_meanwhile_is_not_voided(world: "World") -> None:
    account = await asked(world)
    invoice = await invoice_of(world, account)
    good = await world.save_card(account)
    paid = await world.collector.pay_invoice(
        account, invoice.invoice_id, request_key="other", method_id=good.payment_method_id
    )
    assert paid.payment.status is PaymentStatus.SUCCEEDED
    await later(world, 25)
    assert (await invoice_of(world, account)).status is Status.PAID
    assert await world.balances(account) == (0, 2500)
