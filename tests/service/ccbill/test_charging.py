"""Charges at CCBill: each sent at most once, whatever happens on the way (reference, section 8)."""

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tallystick.kernel.db import WRITER
from tallystick.payments.requests import Authentication

if TYPE_CHECKING:
    from uuid import UUID

    from tests.service.ccbill.conftest import CcbillWorld

CHARGES = "/transactions/payment-tokens/*"


@pytest.fixture
async def account(world: "CcbillWorld") -> "UUID":
    account = await world.account(autopay=False)
    await world.save_card(account)
    return account


async def later(world: "CcbillWorld", span: timedelta = timedelta(minutes=3)) -> None:
    world.ahead += span
    await world.settle_down()


async def state(world: "CcbillWorld", account: "UUID") -> tuple[str, str, str | None]:
    """How the payment, its last try, and its reason stand."""
    payment = await world.payment(account)
    attempt = await world.attempt(payment)
    return payment.status.value, attempt.outcome.value, attempt.code or payment.failure_code


async def rows(world: "CcbillWorld") -> list[dict[str, Any]]:
    async with world.db.transaction(WRITER) as conn:
        found = await conn.fetch("SELECT * FROM ccbill_charges ORDER BY created_at")
    return [dict(row) for row in found]


async def charge_requests(world: "CcbillWorld") -> int:
    seen = await world.look("requests")
    return sum(one["method"] == "POST" and "/transactions/" in one["path"] for one in seen)


async def test_a_card_is_charged_once_and_booked_once(
    world: "CcbillWorld", account: "UUID"
) -> None:
    payment = await world.pay(account, 4900)
    assert (payment.status, payment.amount_minor) == ("succeeded", 4900)
    (sale,) = await world.sales()
    assert payment.reference == sale["id"]
    assert (sale["terms"]["initial_price"], sale["terms"]["initial_period"]) == ("49.00", 2)
    assert sale["extras"]["tallystick_payment"] == str(payment.payment_id)
    await world.events.wait("UpSaleSuccess")
    await world.settle_down()
    assert await world.settled_entries(account) == 1
    inbox = await world.inbox_rows()
    assert [(row["kind"], row["status"]) for row in inbox] == [("UpSaleSuccess", "done")]


@pytest.mark.parametrize(
    ("minor", "code"),
    [(6651, "insufficient_funds"), (6605, "card_declined"), (6627, "processing_error")],
)
async def test_a_decline_inside_http_200_is_a_decline(
    world: "CcbillWorld", account: "UUID", minor: int, code: str
) -> None:
    await world.pay(account, minor)
    assert await state(world, account) == ("failed", "declined", code)
    assert await world.settled_entries(account) == 0


async def test_66_90_an_error_before_anything_was_done_ends_as_never_charged(
    world: "CcbillWorld", account: "UUID"
) -> None:
    await world.pay(account, 6690)
    assert await state(world, account) == ("processing", "unknown", "gateway_failed")
    await later(world)
    assert (await state(world, account))[:2] == ("processing", "unknown")
    await later(world, timedelta(minutes=20))
    assert await state(world, account) == ("failed", "declined", "never_charged")
    assert await world.sales() == []
    assert await charge_requests(world) == 1


async def test_66_90_without_datalink_it_takes_a_day(world: "CcbillWorld", account: "UUID") -> None:
    world.renew_adapter(datalink_username=None)
    await world.pay(account, 6690)
    await later(world, timedelta(hours=3))
    assert (await state(world, account))[:2] == ("processing", "unknown")
    await later(world, timedelta(hours=25))
    assert await state(world, account) == ("failed", "declined", "never_charged")
    assert await charge_requests(world) == 1


@pytest.mark.parametrize("minor", [6691, 6692])
async def test_66_91_and_66_92_a_charge_whose_answer_is_lost_is_found_in_its_tokens_list(
    world: "CcbillWorld", account: "UUID", minor: int
) -> None:
    world.events.take = None
    if minor == 6692:
        await world.arm("drop_reply", path=CHARGES, method="POST")
    await world.pay(account, minor)
    assert (await state(world, account))[:2] == ("processing", "unknown")
    await later(world)
    assert await state(world, account) == ("succeeded", "succeeded", None)
    assert (len(await world.sales()), await world.settled_entries(account)) == (1, 1)
    assert await charge_requests(world) == 1


async def test_66_91_the_webhook_may_be_faster_than_the_list(
    world: "CcbillWorld", account: "UUID"
) -> None:
    await world.pay(account, 6691)
    await world.events.wait("UpSaleSuccess")
    await world.settle_down()
    assert await state(world, account) == ("succeeded", "succeeded", None)
    await later(world, timedelta(hours=2))
    assert (len(await world.sales()), await world.settled_entries(account)) == (1, 1)


