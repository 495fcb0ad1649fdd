"""Usage that is billed as it comes, from events to invoices: each event once, to the cent."""

import asyncio
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from tallystick.accounts.model import Account
from tallystick.catalog.model import NewMeter
from tallystick.invoices import recompute
from tallystick.invoices.biller import bill_now
from tallystick.invoices.usage_changes import issued_usage_lines
from tallystick.kernel.db import WRITER, account_scope
from tallystick.kernel.errors import BadInput
from tallystick.metering import service as metering
from tallystick.pricing.validate import read_price
from tallystick.subscriptions import changing
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.current_usage import current_usage
from tallystick.subscriptions.model import Subscription
from tallystick.subscriptions.usage_watch import UsageWatch
from tallystick.timeline.preview import Nothing, preview

World = Any  # the fixture's class stands in conftest.py, which tests can not import
START = datetime(2026, 1, 1, tzinfo=UTC)
CALLS = NewMeter(
    code="calls", name="Calls", aggregation="sum", property="n", allow_negative=True,
    group_by=("region",),
)  # fmt: skip
SEATS = NewMeter(
    code="seats", name="Seats", aggregation="sum", property="n", recurring=True, allow_negative=True
)
CALL = {
    "code": "calls", "meter": "calls", "model": "graduated", "billing": "in_advance",
    "tiers": [{"up_to": "10", "unit": "0.333", "flat": "1"}, {"up_to": None, "unit": "0.1"}],
}  # fmt: skip
SEAT = {
    "code": "seats", "meter": "seats", "model": "per_unit", "unit": "31", "prorate": True,
    "billing": "in_advance",
}  # fmt: skip


def day(month: int, number: int, hour: int = 9) -> datetime:
    return datetime(2026, month, number, hour, tzinfo=UTC)


class Shop:
    """An account on a plan, its events, and the work that a worker does for it."""

    def __init__(self, world: World, account: Account, on: Subscription) -> None:
        self.world = world
        self.account = account
        self.on = on

    async def use(self, meter: str, count: int, at: datetime, **properties: str) -> None:
        async with self.world.db.transaction(WRITER) as conn:
            await conn.execute(
                "INSERT INTO usage_events (account_id, key, at, event_type, source, event_id,"
                " properties) VALUES ($1, $2, $3, $4, 'test', $5, $6)",
                self.account.account_id, uuid4(), at, meter, str(uuid4()),
                json.dumps({"n": count, **properties}),
            )  # fmt: skip

    async def work(self, now: datetime) -> int:
        """Look for events and bill, as the worker does; return how many bills that were."""
        await UsageWatch(self.world.db).run_due(now, None)
        count: int = await self.world.bill(now)
        return count

    async def uses(self, meter: str, count: int, at: datetime, **properties: str) -> None:
        await self.use(meter, count, at, **properties)
        await self.work(at)

    async def shown(self, now: datetime) -> int:
        """Return what the page of usage says that the running period costs."""
        async with self.world.db.transaction(account_scope(self.account.account_id)) as conn:
            found = await current_usage(conn, self.account.account_id, now)
        return found.report.total_overage_cost.minor if found else 0

    async def invoiced(self) -> int:
        return sum(minor for _, minor in await self.lines())

    async def to_come(self, now: datetime) -> int:
        """Return what the invoice at the period's end adds, as a preview shows it."""
        async with self.world.db.transaction(WRITER) as conn:
            seen = await preview(conn, self.account, Nothing(), now)
        return sum(
            line.amount.minor
            for one in (*seen.now, *([seen.next] if seen.next else []))
            for line in one.invoice.lines
            if line.period_start is not None and line.period_start < day(2, 1, 0)
        )

    async def lines(self) -> list[tuple[str, int]]:
        """Return the lines of all invoices, each of which says what follows from its inputs."""
        async with self.world.db.transaction(WRITER) as conn:
            assert [one async for one in recompute.differences(conn, None, lambda _: None)] == []
        found = await self.world.invoices(self.account)
        return [(line.description, line.amount.minor) for one in found for line in one.lines]


async def shop_of(world: World, *prices: dict[str, Any], **more: Any) -> Shop:
    async with world.db.transaction(WRITER) as conn:
        for meter in (CALLS, SEATS):
            await metering.create_meter(conn, meter, START)
    plan = await world.plan([read_price({"currency": "EUR", **price}) for price in prices], **more)
    account = await world.account()
    shop = Shop(world, account, await world.subscribe(account, plan, START))
    await shop.work(START)
    return shop


