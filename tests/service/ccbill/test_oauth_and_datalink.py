"""Bearers: one renewal at a time; DataLink: windows, hours, failures, and what is kept of it."""

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tallystick.kernel.errors import BadInput, TallystickError, TooMany, Unavailable
from tallystick.money.amount import Money

if TYPE_CHECKING:
    from tests.service.ccbill.conftest import CcbillWorld

HOUR = timedelta(hours=1)


async def bearers(world: "CcbillWorld") -> int:
    seen = await world.look("requests")
    return sum(one["path"] == "/ccbill-auth/oauth/token" for one in seen)


async def test_fifty_at_once_fetch_one_bearer(world: "CcbillWorld") -> None:
    kept = world.ccbill._bearers
    told = await asyncio.gather(*(kept.get("backend") for _ in range(50)))
    assert len(set(told)) == 1
    assert await bearers(world) == 1
    other = await kept.get("frontend")
    assert other not in told


async def test_a_bearer_is_renewed_before_it_ends_and_when_it_is_refused(
    world: "CcbillWorld",
) -> None:
    account = await world.account(autopay=False)
    kept, at = world.ccbill._bearers, [1000.0]
    kept._monotonic = lambda: at[0]
    await world.save_card(account)
    first = await kept.get("backend")
    at[0] += 3539  # it lives for an hour
    assert await kept.get("backend") == first
    at[0] += 2
    second = await kept.get("backend")
    assert second != first
    await world.http.post("/_sim/clock/advance", json={"seconds": 7200})
    assert (await world.pay(account, 1900)).status == "succeeded"
    assert await kept.get("backend") != second


async def test_a_wrong_secret_is_a_gateway_that_does_not_answer_and_charges_nothing(
    world: "CcbillWorld",
) -> None:
    account = await world.account(autopay=False)
    await world.save_card(account)
    world.renew_adapter(backend_secret="wrong")
    payment = await world.pay(account, 1900)
    assert (payment.status, await world.sales()) == ("processing", [])


async def test_datalink_lists_each_movement_in_utc_with_the_names_of_ours(
    world: "CcbillWorld",
) -> None:
    account = await world.account(autopay=False)
    await world.save_card(account)
    payment = await world.pay(account, 1900, "EUR")
    await world.happens(payment.reference, "refund", amount="4.00")
    now = world.clock()
    page = await world.ccbill.list_transactions(now - HOUR, now + HOUR, None)
    listed = {one.kind: one for one in page.transactions}
    assert (page.cursor, set(listed)) == (None, {"charge", "refund"})
    assert listed["charge"].amount == Money(1900, "EUR")
    assert listed["charge"].references == (payment.reference,)
    assert listed["refund"].amount == Money(-400, "EUR")
    assert abs(listed["charge"].created_at - now) < timedelta(minutes=1)


async def test_datalink_is_asked_once_an_hour_whoever_asks(world: "CcbillWorld") -> None:
    now = world.clock()
    await world.ccbill.list_transactions(now - HOUR, now, None)
    world.renew_adapter()  # as another process
    with pytest.raises(TooMany) as raised:
        await world.ccbill.list_transactions(now - HOUR, now, None)
    assert raised.value.code == "datalink_waits"
    assert 3500 < int(str(raised.value.extra["retry_after"])) <= 3601
    await world.pass_time(HOUR + timedelta(seconds=1))
    assert (await world.ccbill.list_transactions(now - HOUR, now, None)).transactions == ()


async def test_a_window_of_more_than_a_day_is_refused_and_takes_nobodys_turn(
    world: "CcbillWorld",
) -> None:
    now = world.clock()
    with pytest.raises(BadInput):
        await world.ccbill.list_transactions(now - timedelta(hours=25), now, None)
    await world.ccbill.list_transactions(now - timedelta(hours=24), now, None)


async def test_failures_in_text_are_failures_and_say_nothing_of_the_login(
    world: "CcbillWorld", capsys: pytest.CaptureFixture[str]
) -> None:
    world.renew_adapter(datalink_password="not-the-password")
    now = world.clock()
    with pytest.raises(Unavailable) as raised:
        await world.ccbill.list_transactions(now - HOUR, now, None)
    shown = capsys.readouterr()
    for text in (str(raised.value), repr(raised.value.__cause__), shown.out, shown.err):
        assert "not-the-password" not in text


async def test_a_cancellation_at_ccbill_is_told_once_and_again_does_no_harm(
    world: "CcbillWorld",
) -> None:
    with pytest.raises(TallystickError) as raised:
        await world.ccbill.cancel_subscription("926005102000000049", "k")
    assert raised.value.code == "gateway_object_missing"


@pytest.mark.parametrize("change", [{"datalink_times": "digits"}])
async def test_both_ways_of_writing_times_are_read(
    world: "CcbillWorld", change: dict[str, Any]
) -> None:
    await world.put_config(**change)
    account = await world.account(autopay=False)
    await world.save_card(account)
    await world.pay(account, 1900)
    now = world.clock()
    page = await world.ccbill.list_transactions(now - HOUR, now + HOUR, None)
    assert [one.amount for one in page.transactions] == [Money(1900, "USD")]
