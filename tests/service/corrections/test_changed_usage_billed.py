"""Usage that changed after it was billed: the next run bills, or gives back, the difference."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from tallystick.catalog import offers
from tallystick.catalog.offer_model import NewCoupon
from tallystick.corrections.model import Change
from tallystick.documents.document import Party
from tallystick.invoices.late_bills import LateBills
from tallystick.invoices.late_events import LateEvents
from tallystick.invoices.model import Invoice, InvoiceLine
from tallystick.invoices.recompute import differences
from tallystick.invoices.usage_changes import usage_changes_of
from tallystick.invoices.voiding import give_back
from tallystick.kernel.db import WRITER
from tallystick.subscriptions import changing
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.model import Remainder
from tallystick.timeline.walk import walk_of

if TYPE_CHECKING:
    from tests.service.corrections.conftest import World

SELLER = Party("Seller", ("1 Main Street",), "billing@example.com", "FR123")
LATE_BILLS_WAIT = timedelta(days=2)
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
        found = await usage_changes_of(conn, [world.account_id], MARCH, timedelta(days=400))
        return len(found.get(world.account_id, ()))


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


async def end(world: "World", remainder: Remainder = "credit") -> None:
    """Let the subscription end on the first of March, and bill it for the last time."""
    async with world.db.transaction(WRITER) as conn:
        (on,) = await subscriptions.list_subscriptions(conn, world.account_id)
        await changing.cancel_now(conn, world.account_id, on.subscription_id, MARCH, remainder)
    await world.bill(MARCH)
    world.now = MARCH + timedelta(days=1)


def late(world: "World") -> LateBills:
    return LateBills(world.db, lambda: world.now + LATE_BILLS_WAIT, SELLER)


async def test_what_changes_after_the_end_is_an_invoice_of_its_own(billed: "World") -> None:
    await end(billed)
    change = Change(properties={"n": 300})
    shown = await billed.amend("a", change)
    await billed.amend("a", change, confirm=shown.confirmation)
    await billed.bill(APRIL)
    assert len(await billed.invoices()) == 2
    assert await late(billed).run_due(APRIL, None) == 1
    (line,) = (await billed.invoices())[-1].lines
    assert (line.kind, line.amount.minor) == ("adjustment", 2250 - 1250)
    assert await late(billed).run_due(APRIL, None) == 0
    assert await noted(billed) == 0
    assert await recomputed(billed)


async def test_what_came_just_now_waits_for_more_of_its_kind(billed: "World") -> None:
    await end(billed)
    await reverse(billed, "b")
    soon = LateBills(billed.db, lambda: billed.now + timedelta(hours=1), SELLER)
    assert await soon.run_due(APRIL, None) == 0
    assert await noted(billed) == 1


@pytest.mark.parametrize(("remainder", "kind"), [("credit", "credit"), ("refund", "refund")])
async def test_what_goes_down_after_the_end_is_kept_or_refunded(
    billed: "World", remainder: Remainder, kind: str
) -> None:
    await end(billed, remainder)
    await reverse(billed, "b")
    assert await late(billed).run_due(APRIL, None) == 1
    last = (await billed.invoices())[-1]
    assert (last.total.minor, [line.amount.minor for line in last.lines]) == (0, [-250, 250])
    (kept,) = await billed.rows("SELECT kind, left_minor FROM invoice_adjustments")
    assert kept == {"kind": kind, "left_minor": 250}


async def test_two_who_look_at_once_bill_a_change_once(billed: "World") -> None:
    await end(billed)
    await reverse(billed, "b")
    done = await asyncio.gather(*(late(billed).run_due(APRIL, None) for _ in range(3)))
    assert sum(done) == 1
    assert [len(adjustments(one)) for one in await billed.invoices()][-1] == 2


async def test_a_walk_ahead_shows_what_changed(billed: "World") -> None:
    await reverse(billed, "b")
    async with billed.db.transaction(WRITER) as conn:
        on = await subscriptions.list_subscriptions(conn, billed.account_id)
        walk = await walk_of(conn, billed.account, billed.now, can_pay=True)
        ahead = [one.invoice async for stop in walk.until(on, APRIL) for one in stop.invoices]
    assert [[line.amount.minor for line in one.lines if line.kind == "adjustment"]
            for one in ahead] == [[-250], []]  # fmt: skip
    await billed.bill(APRIL)
    billed_now = [one.subtotal.minor for one in (await billed.invoices())[1:]]
    assert [one.subtotal.minor for one in ahead] == billed_now
