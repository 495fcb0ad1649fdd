"""Too small amounts are carried forward, nothing is issued or not, prepaid money pays at once."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

import pytest

from tallystick.accounts.model import Account
from tallystick.invoices import prepaid
from tallystick.invoices.model import Invoice, Status
from tallystick.issuers import service as issuers
from tallystick.issuers.model import ZeroRule
from tallystick.kernel.db import WRITER
from tallystick.ledger import service as ledger
from tallystick.ledger.model import PREPAID, RECEIVABLE
from tallystick.money.amount import Money
from tallystick.pricing.model import FlatPrice
from tallystick.subscriptions import changing
from tests.service.invoices.conftest import END, SELLER, START, World, fee_and_calls

APRIL = datetime.fromisoformat("2026-04-30T00:00:00Z")


async def told(world: World, amounts: Mapping[str, Decimal], zero_rule: ZeroRule = "issue") -> None:
    async with world.db.transaction(WRITER) as conn:
        issuer = await issuers.follow_settings(conn, SELLER, START)
        asked = {"minimum_amounts": amounts, "zero_rule": zero_rule}
        await issuers.change_issuer(conn, issuer.issuer_id, asked)


async def prepay(world: World, account: Account, minor: int, key: str = "1") -> bool:
    async with world.db.transaction(WRITER) as conn:
        return await prepaid.receive(
            conn, account.account_id, Money(minor, "EUR"), key=key, reason="transfer", at=START
        )


async def standing(world: World, account: Account) -> tuple[int, int]:
    async with world.db.transaction(WRITER) as conn:
        return (
            await ledger.balance(conn, account.account_id, RECEIVABLE, "EUR"),
            -await ledger.balance(conn, account.account_id, PREPAID, "EUR"),
        )


def asked(invoices: tuple[Invoice, ...]) -> list[int]:
    return [one.subtotal.minor for one in invoices]


async def test_too_little_is_carried_until_it_is_enough(world: World) -> None:
    await told(world, {"EUR": Decimal(12), "USD": Decimal(500)})
    account = await world.account()
    fee = FlatPrice(currency="EUR", code="fee", amount=Decimal(5))
    await world.subscribe(account, await world.plan([fee]))
    world.wall = APRIL
    await world.bill(APRIL)
    assert asked(await world.invoices(account)) == [0, 0, 1500]
    kinds = [line.kind for line in (await world.invoices(account))[-1].lines]
    assert kinds == ["subscription", "adjustment"]


@pytest.mark.parametrize(("own", "billed"), [(1000, [0, 1000, 0]), (0, [500, 500, 500])])
async def test_what_the_account_says_comes_before_what_its_issuer_says(
    world: World, own: int, billed: list[int]
) -> None:
    await told(world, {"EUR": Decimal(12)})
    account = await world.account(minimum_amount_minor=own)
    fee = FlatPrice(currency="EUR", code="fee", amount=Decimal(5))
    await world.subscribe(account, await world.plan([fee]))
    world.wall = APRIL
    await world.bill(APRIL)
    assert asked(await world.invoices(account)) == billed


async def test_nothing_is_carried_beyond_the_last_invoice(world: World) -> None:
    await told(world, {"EUR": Decimal(100)})
    account = await world.account()
    fee = FlatPrice(currency="EUR", code="fee", amount=Decimal(5))
    on = await world.subscribe(account, await world.plan([fee]))
    await world.bill(END)
    async with world.db.transaction(WRITER) as conn:
        await changing.cancel_now(conn, account.account_id, on.subscription_id, APRIL)
    await world.bill(APRIL)
    billed = asked(await world.invoices(account))
    assert billed[:-1] == [0] * (len(billed) - 1)
    assert billed[-1] >= 1500


@pytest.mark.parametrize(("rule", "count"), [("issue", 1), ("skip", 0)])
async def test_a_bill_over_nothing_is_issued_and_paid_or_not_made(
    world: World, rule: ZeroRule, count: int
) -> None:
    await told(world, {}, rule)
    account = await world.account()
    free = FlatPrice(currency="EUR", code="fee", amount=Decimal(0))
    on = await world.subscribe(account, await world.plan([free]))
    await world.bill(END)
    found = await world.invoices(account)
    assert [one.status for one in found] == [Status.PAID] * count
    assert (await world.subscription(on)).period_start == END


@pytest.mark.parametrize(
    ("minor", "paid", "status", "left"),
    [(2000, 2000, Status.OPEN, 0), (5400, 5400, Status.PAID, 0), (9000, 5400, Status.PAID, 3600)],
    ids=["a part", "all", "more"],
)
async def test_prepaid_money_pays_as_far_as_it_reaches(
    world: World, minor: int, paid: int, status: Status, left: int
) -> None:
    account = await world.account()
    assert await prepay(world, account, minor)
    assert not await prepay(world, account, minor)
    await world.subscribe(account, await world.plan(fee_and_calls("EUR")))
    await world.bill(END)
    invoice = await world.invoice(account)
    assert (invoice.paid.minor, invoice.due.minor) == (paid, 5400 - paid)
    assert invoice.status is status
    assert await standing(world, account) == (5400 - paid, left)
    document = await world.rows("SELECT document ->> 'prepaid_minor' AS told FROM invoices")
    assert [int(row["told"]) for row in document] == [paid]


async def test_two_runs_at_once_pay_with_the_same_money_once(world: World) -> None:
    account = await world.account()
    await prepay(world, account, 8000)
    for code in ("one", "two", "three"):
        await world.subscribe(account, await world.plan(fee_and_calls("EUR"), code))
    runs = [world.run(batch_max=1) for _ in range(3)]
    while sum(await asyncio.gather(*(run.run_due(END, None) for run in runs))):
        pass
    found = await world.invoices(account)
    assert sum(one.paid.minor for one in found) == 8000
    owed = sum(one.due.minor for one in found)
    assert await standing(world, account) == (owed, 0)