async def test_66_93_a_throttled_charge_took_nothing_and_says_so(
    world: "CcbillWorld", account: "UUID"
) -> None:
    await world.pay(account, 6693)
    assert await state(world, account) == ("failed", "declined", "processing_error")
    await later(world, timedelta(hours=2))
    assert (await world.sales(), await charge_requests(world)) == ([], 1)


@pytest.mark.parametrize("minor", [6694, 6695, 6696])
async def test_66_94_to_66_96_a_webhook_before_the_answer_never_or_three_times_books_once(
    world: "CcbillWorld", account: "UUID", minor: int
) -> None:
    await world.pay(account, minor)
    if minor != 6695:
        await world.events.wait("UpSaleSuccess", 3 if minor == 6696 else 1)
    await later(world)
    assert await state(world, account) == ("succeeded", "succeeded", None)
    assert (len(await world.sales()), await world.settled_entries(account)) == (1, 1)
    assert len(await world.inbox_rows()) == (0 if minor == 6695 else 1)


async def test_66_97_a_webhook_over_another_amount_waits_for_a_person(
    world: "CcbillWorld", account: "UUID"
) -> None:
    await world.pay(account, 6697)
    await world.events.wait("UpSaleSuccess")
    await world.settle_down()
    payment = await world.payment(account)
    assert (payment.status, payment.amount_minor) == ("succeeded", 6697)
    (row,) = await world.inbox_rows()
    assert (row["status"], row["error"]) == ("parked", "amount_differs")
    assert (await state(world, account))[2] == "amount_differs"
    assert await world.settled_entries(account) == 1


async def test_two_charges_of_one_token_at_once_are_two_sales_and_never_mistaken(
    world: "CcbillWorld", account: "UUID"
) -> None:
    payments = await asyncio.gather(*(world.pay(account, 1000 + 100 * n) for n in range(4)))
    assert {payment.status for payment in payments} == {"succeeded"}
    prices = {one["id"]: one["terms"]["initial_price"] for one in await world.sales()}
    assert len(prices) == 4
    for payment in payments:
        assert prices[payment.reference] == str(payment.amount.to_decimal())


