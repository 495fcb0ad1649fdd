"""The traps that other integrations of CCBill fell into (reference, section 7): we do not."""

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import tallystick.payments.gateways.ccbill as adapter_folder
from tallystick.kernel.errors import BadInput, Unavailable
from tallystick.money.amount import Money
from tallystick.payments.facts import ChargeReported, Delivery, RefundReported
from tallystick.payments.gateways.ccbill.charging import outcome_of
from tallystick.payments.gateways.ccbill.client import Answer
from tallystick.payments.outcomes import Succeeded, Unknown

if TYPE_CHECKING:
    from uuid import UUID

    from tests.service.ccbill.conftest import CcbillWorld


@pytest.fixture
async def account(world: "CcbillWorld") -> "UUID":
    account = await world.account(autopay=False)
    await world.save_card(account)
    return account


async def told(world: "CcbillWorld", kind: str) -> tuple[Delivery, Any]:
    await world.events.wait(kind)
    sent = next(one for one in world.events.deliveries if one.query["eventType"] == kind)
    receipt = await world.ccbill.verify_webhook(sent, world.clock())
    return sent, world.ccbill.read_event(receipt.body).fact


async def test_a_one_off_charge_does_not_ask_for_a_period_of_one_day(
    world: "CcbillWorld", account: "UUID"
) -> None:
    await world.pay(account, 1900)
    (sale,) = await world.sales()
    assert sale["terms"]["initial_period"] >= 2
    assert (sale["terms"]["recurring_period"], sale["terms"]["rebills"]) == (0, 0)


async def test_amounts_are_read_where_they_stand_and_not_in_initial_price_or_billed_amount(
    world: "CcbillWorld", account: "UUID"
) -> None:
    payment = await world.pay(account, 1900)
    _, sold = await told(world, "UpSaleSuccess")
    assert isinstance(sold, ChargeReported)
    assert sold.outcome == Succeeded(payment.reference, Money(1900, "USD"))
    await world.happens(payment.reference, "refund", amount="4.00")
    sent, back = await told(world, "Refund")
    assert isinstance(back, RefundReported)
    assert back.amount == Money(400, "USD")
    assert b"billedAmount" not in sent.body


async def test_an_up_sale_is_a_sale_for_no_other_event_tells_of_a_charge_over_rest(
    world: "CcbillWorld", account: "UUID"
) -> None:
    await world.arm("status_after", path="/transactions/*", method="POST", status=500, code=100103)
    await world.pay(account, 1900)
    await world.events.wait("UpSaleSuccess")
    await world.settle_down()
    assert set(world.events.kinds()) == {"UpSaleSuccess"}
    assert (await world.payment(account)).status == "succeeded"


async def test_an_event_is_done_after_it_was_applied_so_a_crash_between_loses_nothing(
    world: "CcbillWorld", account: "UUID", monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.arm("drop_reply", path="/transactions/*", method="POST")
    await world.pay(account, 1900)
    await world.events.wait("UpSaleSuccess")

    class KilledError(BaseException):
        pass

    async def killed(*_: object, **__: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(world.tries, "record", killed)
        with pytest.raises(KilledError):
            await world.inbox_worker.run_due(world.clock())
    (row,) = await world.inbox_rows()
    assert (row["status"], row["done_at"]) == ("received", None)
    world.ahead = type(world.ahead)(minutes=3)
    await world.settle_down()
    (row,) = await world.inbox_rows()
    assert row["status"] == "done"
    assert await world.settled_entries(account) == 1


async def test_a_forwarded_header_says_nothing_to_the_adapter(world: "CcbillWorld") -> None:
    world.renew_adapter(webhook_ip_enforce=True)
    forged = Delivery(
        body=b"{}",
        headers={"content-type": "application/json", "x-forwarded-for": "64.38.212.7"},
        query={"eventType": "Void"},
        peer="192.0.2.66",
    )
    with pytest.raises(BadInput, match="not valid"):
        await world.ccbill.verify_webhook(forged, world.clock())


async def test_dollars_are_never_floats(world: "CcbillWorld", account: "UUID") -> None:
    folder = Path(adapter_folder.__file__).parent
    assert not [path.name for path in folder.glob("*.py") if "float(" in path.read_text()]
    await world.pay(account, 2935)
    (sale,) = await world.sales()
    assert Decimal(sale["terms"]["initial_price"]) == Decimal("29.35")


async def test_a_missing_amount_is_not_a_default_price_but_waits_for_a_person(
    world: "CcbillWorld", account: "UUID"
) -> None:
    world.events.take = None
    payment = await world.pay(account, 1900)
    sent, _ = await told(world, "UpSaleSuccess")
    body = sent.body.replace(b"billedInitialPrice", b"price")
    without = Delivery(body=body, headers=sent.headers, query=sent.query, peer=sent.peer)
    await world.inbox.receive("ccbill", without, world.clock())
    await world.settle_down()
    (row,) = await world.inbox_rows()
    assert (row["status"], row["error"]) == ("parked", "invalid_payload")
    assert payment.amount_minor == 1900
    assert await world.settled_entries(account) == 1


async def test_the_name_of_a_card_is_not_taken_for_that_of_a_charge(
    world: "CcbillWorld", account: "UUID"
) -> None:
    payments = [await world.pay(account, 1900), await world.pay(account, 1900)]
    (first, second) = [payment.reference for payment in payments]
    assert first != second
    unnamed = b'{"approved": true, "paymentUniqueId": "s6DWsb1y0NxYzkm1N1XqVw"}'
    assert outcome_of(Answer(200, unnamed), Money(1900, "USD")) == Unknown("unreadable_answer")


async def test_a_webhook_that_can_not_be_stored_is_not_answered_with_200(
    world: "CcbillWorld", account: "UUID", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is raised here is an error in HTTP, and CCBill may send it again."""
    world.events.take = None
    await world.pay(account, 1900)
    sent, _ = await told(world, "UpSaleSuccess")

    async def down(*_: object) -> bool:
        raise Unavailable("database_unavailable", "The database can not be reached.")

    monkeypatch.setattr("tallystick.webhooks.store.insert", down)
    with pytest.raises(Unavailable):
        await world.inbox.receive("ccbill", sent, world.clock())


async def test_requests_and_replies_have_the_names_that_the_api_has(
    world: "CcbillWorld", account: "UUID"
) -> None:
    """`clientSubacc` and no `subacc`; the reply's `subscriptionId`, and no `transactionId`."""
    payment = await world.pay(account, 1900)
    (sale,) = await world.sales()
    assert (sale["accnum"], sale["subacc"]) == (900000, 0)
    assert payment.reference == sale["id"]
    old = b'{"approved": true, "transactionId": "926005102000000049", "paymentToken": "x"}'
    assert outcome_of(Answer(200, old), Money(1900, "USD")) == Unknown("unreadable_answer")
