"""What was paid with a coupon is given back with it: no more than was paid for that time."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tallystick.accounts.model import Account
from tallystick.catalog import offers
from tallystick.catalog import service as catalog
from tallystick.catalog.model import NewPlanVersion, PlanVersion
from tallystick.catalog.offer_model import NewCoupon
from tallystick.credit_notes.remainders import pay_remainders_back
from tallystick.documents.document import Party
from tallystick.invoices.biller import bill_now
from tallystick.invoices.explain import invoice_explanations
from tallystick.invoices.recompute import differences
from tallystick.invoices.service import settle as settle_invoice
from tallystick.kernel.db import WRITER, account_scope
from tallystick.pricing.model import FlatPrice
from tallystick.subscriptions import changing
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.model import Subscription
from tallystick.timeline import preview as previews

SELLER = Party("Seller", ("1 Main Street",), "billing@example.com", "FR123")
World = Any  # the fixture's class stands in conftest.py, which tests can not import
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
TENTH = datetime(2026, 1, 11, tzinfo=UTC)
TWENTIETH = datetime(2026, 1, 21, tzinfo=UTC)


async def plan(world: World, code: str, amount: str) -> PlanVersion:
    fee = FlatPrice(currency="EUR", code="fee", amount=Decimal(amount), billing="in_advance")
    new = NewPlanVersion(
        plan_code=code, plan_name=code.title(), currency="EUR", interval="month", prices=(fee,)
    )
    async with world.db.transaction(WRITER) as conn:
        return await catalog.create_plan_version(conn, new, BEGAN)


async def redeem(world: World, account: Account, **terms: Any) -> None:
    new = NewCoupon(**{"code": "GIFT", "name": "Gift", **terms})
    async with world.db.transaction(WRITER) as conn:
        await offers.create_coupon(conn, new, BEGAN)
        await offers.redeem_coupon(conn, account.account_id, "EUR", new.code, BEGAN)


async def begin(world: World, account: Account, version: PlanVersion) -> Subscription:
    async with world.db.transaction(WRITER) as conn:
        made = await subscriptions.subscribe(conn, account, version, BEGAN)
        return await bill_now(
            conn, account.account_id, made.subscription_id, now=BEGAN, seller=SELLER
        )


async def change(world: World, on: Subscription, to: PlanVersion | None, at: datetime) -> None:
    """Come to another plan at once; None: end, with the rest as credit."""
    named = on.account_id, on.subscription_id
    async with world.db.transaction(WRITER) as conn:
        if to is None:
            await changing.cancel_now(conn, *named, at, "credit")
        else:
            await changing.change_terms(conn, *named, plan=to, quantity=None, when="now", now=at)
        await bill_now(conn, *named, now=at, seller=SELLER)


async def net(world: World, account: Account) -> list[int]:
    """What each invoice comes to, what it leaves to later ones taken off."""
    return [
        sum(line.amount.minor for line in one.lines if line.price_code != "credit")
        for one in await world.invoices(account)
    ]


async def nothing_differs(world: World) -> bool:
    async with world.db.transaction(WRITER) as conn:
        return [one async for one in differences(conn, None, lambda _count: None)] == []


@pytest.mark.parametrize(
    ("terms", "billed"),
    [
        ({"percent": Decimal(50)}, [1550, -1050]),
        ({"percent": Decimal(100)}, [0, 0]),
        ({"amounts": {"EUR": Decimal("3.10")}}, [2790, -1890]),
        ({"amounts": {"EUR": Decimal(100)}}, [0, 0]),
        ({"percent": Decimal(50), "plans": ("other",)}, [3100, -2100]),
    ],
    ids=["half", "all", "an amount", "more than all", "not covered"],
)
async def test_the_unused_rest_is_given_back_less_its_discount(
    world: World, terms: dict[str, Any], billed: list[int]
) -> None:
    account = await world.account()
    await redeem(world, account, **terms)
    begun = await begin(world, account, await plan(world, "small", "31"))
    await change(world, begun, None, datetime(2026, 1, 10, tzinfo=UTC))
    assert await net(world, account) == billed
    assert await nothing_differs(world)


async def test_changes_there_and_back_give_back_what_the_last_invoice_took(world: World) -> None:
    account = await world.account()
    small, large = await plan(world, "small", "31"), await plan(world, "large", "62")
    await redeem(world, account, percent=Decimal(50), duration="forever")
    begun = await begin(world, account, small)
    await change(world, begun, large, TENTH)
    await change(world, begun, small, TWENTIETH)
    # ten days of 0.50, ten of 1.00, eleven of 0.50
    assert sum(await net(world, account)) == 500 + 1000 + 550
    assert await nothing_differs(world)


async def test_a_coupon_that_is_used_up_lowers_what_is_given_back_alone(world: World) -> None:
    account = await world.account(tax_percent=Decimal(20), tax_name="VAT")
    small, large = await plan(world, "small", "31"), await plan(world, "large", "62")
    await redeem(world, account, percent=Decimal(50))
    begun = await begin(world, account, small)
    await change(world, begun, large, TENTH)
    first, second = await world.invoices(account)
    assert [line.amount.minor for line in second.lines] == [-1050, 4200]
    assert (first.tax.minor, second.tax.minor) == (310, 630)
    async with world.db.transaction(account_scope(account.account_id)) as conn:
        given_back, _ = await invoice_explanations(conn, second)
    said = f"less €10.50, its share of the €15.50 that coupons took off €31.00: {first.number}"
    assert given_back.steps[-1] == said
    assert given_back.is_same


async def test_a_preview_shows_what_is_given_back_of_fees_that_are_still_to_come(
    world: World,
) -> None:
    account = await world.account()
    small, large = await plan(world, "small", "31"), await plan(world, "large", "62")
    await redeem(world, account, percent=Decimal(50), duration="forever")
    begun = await begin(world, account, small)
    asked = previews.ChangeTerms(
        subscription_id=begun.subscription_id, plan=large.plan_code, when="now"
    )
    async with world.db.transaction(account_scope(account.account_id)) as conn:
        shown = await previews.preview(conn, account, asked, TENTH)
    await change(world, begun, large, TENTH)
    ahead = [one.invoice.subtotal.minor for one in shown.now]
    assert ahead == [invoice.subtotal.minor for invoice in (await world.invoices(account))[1:]]
    assert ahead == [-1050 + 2100]


async def test_the_rest_that_is_refunded_is_a_note_over_what_was_paid_for_it(world: World) -> None:
    account = await world.account(tax_percent=Decimal(20), tax_name="VAT")
    await redeem(world, account, percent=Decimal(50))
    begun = await begin(world, account, await plan(world, "small", "31"))
    (first,) = await world.invoices(account)
    named = account.account_id, begun.subscription_id
    async with world.db.transaction(WRITER) as conn:
        await settle_invoice(conn, account.account_id, first.invoice_id, first.total, BEGAN)
        await changing.cancel_now(conn, *named, datetime(2026, 1, 10, tzinfo=UTC), "refund")
        await bill_now(conn, *named, now=datetime(2026, 1, 10, tzinfo=UTC), seller=SELLER)
        (note,) = await pay_remainders_back(conn, account.account_id, TENTH)
        assert await pay_remainders_back(conn, account.account_id, TENTH) == ()
    # 15.50 were paid for 31 days, 21 of which were not used
    assert (note.subtotal.minor, note.tax.minor, note.refund.minor) == (1050, 210, 1260)
