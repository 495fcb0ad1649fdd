"""Charges at CCBill: once, whatever happens on the way."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.service.ccbill.conftest import CcbillWorld


async def test_a_card_is_charged_once_and_booked_once(world: "CcbillWorld") -> None:
    account = await world.account(autopay=False)
    await world.save_card(account)
    payment = await world.pay(account, 4900)
    assert (payment.status, payment.amount_minor) == ("succeeded", 4900)
    (sale,) = await world.sales()
    assert payment.reference == sale["id"]
    assert (sale["terms"]["initial_price"], sale["terms"]["initial_period"]) == ("49.00", 2)
    await world.events.wait("UpSaleSuccess")
    await world.settle_down()
    assert await world.settled_entries(account) == 1
    rows = await world.inbox_rows()
    assert [(row["kind"], row["status"]) for row in rows] == [("UpSaleSuccess", "done")]