async def test_each_event_is_billed_what_it_adds(world: World) -> None:
    shop = await shop_of(world, CALL)
    assert await shop.lines() == []
    await shop.uses("calls", 4, day(1, 2))
    await shop.uses("calls", 5, day(1, 3))
    await shop.use("calls", 3, day(1, 2))  # late, in the period that runs
    await shop.work(day(1, 4))
    assert await shop.lines() == [("Calls", 233), ("Calls", 167), ("Calls", 53)]
    await shop.work(day(2, 1, 0))
    assert (await shop.lines())[3:] == [("Calls: not billed yet", 0)]


async def test_looking_again_bills_nothing(world: World) -> None:
    shop = await shop_of(world, CALL)
    await shop.use("calls", 4, day(1, 2))
    watch = UsageWatch(world.db)
    assert await watch.run_due(day(1, 2), None) == 1
    assert await UsageWatch(world.db).run_due(day(1, 2), None) == 0
    assert await shop.work(day(1, 2)) == 1
    assert await shop.work(day(1, 3)) == 0
    await world.rows("UPDATE usage_advance_marks SET snapshot = NULL RETURNING 1")
    assert await shop.work(day(1, 3)) == 1
    assert await shop.lines() == [("Calls", 233)]


async def test_an_event_that_comes_while_its_subscription_is_billed_is_billed_next(
    world: World,
) -> None:
    shop = await shop_of(world, CALL)
    await shop.use("calls", 4, day(1, 2))
    await UsageWatch(world.db).run_due(day(1, 2), None)
    async with world.db.transaction(WRITER) as conn:
        await bill_now(
            conn, shop.account.account_id, shop.on.subscription_id, now=day(1, 2),
            seller=world.run()._seller,
        )  # fmt: skip
        await asyncio.create_task(shop.use("calls", 5, day(1, 2)))  # in its own transaction
        looking = asyncio.create_task(UsageWatch(world.db).run_due(day(1, 2), None))
        await asyncio.sleep(0.1)
        assert not looking.done()
    assert await looking == 1
    await world.bill(day(1, 2))
    assert await shop.lines() == [("Calls", 233), ("Calls", 167)]


async def test_what_falls_is_used_up_by_what_follows_and_credited_at_the_end(world: World) -> None:
    """Lago's example: 10, less 4, plus 8 at 1.00 each bill 10, 0 and 4; then 9 are taken back."""
    unit = {**CALL, "model": "per_unit", "unit": "1"}
    del unit["tiers"]
    shop = await shop_of(world, unit)
    for count in (10, -4, 8, -9):
        await shop.uses("calls", count, day(1, 5))
    assert await shop.lines() == [("Calls", 1000), ("Calls", 400)]
    await shop.work(day(2, 1, 0))
    assert (await shop.lines())[2:] == [
        ("Calls: not billed yet", -900), ("Credit kept for later invoices", 900)
    ]  # fmt: skip


async def test_groups_have_their_own_fees_and_a_maximum_bounds_them(world: World) -> None:
    unit = {**CALL, "model": "per_unit", "unit": "1", "group_by": ["region"], "maximum": "12"}
    del unit["tiers"]
    shop = await shop_of(world, unit)
    await shop.uses("calls", 8, day(1, 2), region="eu")
    await shop.uses("calls", 7, day(1, 3), region="us")
    await shop.work(day(2, 1, 0))
    lines = await shop.lines()
    assert lines[:1] == [("Calls (region eu)", 800)]
    assert sum(amount for _, amount in lines) == 1200


async def test_seats_pay_the_rest_of_the_period_and_keep_what_was_paid(world: World) -> None:
    """2 seats for 29 days; one goes and two come: a third one for 11 days; then 3 for February."""
    shop = await shop_of(world, SEAT)
    for count, at in ((2, day(1, 3)), (-1, day(1, 11)), (2, day(1, 21))):
        await shop.uses("seats", count, at)
    assert await shop.lines() == [("Seats", 5800), ("Seats", 1100)]
    await shop.work(day(2, 1, 0))
    assert (await shop.lines())[2:] == [("Seats: not billed yet", 0), ("Seats", 9300)]


async def test_seats_that_go_are_credited_where_the_plan_says_so(world: World) -> None:
    shop = await shop_of(world, {**SEAT, "on_decrease": "credit"})
    await shop.uses("seats", 2, day(1, 1))
    await shop.uses("seats", -1, day(1, 11))
    await shop.work(day(2, 1, 0))
    assert await shop.lines() == [
        ("Seats", 6200), ("Seats: not billed yet", -2100), ("Seats", 3100)
    ]  # fmt: skip


@pytest.mark.parametrize(("remainder", "back"), [("credit", -4200), ("none", 0)])
async def test_the_days_behind_the_end_are_given_back_or_kept(
    world: World, remainder: Any, back: int
) -> None:
    shop = await shop_of(world, SEAT)
    await shop.uses("seats", 2, day(1, 1))
    async with world.db.transaction(WRITER) as conn:
        named = shop.account.account_id, shop.on.subscription_id
        await changing.cancel_now(conn, *named, day(1, 10), remainder)
    await shop.work(day(1, 10))
    assert [line for line in await shop.lines() if "Credit" not in line[0]] == [
        ("Seats", 6200), *([("Seats: not billed yet", back)] if back else [])
    ]  # fmt: skip


