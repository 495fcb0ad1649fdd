"""Redeemed coupons lower invoices, each as far as it goes, and no amount is used twice."""

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tallystick.accounts.model import Account
from tallystick.catalog import offers
from tallystick.catalog.offer_model import NewCoupon, Redemption
from tallystick.invoices.recompute import differences
from tallystick.invoices.voiding import give_back
from tallystick.kernel.db import WRITER, account_scope
from tallystick.timeline.walk import walk_of
from tests.service.invoices.conftest import END, START, World, fee_and_calls

APRIL = datetime.fromisoformat("2026-04-30T00:00:00Z")


async def redeem(world: World, account: Account, **terms: Any) -> None:
    new = NewCoupon(**{"code": "GIFT", "name": "Gift", "redemptions_per_account_max": 2, **terms})
    async with world.db.transaction(WRITER) as conn:
        await offers.create_coupon(conn, new, START)
        await offers.redeem_coupon(conn, account.account_id, "EUR", new.code, START)


async def coupon(world: World, account: Account) -> Redemption:
    async with world.db.transaction(account_scope(account.account_id)) as conn:
        (only,) = await offers.list_redemptions(conn, account.account_id)
    return only


async def discounts(world: World, account: Account) -> list[int]:
    return [
        sum(line.amount.minor for line in invoice.lines if line.kind == "discount")
        for invoice in await world.invoices(account)
    ]


@pytest.mark.parametrize(
    ("terms", "taken"),
    [
        ({"amounts": {"EUR": Decimal(120)}}, [-5400, -5400, -1200]),
        ({"percent": Decimal(50)}, [-2700, 0, 0]),
        ({"percent": Decimal(50), "duration": "periods", "periods": 2}, [-2700, -2700, 0]),
        ({"percent": Decimal("12.5"), "duration": "forever"}, [-675, -675, -675]),
        ({"percent": Decimal(50), "prices": ("calls",), "duration": "forever"}, [-250] * 3),
        ({"percent": Decimal(50), "plans": ("other",)}, [0, 0, 0]),
    ],
    ids=["an amount", "once", "two periods", "for ever", "one price", "another plan"],
)
async def test_a_coupon_lowers_invoices_as_long_as_it_says(
    world: World, terms: dict[str, Any], taken: list[int]
) -> None:
    account = await world.account()
    await redeem(world, account, **terms)
    await world.subscribe(account, await world.plan(fee_and_calls("EUR")))
    world.wall = APRIL
    await world.bill(APRIL)
    assert await discounts(world, account) == taken
    for invoice in await world.invoices(account):
        assert invoice.subtotal.minor == sum(line.amount.minor for line in invoice.lines)
    async with world.db.transaction(WRITER) as conn:
        assert [found async for found in differences(conn, None, lambda _count: None)] == []


async def test_a_walk_ahead_shows_coupons_and_uses_nothing(world: World) -> None:
    account = await world.account()
    await redeem(world, account, amounts={"EUR": Decimal(80)})
    on = await world.subscribe(account, await world.plan(fee_and_calls("EUR")))
    before = await coupon(world, account)
    async with world.db.transaction(account_scope(account.account_id)) as conn:
        walk = await walk_of(conn, account, START, can_pay=True)
        ahead = [one.invoice async for stop in walk.until([on], APRIL) for one in stop.invoices]
    assert [one.subtotal.minor for one in ahead] == [0, 2800, 5400]
    assert await coupon(world, account) == before
    await world.bill(APRIL)
    billed = [one.subtotal.minor for one in await world.invoices(account)]
    assert billed == [0, 2800, 5400]


async def test_two_runs_at_once_use_an_amount_once(world: World) -> None:
    account = await world.account()
    await redeem(world, account, amounts={"EUR": Decimal(60)})
    for code in ("one", "two", "three"):
        await world.subscribe(account, await world.plan(fee_and_calls("EUR"), code))
    runs = [world.run(batch_max=1) for _ in range(3)]
    while sum(await asyncio.gather(*(run.run_due(END, None) for run in runs))):
        pass
    assert sum(await discounts(world, account)) == -6000
    left = await coupon(world, account)
    assert (left.amount_left_minor, left.ended_at) == (0, END)


async def test_what_a_void_invoice_used_lowers_others_again(world: World) -> None:
    account = await world.account()
    await redeem(world, account, amounts={"EUR": Decimal(50)})
    await world.subscribe(account, await world.plan(fee_and_calls("EUR")))
    await world.bill(END)
    used = await coupon(world, account)
    assert (used.amount_left_minor, used.ended_at) == (0, END)
    invoice = await world.invoice(account)
    async with world.db.transaction(WRITER) as conn:
        await give_back(conn, account.account_id, invoice.invoice_id, END + timedelta(days=1))
    left = await coupon(world, account)
    assert (left.amount_left_minor, left.ended_at) == (5000, None)
