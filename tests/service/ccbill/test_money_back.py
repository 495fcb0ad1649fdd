"""Refunds, voids, chargebacks and returns at CCBill: each in our books once, by its charge."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tallystick.kernel.db import WRITER
from tallystick.kernel.ids import new_id
from tallystick.money.amount import Money
from tallystick.payments.facts import RefundReported
from tallystick.payments.outcomes import Declined, Succeeded, Unknown
from tallystick.payments.requests import Refund
from tests.service.payments.refunds import Back

if TYPE_CHECKING:
    from uuid import UUID

    from tallystick.payments.model import Payment
    from tests.service.ccbill.conftest import CcbillWorld

MANAGEMENT = "/utils/*"


@pytest.fixture
async def account(world: "CcbillWorld") -> "UUID":
    account = await world.account(autopay=False)
    await world.save_card(account)
    return account


def a_refund(payment: "Payment", minor: int) -> Refund:
    refund_id = new_id()
    return Refund(
        key=f"refund:{refund_id}:1",
        reference=payment.reference or "",
        amount=Money(minor, payment.currency),
        charged=payment.amount,
        account_id=payment.account_id,
        refund_id=refund_id,
        started_at=payment.created_at,
    )


async def moves(world: "CcbillWorld", kind: str) -> list[str]:
    return [one["amount"] for one in await world.look("moves") if one["kind"] == kind]


async def fact(world: "CcbillWorld", kind: str) -> Any:
    await world.events.wait(kind)
    told = [sent for sent in world.events.deliveries if sent.query["eventType"] == kind]
    receipt = await world.ccbill.verify_webhook(told[-1], world.clock())
    return await world.ccbill.recognize(world.ccbill.read_event(receipt.body).fact)  # type: ignore[arg-type]


async def test_a_refund_is_made_once_for_its_key_and_its_webhook_is_known_as_ours(
    world: "CcbillWorld", account: "UUID"
) -> None:
    refund = a_refund(await world.pay(account, 4900), 1900)
    first = await world.ccbill.refund(refund)
    assert isinstance(first, Succeeded)
    assert await world.ccbill.refund(refund) == first
    assert await world.ccbill.look_up_refund(refund, None, world.clock()) == first
    assert await moves(world, "REFUND") == ["19.00"]
    told = await fact(world, "Refund")
    assert isinstance(told, RefundReported)
    assert (told.refund_id, told.outcome) == (refund.refund_id, first)
    assert told.charge_reference == refund.reference
    again = await fact(world, "Refund")
    assert again == told


async def test_a_refund_whose_answer_is_lost_is_told_by_ccbills_count(
    world: "CcbillWorld", account: "UUID"
) -> None:
    refund = a_refund(await world.pay(account, 4900), 1900)
    await world.arm("drop_reply", path=MANAGEMENT, skip=1)
    assert await world.ccbill.refund(refund) == Unknown("no_answer")
    world.renew_adapter()
    look = await world.ccbill.look_up_refund(refund, None, world.clock())
    assert isinstance(look, Succeeded)
    assert await moves(world, "REFUND") == ["19.00"]


async def test_a_refund_that_never_arrived_is_refused_after_a_while_and_not_sent_again(
    world: "CcbillWorld", account: "UUID"
) -> None:
    refund = a_refund(await world.pay(account, 4900), 1900)
    await world.arm("drop", path=MANAGEMENT, skip=1)
    assert await world.ccbill.refund(refund) == Unknown("no_answer")
    assert isinstance(await world.ccbill.look_up_refund(refund, None, world.clock()), Unknown)
    late = world.clock() + timedelta(minutes=16)
    assert isinstance(await world.ccbill.look_up_refund(refund, None, late), Declined)
    assert await moves(world, "REFUND") == []


async def paid(world: "CcbillWorld", account: "UUID") -> "Payment":
    """Pay an invoice that has lines, as credit notes need it."""
    invoice_id = await Back(world).invoice(account)
    return (
        await world.collector.pay_invoice(account, invoice_id, request_key=str(invoice_id))
    ).payment


async def test_a_refund_made_at_ccbill_is_booked_once_and_asks_ccbill_for_nothing(
    world: "CcbillWorld", account: "UUID"
) -> None:
    payment = await paid(world, account)
    assert payment.reference is not None
    await world.happens(payment.reference, "refund", amount="49.00")
    await world.events.wait("Refund")
    await world.settle_down()
    for delivery in world.events.deliveries:
        await world.inbox.receive("ccbill", delivery, world.clock())
    await world.settle_down()
    kinds = {row["kind"]: (row["status"], row["error"]) for row in await world.inbox_rows()}
    assert kinds["Refund"] == ("done", None)
    assert kinds["Cancellation"] == ("ignored", "single_sale")
    assert await moves(world, "REFUND") == ["49.00"]
    assert (await world.payment(account)).status == "refunded"


async def test_a_refund_asked_for_here_and_told_by_ccbill_is_one_refund(
    world: "CcbillWorld", account: "UUID"
) -> None:
    payment = await paid(world, account)
    back = Back(world)
    wish = await back.ask(account, payment.payment_id, amount_minor=1900)
    await world.events.wait("Refund")
    await world.settle_down()
    assert payment.invoice_id is not None
    (only,) = await back.wishes(account, payment.invoice_id)
    assert (only.refund_id, only.status) == (wish.refund_id, "made")
    assert len(await back.notes(account, payment.invoice_id)) == 1
    assert await moves(world, "REFUND") == ["19.00"]
    rows = {row["kind"]: row["status"] for row in await world.inbox_rows()}
    assert rows["Refund"] == "done"


@pytest.mark.parametrize("name", ["chargeback", "return"])
async def test_a_sale_and_what_takes_it_back_share_an_id_and_are_two_events(
    world: "CcbillWorld", account: "UUID", name: str
) -> None:
    payment = await world.pay(account, 4900)
    await world.events.wait("UpSaleSuccess")
    await world.happens(payment.reference, name)
    await world.events.wait(name.title())
    await world.settle_down()
    rows = await world.inbox_rows()
    assert len({row["event_id"] for row in rows}) == 2
    assert {row["status"] for row in rows} == {"done"}
    owed, _ = await world.balances(account)
    assert owed == 4900


async def test_a_void_is_money_given_back(world: "CcbillWorld", account: "UUID") -> None:
    payment = await world.pay(account, 4900)
    await world.happens(payment.reference, "void")
    told = await fact(world, "Void")
    assert isinstance(told, RefundReported)
    assert (told.refund_id, told.amount) == (None, Money(4900, "USD"))


async def test_money_back_that_names_itself_finds_its_charge_by_the_subscription(
    world: "CcbillWorld", account: "UUID"
) -> None:
    """Whether `transactionId` names the sale or its reversal is said nowhere: both are found."""
    payment = await world.pay(account, 4900)
    amount = Money(1900, "USD")
    odd = RefundReported(
        reference="e1",
        charge_reference=f"{payment.reference}/926064102000000999",
        amount=amount,
        outcome=Succeeded("e1", amount),
        subscription_reference=payment.reference,
    )
    known = await world.ccbill.recognize(odd)
    assert known.charge_reference == payment.reference
    assert (known.refund_id, known.reference) == (None, "e1")  # type: ignore[union-attr]


async def test_without_a_datalink_user_refunds_are_refused_by_name(world: "CcbillWorld") -> None:
    world.renew_adapter(datalink_username=None)
    can = world.ccbill.capabilities
    assert (can.refunds, can.refunds_in_part, can.lists_transactions) == (False, False, False)


async def test_an_early_chargeback_waits_for_its_sale(
    world: "CcbillWorld", account: "UUID"
) -> None:
    world.events.take = None
    await world.arm("drop_reply", path="/transactions/*", method="POST")
    await world.pay(account, 4900)
    (sale,) = await world.sales()
    await world.happens(sale["id"], "chargeback")
    await world.events.wait("Chargeback")
    (early,) = [one for one in world.events.deliveries if one.query["eventType"] == "Chargeback"]
    await world.inbox.receive("ccbill", early, world.clock())
    await world.inbox_worker.run_due(world.clock())
    (row,) = await world.inbox_rows()
    assert (row["status"], row["error"]) == ("parked", "charge_unknown")
    world.ahead += timedelta(minutes=3)
    await world.settle_down()
    async with world.db.transaction(WRITER) as conn:
        count = await conn.fetchval("SELECT count(*) FROM payments WHERE settled_at IS NOT NULL")
    (row,) = await world.inbox_rows()
    assert (count, row["status"]) == (1, "done")
