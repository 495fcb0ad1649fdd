"""Usage that changed after it was billed: the next run bills, or gives back, the difference."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from tallystick.catalog import offers
from tallystick.catalog.offer_model import NewCoupon
from tallystick.corrections.model import Change
from tallystick.invoices.late_events import LateEvents
from tallystick.invoices.model import Invoice, InvoiceLine
from tallystick.invoices.recompute import differences
from tallystick.invoices.usage_changes import usage_changes
from tallystick.invoices.voiding import give_back
from tallystick.kernel.db import WRITER

if TYPE_CHECKING:
    from tests.service.corrections.conftest import World

NOON = datetime(2026, 1, 10, 12, 30, tzinfo=UTC)
JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
MARCH = datetime(2026, 3, 1, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, tzinfo=UTC)


def adjustments(invoice: Invoice) -> list[InvoiceLine]:
    return [line for line in invoice.lines if line.kind == "adjustment"]


async def reverse(world: "World", event_id: str) -> None:
    shown = await world.reverse(event_id)
    await world.reverse(event_id, confirm=shown.confirmation)


async def recomputed(world: "World") -> bool:
    async with world.db.transaction(WRITER) as conn:
        return not [found async for found in differences(conn, None, lambda _count: None)]


async def noted(world: "World") -> int:
    async with world.db.transaction(WRITER) as conn:
        return len(await usage_changes(conn, MARCH, timedelta(days=400), 10))


async def test_the_difference_is_a_line_that_names_the_period_and_both_quantities(
    billed: "World",
) -> None:
    await reverse(billed, "b")
    await billed.bill(MARCH)
    first, second = await billed.invoices()
    (line,) = adjustments(second)
    assert line.description == f"calls: 100 instead of 150, billed by invoice {first.number}"
    assert (line.period_start, line.period_end) == (JANUARY, FEBRUARY)
    assert (line.amount.minor, line.quantity) == (-250, Decimal(-50))
    assert second.subtotal.minor == 1000 + 300 - 250
    assert await recomputed(billed)
    assert await noted(billed) == 0


async def test_a_later_change_is_held_to_all_that_was_billed_by_then(billed: "World") -> None:
    await reverse(billed, "b")
    await billed.bill(MARCH)
    billed.now = MARCH + timedelta(days=1)
    change = Change(properties={"n": 300})
    shown = await billed.amend("a", change)
    await billed.amend("a", change, confirm=shown.confirmation)
    await billed.bill(APRIL)
    line = adjustments((await billed.invoices())[-1])[0]
    assert line.description.startswith("calls: 300 instead of 100")
    assert line.amount.minor == 2000 - 1000
    await billed.bill(APRIL)
    assert await recomputed(billed)


async def test_what_an_invoice_can_not_give_back_is_kept(world: "World") -> None:
    await world.send("big", 10_000, NOON)
    await world.bill(FEBRUARY)
    await reverse(world, "big")
    await world.bill(MARCH)
    _, second = await world.invoices()
    given, kept = adjustments(second)
    assert given.amount.minor == -(1000 + 49_500 - 300)
    assert (second.subtotal.minor, kept.amount.minor) == (0, -given.amount.minor - 1300)
    await world.bill(APRIL)
    third = (await world.invoices())[-1]
    assert third.subtotal.minor == 0
    assert [line.amount.minor for line in adjustments(third)] == [-1300]


async def test_periods_beyond_the_window_stay_as_they_were_billed(billed: "World") -> None:
    await reverse(billed, "b")
    late = FEBRUARY + timedelta(days=430)
    billed.now = late
    await billed.bill(late)
    assert [adjustments(one) for one in await billed.invoices()] == [[]] * 15
    assert await noted(billed) == 1


async def test_what_a_void_invoice_put_right_is_put_right_by_the_next(billed: "World") -> None:
    await reverse(billed, "b")
    await billed.bill(MARCH)
    second = (await billed.invoices())[-1]
    async with billed.db.transaction(WRITER) as conn:
        await conn.execute(
            "UPDATE invoices SET status = 'void' WHERE invoice_id = $1", second.invoice_id
        )
        await give_back(conn, billed.account_id, second.invoice_id, MARCH)
    await billed.bill(APRIL)
    (line,) = adjustments((await billed.invoices())[-1])
    assert line.amount.minor == -250


async def test_an_event_that_comes_late_is_billed_by_the_next_run(billed: "World") -> None:
    watch = LateEvents(billed.db)
    while await noted(billed) == 0:
        await billed.send("late", 20, NOON)
        await watch.run_once(billed.now)
        await asyncio.sleep(0.05)
    await billed.bill(MARCH)
    (line,) = adjustments((await billed.invoices())[-1])
    assert line.description.startswith("calls: 170 instead of 150")
    assert line.amount.minor == 100
    for _ in range(3):
        await watch.run_once(MARCH)
    await billed.bill(APRIL)
    assert adjustments((await billed.invoices())[-1]) == []


async def test_usage_that_goes_down_is_given_back_less_its_discount(world: "World") -> None:
    coupon = NewCoupon(code="HALF", name="Half", percent=Decimal(50), prices=("calls",))
    async with world.db.transaction(WRITER) as conn:
        await offers.create_coupon(conn, coupon, JANUARY)
        await offers.redeem_coupon(conn, world.account_id, "EUR", "HALF", JANUARY)
    for name in ("a", "b", "c"):
        await world.send(name, 50, NOON)
    await world.bill(FEBRUARY)
    await reverse(world, "b")
    await world.bill(MARCH)
    world.now = MARCH + timedelta(days=1)
    await reverse(world, "c")
    await world.bill(APRIL)
    # 150 calls cost 12.50, 100 10.00 and 50 5.00; with the coupon the half of that
    given = [[line.amount.minor for line in adjustments(one)] for one in await world.invoices()]
    assert given == [[], [-125], [-250]]
    assert await recomputed(world)