async def test_fees_of_a_period_are_collected_by_its_invoice(world: World) -> None:
    shop = await shop_of(world, {**CALL, "invoice_at": "period"})
    await shop.uses("calls", 4, day(1, 2))
    await shop.uses("calls", 5, day(1, 3))
    assert await shop.lines() == []
    await shop.work(day(2, 1, 0))
    assert await shop.lines() == [("Calls", 400)]
    rows = await world.rows("SELECT amount_minor, is_invoiced FROM usage_fees ORDER BY bill_index")
    assert [tuple(row) for row in rows] == [(233, False), (167, False), (0, False)]


async def test_a_commitment_counts_what_was_billed_as_it_came(world: World) -> None:
    shop = await shop_of(world, CALL, minimum_commitment={"EUR": Decimal(10)})
    await shop.uses("calls", 9, day(1, 2))
    await shop.work(day(2, 1, 0))
    assert (await shop.lines())[1:] == [
        ("Calls: not billed yet", 0), ("Pro: up to the commitment", 600)
    ]  # fmt: skip


async def test_the_last_line_stands_for_the_period_where_usage_changes_later(world: World) -> None:
    shop = await shop_of(world, CALL)
    await shop.uses("calls", 9, day(1, 2))
    await shop.work(day(2, 1, 0))
    async with world.db.transaction(account_scope(shop.account.account_id)) as conn:
        found = await issued_usage_lines(conn, shop.account.account_id, ["calls"], START)
    assert [(line.quantity, line.amount.minor) for line in found] == [(Decimal(9), 400)]


async def test_a_preview_walks_over_fees_that_nobody_wrote(world: World) -> None:
    shop = await shop_of(world, SEAT)
    await shop.uses("seats", 2, day(1, 1))
    async with world.db.transaction(account_scope(shop.account.account_id)) as conn:
        seen = await preview(conn, shop.account, Nothing(), day(1, 20))
    assert seen.next is not None
    shown = [(line.description, line.amount.minor) for line in seen.next.invoice.lines]
    assert shown == [("Seats: not billed yet", 0), ("Seats", 6200)]
    async with world.db.transaction(WRITER) as conn:
        on = await subscriptions.get_subscription(
            conn, shop.account.account_id, shop.on.subscription_id
        )
    assert on.next_bill_at == day(2, 1, 0)


@pytest.mark.parametrize(
    ("price", "meter"),
    [
        ({"model": "per_unit", "unit": "1"}, {"aggregation": "average"}),
        ({"model": "per_unit", "unit": "1"}, {"aggregation": "max"}),
        ({"model": "per_unit", "unit": "1"}, {"recurring": True}),
        ({"model": "volume", "tiers": [{"up_to": None, "unit": "1"}]}, {}),
        ({"model": "capacity", "tiers": [{"up_to": None, "amount": "1"}]}, {}),
    ],
    ids=["average", "max", "carried over whole", "volume", "capacity"],
)
async def test_what_more_usage_may_make_cheaper_is_not_sold_in_advance(
    world: World, price: dict[str, Any], meter: dict[str, Any]
) -> None:
    new = NewMeter(**{"code": "m", "property": "n", "aggregation": "sum", **meter})
    async with world.db.transaction(WRITER) as conn:
        await metering.create_meter(conn, new, START)
    told = {"currency": "EUR", "code": "p", "meter": "m", "billing": "in_advance", **price}
    with pytest.raises(BadInput) as caught:
        await world.plan([read_price(told)])
    assert [fault.code for fault in caught.value.errors] == ["usage_in_advance"]


COLLECTED = {**CALL, "invoice_at": "period"}
CREDITED = {**SEAT, "on_decrease": "credit"}


@pytest.mark.parametrize("price", [CALL, COLLECTED, SEAT, CREDITED])
async def test_what_is_shown_is_what_was_invoiced_and_what_is_to_come(
    world: World, price: dict[str, Any]
) -> None:
    shop = await shop_of(world, price)
    meter = price["meter"]
    for count, at in ((4, day(1, 2)), (7, day(1, 10)), (-3, day(1, 20))):
        await shop.uses(meter, count, at)
        shown = await shop.shown(at)
        assert shown == await shop.invoiced() + await shop.to_come(at)
    shown = await shop.shown(day(1, 31))
    await shop.work(day(2, 1, 0))
    of_january = [
        line.amount.minor
        for one in await world.invoices(shop.account)
        for line in one.lines
        if line.period_start is not None and line.period_start < day(2, 1, 0)
    ]
    assert shown == sum(of_january)
