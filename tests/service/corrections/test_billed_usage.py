"""What a correction does to issued invoices is shown to the cent before it is confirmed."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tallystick.corrections.model import Change
from tallystick.invoices.usage_changes import settle_usage_change, usage_changes_of
from tallystick.kernel.db import WRITER
from tallystick.kernel.errors import Conflict, Forbidden
from tallystick.metering.model import UsageEvent
from tallystick.money.amount import Money

if TYPE_CHECKING:
    from tallystick.corrections.model import BilledLine, Outcome
    from tests.service.corrections.conftest import World

START = datetime(2026, 1, 1, tzinfo=UTC)
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
MARCH = datetime(2026, 3, 1, tzinfo=UTC)
NOON = datetime(2026, 1, 10, 12, 30, tzinfo=UTC)
DAY = timedelta(days=1)


def eur(minor: int) -> Money:
    return Money(minor, "EUR")


def told(line: "BilledLine") -> tuple[Any, ...]:
    return (line.kind, line.old_quantity, line.old.minor, line.new_quantity, line.new.minor)


async def changes(world: "World", now: datetime, window: timedelta = 400 * DAY) -> list[Any]:
    async with world.db.transaction(WRITER) as conn:
        found = await usage_changes_of(conn, [world.account_id], now, window)
        return list(found.get(world.account_id, ()))


async def test_the_effect_on_an_issued_invoice_is_shown_and_nothing_is_done(
    billed: "World",
) -> None:
    """150 calls: 100 at 0.10 and 50 at 0.05 are 12.50; 100 calls are 10.00."""
    (invoice,) = await billed.invoices()
    outcome = await billed.reverse("b")
    assert (outcome.state, outcome.corrections) == ("to_confirm", ())
    (line,) = outcome.effect.billed
    assert line.number == invoice.number
    assert line.invoice_line_id == invoice.lines[1].invoice_line_id
    assert (line.meter_code, line.period_start, line.period_end) == ("calls", START, FEBRUARY)
    assert told(line) == ("usage", 150, 1250, 100, 1000)
    assert line.billed_quantity == Decimal(150)
    assert line.billed == eur(1250)
    assert line.difference == eur(-250)
    assert line.is_in_window
    assert outcome.effect.open == ()
    assert (await billed.totals(START, FEBRUARY))["calls"] == 150
    assert await billed.rows("SELECT FROM usage_corrections") == []
    assert await changes(billed, billed.now) == []


async def test_what_was_shown_is_done_when_it_is_confirmed_and_the_invoice_stays(
    billed: "World",
) -> None:
    before = await billed.invoices()
    shown = await billed.reverse("b")
    outcome = await billed.reverse("b", confirm=shown.confirmation)
    assert outcome.state == "applied"
    assert outcome.effect == shown.effect
    assert outcome.corrections[0].billed == shown.effect.billed
    assert (await billed.totals(START, FEBRUARY))["calls"] == 100
    assert await billed.invoices() == before
    (kept,) = await billed.rows("SELECT effect FROM usage_corrections")
    assert before[0].number in kept["effect"]
    again = await billed.reverse("b")
    assert (again.state, again.effect.billed) == ("unchanged", shown.effect.billed)


async def test_the_minimum_of_a_price_is_part_of_the_effect(billed: "World") -> None:
    """10 calls are 1.00; to the minimum of 3.00 are 2.00 more, which no line billed."""
    await _confirmed(billed, billed.reverse("b"), "b")
    outcome = await billed.amend("a", Change(properties={"n": 10}))
    assert [told(line) for line in outcome.effect.billed] == [
        ("usage", 100, 1000, 10, 100),
        ("minimum", 0, 0, 10, 200),
    ]
    assert outcome.effect.billed[0].billed == eur(1250)


async def test_a_line_that_met_its_minimum_is_shown_with_what_was_added(world: "World") -> None:
    await world.send("a", 10, NOON)
    await world.bill(FEBRUARY)
    outcome = await world.amend("a", Change(properties={"n": 20}))
    assert [told(line) for line in outcome.effect.billed] == [
        ("usage", 10, 100, 20, 200),
        ("minimum", 10, 200, 20, 100),
    ]


async def test_usage_that_moves_between_periods_shows_both(billed: "World") -> None:
    """40 calls go from January, billed, to February, which runs."""
    await billed.amend("b", Change(at=FEBRUARY + DAY, properties={"n": 40}), preview=True)
    outcome = await billed.amend("b", Change(at=FEBRUARY + DAY, properties={"n": 40}))
    assert outcome.state == "to_confirm"
    assert [told(line) for line in outcome.effect.billed] == [("usage", 150, 1250, 100, 1000)]
    opened: dict[str, Any] = {
        one.meter_code: (one.period_start, one.period_end, one.old_quantity, one.new_quantity)
        for one in outcome.effect.open
    }
    assert opened == {
        "calls": (FEBRUARY, MARCH, 5, 45),
        "peak": (FEBRUARY, MARCH, 5, 40),
    }


async def test_usage_not_billed_yet_is_corrected_at_once(billed: "World") -> None:
    outcome = await billed.amend("c", Change(properties={"n": 6}))
    assert (outcome.state, outcome.effect.billed) == ("applied", ())
    assert (await billed.totals(FEBRUARY, MARCH))["calls"] == 6
    assert await changes(billed, billed.now) == []


async def test_a_quantity_that_costs_the_same_is_an_effect_too(world: "World") -> None:
    await world.send("a", 100, NOON)
    await world.send("b", "0.01", NOON)
    await world.bill(FEBRUARY)
    outcome = await world.reverse("b")
    assert [told(line) for line in outcome.effect.billed] == [
        ("usage", Decimal("100.01"), 1000, 100, 1000)
    ]


async def test_a_recurring_meter_carries_the_change_into_every_later_invoice(
    world: "World",
) -> None:
    await world.send("s", 3, NOON, type="seat")
    await world.bill(FEBRUARY)
    world.now = MARCH + DAY
    await world.bill(MARCH)
    outcome = await world.amend("s", Change(properties={"n": 4}))
    found = [(line.period_start, *told(line)) for line in outcome.effect.billed]
    assert found == [
        (START, "usage", 3, 600, 4, 800),
        (FEBRUARY, "usage", 3, 600, 4, 800),
    ]
    (opened,) = outcome.effect.open
    assert (opened.period_start, str(opened.new_quantity)) == (MARCH, "4")


async def test_late_usage_that_was_not_billed_is_told_apart(billed: "World") -> None:
    await billed.send("late", 10, NOON)
    outcome = await billed.reverse("b")
    (line,) = outcome.effect.billed
    assert [line.billed_quantity, line.old_quantity, line.new_quantity] == list(
        map(Decimal, (150, 160, 110))
    )
    assert line.difference == eur(-250)


async def test_a_void_invoice_is_not_touched(billed: "World") -> None:
    async with billed.db.transaction(WRITER) as conn:
        await conn.execute("UPDATE invoices SET status = 'void'")
    assert (await billed.reverse("b")).state == "applied"


async def test_only_who_may_changes_what_was_billed_and_everybody_may_look(
    billed: "World",
) -> None:
    for event_id, is_refused in (("b", True), ("c", False)):
        looked = await billed.reverse(event_id, preview=True, may_change_billed=False)
        assert looked.state == "previewed"
        confirm = looked.confirmation
        if is_refused:
            with pytest.raises(Forbidden) as caught:
                await billed.reverse(event_id, confirm=confirm, may_change_billed=False)
            assert caught.value.code == "billed_usage"
        else:
            await billed.reverse(event_id, confirm=confirm, may_change_billed=False)
    assert (await billed.totals())["calls"] == 150


async def test_another_effect_than_the_one_shown_is_refused(billed: "World") -> None:
    shown = await billed.reverse("b")
    await billed.send("late", 10, NOON)
    with pytest.raises(Conflict) as caught:
        await billed.reverse("b", confirm=shown.confirmation)
    assert caught.value.code == "correction_changed"
    assert (await billed.totals(START, FEBRUARY))["calls"] == 160
    shown = await billed.reverse("b")
    assert (await billed.reverse("b", confirm=shown.confirmation)).state == "applied"


async def test_a_confirmation_is_for_one_content_alone(billed: "World") -> None:
    shown = await billed.amend("b", Change(properties={"n": 40}))
    for work in (
        billed.amend("b", Change(properties={"n": 41}), confirm=shown.confirmation),
        billed.reverse("b", confirm=shown.confirmation),
        billed.amend("b", Change(properties={"n": 40}), confirm="ucc_00"),
        billed.reverse("c", confirm="ucc_00"),
    ):
        with pytest.raises(Conflict) as caught:
            await work
        assert caught.value.code == "correction_changed"


async def test_usage_not_billed_yet_may_move_between_look_and_confirmation(
    billed: "World",
) -> None:
    shown = await billed.amend("b", Change(at=FEBRUARY + DAY))
    await billed.send("more", 1, FEBRUARY + DAY)
    outcome = await billed.amend("b", Change(at=FEBRUARY + DAY), confirm=shown.confirmation)
    assert outcome.state == "applied"


async def test_a_backfill_into_a_billed_period_is_confirmed_too(billed: "World") -> None:
    more = UsageEvent(source="s", id="x", type="call", subject="ada", at=NOON, properties={"n": 10})
    shown = await billed.backfill(more)
    assert shown.state == "to_confirm"
    assert [told(line) for line in shown.effect.billed] == [("usage", 150, 1250, 160, 1300)]
    assert (await billed.totals(START, FEBRUARY))["calls"] == 150
    outcome = await billed.backfill(more, confirm=shown.confirmation)
    assert outcome.state == "applied"
    assert (await billed.totals(START, FEBRUARY))["calls"] == 160


async def test_periods_to_be_rated_again_are_kept_for_the_next_run(billed: "World") -> None:
    (invoice,) = await billed.invoices()
    await _confirmed(billed, billed.reverse("b"), "b")
    (change,) = await changes(billed, billed.now)
    assert (change.invoice_id, change.meter_code) == (invoice.invoice_id, "calls")
    assert (change.period_start, change.period_end) == (START, FEBRUARY)
    assert change.changed_since == change.changed_at == billed.now
    since, billed.now = billed.now, billed.now + DAY
    await _confirmed(billed, billed.reverse("a"), "a")
    (later,) = await changes(billed, billed.now)
    assert (later.changed_since, later.changed_at) == (since, billed.now)
    async with billed.db.transaction(WRITER) as conn:
        await settle_usage_change(conn, change)
    assert await changes(billed, billed.now) == [later]
    async with billed.db.transaction(WRITER) as conn:
        await settle_usage_change(conn, later)
    assert await changes(billed, billed.now) == []


async def test_beyond_the_window_the_effect_says_that_nothing_will_be_billed(
    billed: "World",
) -> None:
    billed.now = FEBRUARY + timedelta(days=401)
    outcome = await billed.reverse("b")
    assert [line.is_in_window for line in outcome.effect.billed] == [False]
    await _confirmed(billed, billed.reverse("b"), "b")
    assert await changes(billed, billed.now) == []
    assert len(await changes(billed, billed.now, 500 * DAY)) == 1


async def test_of_two_who_confirm_the_same_one_does_it(billed: "World") -> None:
    shown = await billed.reverse("b")
    outcomes = await asyncio.gather(
        *(billed.reverse("b", confirm=shown.confirmation) for _ in range(4))
    )
    assert sorted(one.state for one in outcomes) == ["applied", *["unchanged"] * 3]
    assert (await billed.totals(START, FEBRUARY))["calls"] == 100


async def _confirmed(world: "World", asked: Any, event_id: str) -> "Outcome":
    shown = await asked
    return await world.reverse(event_id, confirm=shown.confirmation)
