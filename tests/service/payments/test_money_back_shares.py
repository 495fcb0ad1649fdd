"""Money that goes back of payments of several invoices, that brought more, or bought credits."""

from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from msgspec.structs import replace

from tallystick.accounts import service as accounts
from tallystick.credit_notes.model import RefundStatus
from tallystick.credits import account_store, packages
from tallystick.credits.packages import NewPackage
from tallystick.invoices import credit_purchase
from tallystick.kernel.db import WRITER
from tallystick.kernel.ids import new_id
from tallystick.money.amount import Money
from tallystick.payments import booking, store
from tallystick.payments.facts import ChargeReturned, DisputeReported, DisputeState
from tallystick.payments.gateway import Gateways
from tallystick.payments.model import Part, Payment, PaymentStatus
from tallystick.payments.refund_payment import AskedRefund
from tallystick.payments.verdicts import Handled, Parked
from tests.property.test_refund_books import Till
from tests.service.payments.conftest import SELLER
from tests.service.payments.refunds import Back

if TYPE_CHECKING:
    from tests.service.payments.conftest import World


@pytest.fixture
def back(world: "World") -> Back:
    world.wire(Gateways([Till()]))
    return Back(world)


async def paid(back: Back, account: UUID, *parts: tuple[UUID, int], over: int = 0) -> Payment:
    """Book a payment that came for these invoices, with more than they asked for."""
    at = back.world.clock()
    payment = Payment(
        account_id=account, payment_id=new_id(), request_key=f"p{new_id()}", gateway="stripe",
        payment_method_id=None, currency="USD", amount_minor=sum(minor for _, minor in parts),
        status=PaymentStatus.PROCESSING, reference=f"ch_{new_id()}", failure_code=None, note=None,
        next_attempt_at=None, created_at=at, settled_at=None,
        parts=tuple(Part(invoice, minor) for invoice, minor in parts),
    )  # fmt: skip
    async with back.world.db.transaction(WRITER) as conn:
        await store.insert(conn, payment)
        received = Money(payment.amount_minor + over, "USD")
        await booking.succeed(conn, payment, received, payment.reference, at)
    return payment


def lost(payment: Payment, minor: int) -> DisputeReported:
    amount = Money(minor, "USD")
    return DisputeReported("dp_1", payment.reference or "", amount, DisputeState.LOST)


async def test_a_refund_and_a_dispute_are_shared_by_what_each_invoice_got(back: Back) -> None:
    account = await back.world.account()
    one, other = await back.invoice(account, 3000), await back.invoice(account, 1000)
    payment = await paid(back, account, (one, 3000), (other, 1000))
    asked = AskedRefund(reason="x", request_key="k", amount_minor=100)
    made = await back.desk.refund(account, payment.payment_id, asked)
    assert sorted((wish.amount.minor, wish.status.value) for wish in made) == [
        (25, "made"), (75, "made"),
    ]  # fmt: skip
    assert await back.desk.refund(account, payment.payment_id, asked) == made
    assert await back.tell(lost(payment, 400)) == Handled(account)
    due = [(await back.world.get_invoice(account, each)).due.minor for each in (one, other)]
    assert due == [300, 100]
    assert (await back.books(account))["clearing:stripe"] == 3500


async def test_an_invoice_paid_twice_in_part_is_given_back_from_the_newest(back: Back) -> None:
    account = await back.world.account()
    invoice = await back.invoice(account, 3000)
    for minor in (1000, 2000):
        await paid(back, account, (invoice, minor))
    wish = await back.wish(account, invoice, 2500)
    await back.rounds()
    assert (await back.read(wish)).status is RefundStatus.MADE
    assert [one.amount_minor for one in await back.attempts(wish)] == [2000, 500]
    statuses = [one.status.value for one in await back.world.payments(account)]
    assert statuses == ["partially_refunded", "refunded"]


async def test_a_rest_that_no_gateway_took_is_left_to_a_person(back: Back) -> None:
    account = await back.world.account()
    invoice = await back.invoice(account, 3000)
    await paid(back, account, (invoice, 1000))
    cash = await paid(back, account, (invoice, 2000))
    async with back.world.db.transaction(WRITER) as conn:
        await conn.execute(
            "UPDATE payments SET gateway = 'manual' WHERE payment_id = $1", cash.payment_id
        )
    wish = await back.wish(account, invoice, 3000)
    await back.rounds()
    after = await back.read(wish)
    assert (after.status, after.problem, after.made.minor) == ("requested", "by_hand", 1000)


async def test_what_a_payment_brought_beyond_its_invoice_is_taken_back_too(back: Back) -> None:
    account = await back.world.account()
    invoice = await back.invoice(account, 4000)
    payment = await paid(back, account, (invoice, 4000), over=1000)
    assert await back.tell(lost(payment, 5001)) == Parked("dispute_exceeds_payment")
    for _ in range(2):
        assert await back.tell(lost(payment, 5000)) == Handled(account)
    assert (await back.world.get_invoice(account, invoice)).due.minor == 4000
    assert await back.books(account) == {"receivable": 4000, "revenue": -4000}


async def test_credits_whose_money_is_gone_are_taken_back_once(back: Back) -> None:
    account = await back.world.account()
    invoice = await bought(back, account)
    payment = await paid(back, account, (invoice, 1000))
    await granted(back, account, invoice)
    assert await credits_of(back, account) == 10_000_000
    fact = ChargeReturned("rt_1", payment.reference or "", Money(1000, "USD"), "no_account")
    for told in (fact, replace(fact, reference="dp_1")):
        assert await back.tell(told) == Handled(account)
    assert await credits_of(back, account) == 0
    # Nobody is to pay for credits that are gone.
    assert (await back.world.get_invoice(account, invoice)).status == "uncollectible"


async def test_credits_are_taken_back_in_proportion_to_a_refund(back: Back) -> None:
    account = await back.world.account()
    invoice = await bought(back, account)
    payment = await paid(back, account, (invoice, 1000))
    await granted(back, account, invoice)
    await back.ask(account, payment.payment_id, amount_minor=250)
    assert await credits_of(back, account) == 7_500_000


async def bought(back: Back, account_id: UUID) -> UUID:
    """An open invoice over a hundred credits, 10.00."""
    at = back.world.clock()
    async with back.world.db.transaction(WRITER) as conn:
        package = await packages.create_package(
            conn,
            NewPackage(code="p", name="P", units=10_000_000, currency="USD", amount_minor=1000),
            at,
        )
        account = await accounts.get_account(conn, account_id)
        invoice = await credit_purchase.purchase(
            conn, account, package.credit_package_id, seller=SELLER, key="k", at=at
        )
    return invoice.invoice_id


async def granted(back: Back, account_id: UUID, invoice_id: UUID) -> None:
    async with back.world.db.transaction(WRITER) as conn:
        await packages.grant_paid(conn, account_id, invoice_id, back.world.clock())


async def credits_of(back: Back, account_id: UUID) -> int:
    async with back.world.db.transaction(WRITER) as conn:
        return (await account_store.balance(conn, account_id, back.world.clock())).available
