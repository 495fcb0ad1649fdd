"""Add-ons of subscriptions: billed for the days on which they are there, kept as bought."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tallystick.catalog import features, offers
from tallystick.catalog.feature_model import NewFeature
from tallystick.catalog.offer_model import NewAddOn
from tallystick.documents.document import Party
from tallystick.invoices import recompute
from tallystick.invoices.add_on_bills import end_add_on, sell_add_on
from tallystick.kernel.db import WRITER, account_scope
from tallystick.kernel.errors import BadInput, Conflict, NotFound
from tallystick.kernel.ids import new_id
from tallystick.pricing.model import FlatPrice
from tallystick.subscriptions import changing
from tallystick.subscriptions.access_lookup import AccessLookup
from tallystick.subscriptions.add_ons import Asked
from tallystick.timeline.preview import Nothing, preview

World = Any  # the fixture's class stands in conftest.py, which tests can not import
SELLER = Party("Seller", ("1 Main Street",), "billing@example.com", "FR123")
START = datetime(2026, 1, 1, tzinfo=UTC)


def day(month: int, number: int, hour: int = 9) -> datetime:
    return datetime(2026, month, number, hour, tzinfo=UTC)


class Shop:
    """An account on a plan of 31.00, and add-ons that are sold."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def open(self, billing: Any) -> None:
        async with self.world.db.transaction(WRITER) as conn:
            await features.create_feature(conn, NewFeature(code="projects", kind="number"), START)
        await self.sell("62")
        fee = FlatPrice(currency="EUR", code="fee", amount=Decimal(31), billing=billing)
        self.account = await self.world.account()
        self.on = await self.world.subscribe(self.account, await self.world.plan([fee]), START)
        await self.world.bill(START)

    async def sell(self, amount: str, charge: Any = "per_period", code: str = "help") -> None:
        new = NewAddOn(
            code=code, name=code.title(), charge=charge, amounts={"EUR": Decimal(amount)},
            features={"projects": "5"},
        )  # fmt: skip
        async with self.world.db.transaction(WRITER) as conn:
            await offers.create_add_on(conn, new, START)

    async def add(self, at: datetime, code: str = "help", **asked: Any) -> Any:
        named = self.on.account_id, self.on.subscription_id
        async with self.world.db.transaction(WRITER) as conn:
            return await sell_add_on(conn, *named, code, Asked(**asked), now=at, seller=SELLER)

    async def remove(self, added: Any, now: datetime, at: datetime | None = None) -> Any:
        named = self.on.account_id, added.subscription_add_on_id
        async with self.world.db.transaction(WRITER) as conn:
            return await end_add_on(conn, *named, at, now=now, seller=SELLER)

    async def lines(self) -> list[tuple[str, int]]:
        """Return the lines for add-ons; every line says what follows from its inputs."""
        async with self.world.db.transaction(WRITER) as conn:
            assert [one async for one in recompute.differences(conn, None, lambda _: None)] == []
        found = await self.world.invoices(self.account)
        lines = [(line.description, line.amount.minor) for one in found for line in one.lines]
        return [line for line in lines if line[0].startswith(("Help", "Setup"))]


@pytest.fixture
async def shop(world: World) -> Shop:
    made = Shop(world)
    await made.open("in_advance")
    return made


async def test_days_that_are_paid_ahead_are_billed_at_once_and_given_back(shop: Shop) -> None:
    added = await shop.add(day(1, 11), quantity=2)
    await shop.world.bill(day(2, 1))
    await shop.remove(added, day(2, 10))
    await shop.world.bill(day(3, 1))
    assert await shop.lines() == [
        ("Help: 21 of 31 days", 8400), ("Help", 12400), ("Help: unused, given back", -7971)
    ]  # fmt: skip


async def test_where_fees_are_billed_afterwards_so_are_add_ons(world: World) -> None:
    shop = Shop(world)
    await shop.open("in_arrears")
    added = await shop.add(day(1, 11))
    await shop.remove(added, day(1, 20))
    assert await shop.lines() == []
    await world.bill(day(3, 1))
    assert await shop.lines() == [("Help: 10 of 31 days", 2000)]


async def test_what_is_billed_once_is_billed_when_it_is_put_on(shop: Shop) -> None:
    await shop.sell("100", "once", "setup")
    added = await shop.add(day(1, 11), "setup", quantity=3)
    await shop.remove(added, day(1, 12))
    await shop.world.bill(day(3, 1))
    assert await shop.lines() == [("Setup", 30000)]


async def test_one_keeps_the_version_that_was_bought(shop: Shop) -> None:
    await shop.add(day(1, 1, 0))
    await shop.sell("99")
    await shop.world.bill(day(2, 1))
    assert await shop.lines() == [("Help", 6200), ("Help", 6200)]


async def test_what_comes_later_or_ends_is_billed_for_its_days(shop: Shop) -> None:
    await shop.add(day(1, 5), starts_at=day(2, 15, 0), ends_at=day(3, 10))
    for month in (2, 3, 4):
        await shop.world.bill(day(month, 1))
    assert await shop.lines() == [("Help: 14 of 28 days", 3100), ("Help: 10 of 31 days", 2000)]


async def test_it_goes_with_its_subscription(shop: Shop) -> None:
    await shop.add(day(1, 1, 0))
    async with shop.world.db.transaction(WRITER) as conn:
        await changing.cancel_now(conn, shop.on.account_id, shop.on.subscription_id, day(1, 10))
    await shop.world.bill(day(1, 10))
    await shop.world.bill(day(3, 1))
    assert await shop.lines() == [("Help", 6200), ("Help: unused, given back", -4200)]


async def test_a_preview_has_it(shop: Shop) -> None:
    await shop.add(day(1, 1, 0))
    async with shop.world.db.transaction(account_scope(shop.on.account_id)) as conn:
        seen = await preview(conn, shop.account, Nothing(), day(1, 20))
    assert seen.next is not None
    assert [line.amount.minor for line in seen.next.invoice.lines] == [3100, 6200]


async def test_its_features_are_added_to_the_plan(shop: Shop) -> None:
    added = await shop.add(day(1, 2), quantity=2)
    await shop.remove(added, day(1, 2), at=day(1, 20))
    lookup = AccessLookup(shop.world.db)
    has = [await lookup.find(shop.account, "projects", day(1, at)) for at in (19, 20)]
    await lookup.close()
    assert [(one.allowed, one.value) for one in has] == [(True, "10"), (False, "0")]


async def test_what_can_not_be_put_on_or_taken_off_is_refused(shop: Shop) -> None:
    with pytest.raises(NotFound):
        await shop.add(day(1, 2), "nothing")
    with pytest.raises(BadInput):
        await shop.add(day(1, 2), quantity=0)
    with pytest.raises(BadInput):
        await shop.add(day(1, 2), starts_at=day(1, 1))
    added = await shop.add(day(1, 2))
    await shop.remove(added, day(1, 3))
    with pytest.raises(Conflict) as caught:
        await shop.remove(added, day(1, 4))
    assert caught.value.code == "add_on_ended"
    with pytest.raises(NotFound):
        await shop.remove(type("Gone", (), {"subscription_add_on_id": new_id()}), day(1, 4))
    usd = NewAddOn(code="usd", name="U", charge="once", amounts={"USD": Decimal(1)})
    async with shop.world.db.transaction(WRITER) as conn:
        await offers.create_add_on(conn, usd, START)
    with pytest.raises(Conflict) as caught:
        await shop.add(day(1, 4), "usd")
    assert caught.value.code == "add_on_not_in_currency"