async def test_a_token_waits_for_its_lost_charge_and_goes_on_when_a_webhook_tells_of_it(
    world: "CcbillWorld", account: "UUID", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallystick.payments.gateways.ccbill.charging.TOKEN_WAIT", 2)
    monkeypatch.setattr("tallystick.payments.gateways.ccbill.charging.TOKEN_WAIT_S", 0)
    world.events.take = None
    await world.arm("drop_reply", path=CHARGES, method="POST")
    lost = await world.pay(account, 1000)
    waiting = await world.pay(account, 2000)
    attempt = await world.attempt(waiting)
    assert (attempt.outcome, attempt.code) == ("unknown", "gateway_busy")
    assert await charge_requests(world) == 1
    await world.events.wait("UpSaleSuccess")
    for delivery in world.events.deliveries:
        await world.inbox.receive("ccbill", delivery, world.clock())
    await later(world)
    assert [payment.status for payment in await world.payments(account)] == ["succeeded"] * 2
    assert len(await world.sales()) == 2
    assert lost.payment_id != waiting.payment_id


async def test_what_was_never_sent_is_sent_later_with_its_own_key(
    world: "CcbillWorld", account: "UUID"
) -> None:
    await world.arm("drop", path="*", times=None)
    await world.pay(account, 4900)
    assert (await state(world, account))[:2] == ("processing", "unknown")
    assert [row["state"] for row in await rows(world)] == ["waiting"]
    await world.disarm()
    await later(world)
    assert await state(world, account) == ("succeeded", "succeeded", None)
    assert len(await world.sales()) == 1


async def test_a_process_that_dies_between_any_two_steps_charges_once(
    world: "CcbillWorld", account: "UUID", monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the claim, after `sent`, after the answer: one charge, or none and no lie."""

    class KilledError(BaseException):
        pass

    async def killed(*_: object, **__: object) -> None:
        raise KilledError

    charging = "tallystick.payments.gateways.ccbill"
    steps = [
        f"{charging}.calls.CcbillCalls.list_charges",
        f"{charging}.calls.CcbillCalls.charge",
        f"{charging}.charge_store.finish",
    ]
    counts = []
    for number, step in enumerate(steps):
        with monkeypatch.context() as patch:
            patch.setattr(step, killed)
            with pytest.raises(KilledError):
                await world.pay(account, 1000 + number)
        world.renew_adapter()
        await later(world, timedelta(minutes=25))
        counts.append(len(await world.sales()))
    assert counts == [1, 1, 2]
    assert await world.settled_entries(account) == 2
    codes = [payment.failure_code for payment in await world.payments(account)]
    assert codes == [None, "never_charged", None]


async def test_a_token_that_ccbill_does_not_know_any_more_is_a_missing_method(
    world: "CcbillWorld",
) -> None:
    account = await world.account(autopay=False)
    token = await world.token(validNumberOfUse=1)
    await world.setup.save_token(account, "ccbill", token)
    assert (await world.pay(account, 1000)).status == "succeeded"
    second = await world.pay(account, 1100)
    assert (second.status, second.failure_code) == ("failed", "payment_method_missing")


async def test_an_amount_outside_the_limits_is_refused_before_anything_is_sent(
    world: "CcbillWorld", account: "UUID"
) -> None:
    from tallystick.kernel.errors import BadInput  # noqa: PLC0415

    for minor in (294, 10_001):
        with pytest.raises(BadInput):
            await world.pay(account, minor)
    assert await world.payments(account) == []
    assert await charge_requests(world) == 0


@pytest.mark.parametrize("currency", ["AUD", "JPY", "EUR"])
async def test_other_currencies_go_by_their_numbers_and_come_back_exactly(
    world: "CcbillWorld", account: "UUID", currency: str
) -> None:
    await world.put_config(yen_decimals=currency != "JPY")
    payment = await world.pay(account, 1500, currency)
    assert (payment.status, payment.currency) == ("succeeded", currency)
    (sale,) = await world.sales()
    assert sale["terms"]["currency"] == currency
    await world.events.wait("UpSaleSuccess")
    await world.settle_down()
    assert [row["status"] for row in await world.inbox_rows()] == ["done"]


async def test_version_1_writes_ids_as_numbers_and_old_shapes_as_text(
    world: "CcbillWorld",
) -> None:
    accept = "application/vnd.mcn.transaction-service.api.v.1+json"
    world.renew_adapter(accept=accept)
    await world.put_config(old_shapes=True)
    account = await world.account(autopay=False)
    await world.save_card(account)
    assert (await world.pay(account, 4900)).status == "succeeded"
    assert (await world.pay(account, 6651)).failure_code == "insufficient_funds"


PASSED: dict[str, str | bool] = {
    "threedsEci": "05", "threedsStatus": "Y", "threedsSuccess": True, "threedsVersion": "2.2.0",
    "threedsDsTransId": "d-1", "threedsAcsTransId": "a-1", "threedsAuthenticationValue": "v-secret",
    "threedsCardToken": "ct-1",
}  # fmt: skip


async def test_what_the_payers_bank_said_goes_along_once_and_is_kept_nowhere(
    world: "CcbillWorld",
) -> None:
    account = await world.account(autopay=False)
    await world.save_card(account, "4000002500003155")
    refused = await world.pay(account, 4900)
    assert (refused.status, refused.failure_code) == ("failed", "card_not_supported")
    invoice = await world.invoice(account, 4900)
    view = await world.collector.pay_invoice(
        account, invoice, request_key="3ds", authentication=Authentication(PASSED)
    )
    assert view.payment.status == "succeeded"
    assert "v-secret" not in repr(await rows(world))
    assert "v-secret" not in repr(Authentication(PASSED))


async def test_without_a_connection_the_payer_is_asked_again_instead_of_charged_without_proof(
    world: "CcbillWorld", account: "UUID"
) -> None:
    invoice = await world.invoice(account, 4900)
    await world.arm("drop", path=CHARGES, method="GET")
    await world.collector.pay_invoice(
        account, invoice, request_key="3ds", authentication=Authentication(PASSED)
    )
    await later(world)
    assert await state(world, account) == ("failed", "declined", "authentication_required")
    assert await charge_requests(world) == 0


async def test_a_charge_that_waits_for_a_person_does_not_hold_its_card_for_ever(
    world: "CcbillWorld", account: "UUID"
) -> None:
    await world.arm("drop_reply", path=CHARGES, method="POST")
    await world.pay(account, 6697)
    await world.events.wait("UpSaleSuccess")
    await world.settle_down()
    assert (await state(world, account))[1:] == ("unknown", "amount_differs")
    world.ahead += timedelta(minutes=3)
    assert (await world.pay(account, 2000)).status == "succeeded"
    assert [row["state"] for row in await rows(world)] == ["done", "done"]
    assert len(await world.sales()) == 2
