"""What CCBill tells of a subscription in another order than it happened leads to the same books."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tallystick.kernel.db import WRITER
from tallystick.payments import schedules
from tallystick.subscriptions.model import Status
from tests.service.ccbill.test_schedule import REBILLS_FAIL, Shop

if TYPE_CHECKING:
    from tests.service.ccbill.conftest import CcbillWorld


@pytest.fixture
async def shop(world: "CcbillWorld") -> Shop:
    """An account whose card is refused at every rebill; nothing is heard of it yet."""
    account = await world.account(autopay=False)
    await world.save_card(account, REBILLS_FAIL)
    made = Shop(world, account)
    await made.subscribe()
    await world.events.wait("UpSaleSuccess")
    await world.settle_down()
    world.events.take = None
    return made


async def hear(shop: Shop, *deliveries: Any) -> None:
    """Hear of these, one after the other."""
    for one in deliveries:
        await shop.world.inbox.receive("ccbill", one, shop.world.clock())
        await shop.world.settle_down()


async def told(shop: Shop, kind: str, count: int) -> list[Any]:
    await shop.world.events.wait(kind, count)
    return [one for one in shop.world.events.deliveries if one.query["eventType"] == kind]


async def is_all_heard(shop: Shop) -> bool:
    rows = await shop.world.inbox_rows()
    return {row["status"] for row in rows} <= {"done", "ignored"}


async def test_two_failures_of_one_renewal_are_one_invoice_in_either_order(shop: Shop) -> None:
    await shop.world.pass_time(timedelta(days=32))
    first, second = await told(shop, "RenewalFailure", 2)
    await hear(shop, second)
    async with shop.world.db.transaction(WRITER) as conn:
        later = await schedules.schedule_of(conn, shop.account, shop.subscription)
    await hear(shop, first)
    assert await shop.books() == [("paid", 0), ("open", 1800)]
    assert (await shop.on()).status is Status.PAST_DUE
    async with shop.world.db.transaction(WRITER) as conn:
        assert await schedules.schedule_of(conn, shop.account, shop.subscription) == later
    assert await is_all_heard(shop)


async def test_a_failure_told_after_its_renewal_was_paid_owes_nothing(shop: Shop) -> None:
    await shop.world.pass_time(timedelta(days=32))
    first, second = await told(shop, "RenewalFailure", 2)
    await shop.world.happens((await shop.sale())["id"], "renew")
    (paid,) = await told(shop, "RenewalSuccess", 1)
    await hear(shop, first, paid, second)
    assert await shop.books() == [("paid", 0), ("paid", 0)]
    assert (await shop.on()).status is Status.ACTIVE
    assert await shop.world.settled_entries(shop.account) == 2
    assert await is_all_heard(shop)


async def test_a_failure_told_after_the_end_waits_for_nobody(shop: Shop) -> None:
    await shop.world.pass_time(timedelta(days=45))
    (end,) = await told(shop, "Expiration", 1)
    failures = await told(shop, "RenewalFailure", 3)
    await hear(shop, failures[0], end, *failures[1:])
    assert (await shop.on()).status is Status.CANCELED
    assert await shop.books() == [("paid", 0), ("open", 1800)]
    assert await is_all_heard(shop)


async def test_a_renewal_on_the_day_of_its_sale_is_booked_though_it_names_only_the_day(
    world: "CcbillWorld",
) -> None:
    account = await world.account(autopay=False)
    await world.save_card(account)
    made = Shop(world, account)
    await made.subscribe()
    await world.settle_down()
    await world.happens((await made.sale())["id"], "renew")
    await world.events.wait("RenewalSuccess")
    await world.settle_down()
    assert await made.books() == [("paid", 0), ("paid", 0)]
    assert await world.settled_entries(account) == 2
    assert await world.balances(account) == (0, 0)
    assert await is_all_heard(made)
