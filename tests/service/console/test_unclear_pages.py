"""Staff see charges without a clear answer, and finance asks once more."""

from datetime import timedelta

from tallystick.kernel.ids import show
from tests.lost_charges import lose_charge

from .conftest import World
from .test_staff_invoice_pages import billed

LIST = "/staff/unclear-payments"


async def test_unclear_charges_are_listed_with_what_was_tried_and_finance_asks_again(
    world: World,
) -> None:
    await world.enter(await world.person(staff_role="support"))
    assert "There is none" in (await world.http.get(LIST)).text
    _, invoice, _ = await billed(world)
    sent = world.services.clock() - timedelta(hours=2)
    payment = await lose_charge(world.services.db, invoice, "manual", sent)
    seen = (await world.http.get(LIST)).text
    assert "nothing is ever sent with another key" in seen
    assert "0 times" in seen
    assert "Ask again" not in seen
    await world.enter(await world.person(staff_role="finance"))
    assert "Ask again" in (await world.http.get(LIST)).text
    asked = await world.post(f"{LIST}/{show('payment', payment.payment_id)}")
    assert asked.headers["location"] == f"{LIST}?done=asked"
    after = (await world.http.get(asked.headers["location"])).text
    assert "The gateway was asked." in after
    assert "There is none" in after


async def test_a_charge_whose_gateway_has_no_keys_says_so_and_can_not_be_asked_about(
    world: World,
) -> None:
    await world.enter(await world.person(staff_role="finance"))
    _, invoice, _ = await billed(world)
    sent = world.services.clock() - timedelta(hours=2)
    payment = await lose_charge(world.services.db, invoice, "paypal", sent)
    seen = (await world.http.get(LIST)).text
    assert "no keys here any more" in seen
    assert "Ask again" not in seen
    asked = await world.post(f"{LIST}/{show('payment', payment.payment_id)}")
    assert asked.headers["location"] == f"{LIST}?done=away"
