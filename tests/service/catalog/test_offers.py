import asyncio
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account, NewAccount
from tallystick.catalog import features, offers, rates
from tallystick.catalog.feature_model import NewFeature
from tallystick.catalog.offer_model import NewAddOn, NewCoupon
from tallystick.kernel.db import WRITER, Database, account_scope
from tallystick.kernel.errors import BadInput, Conflict, NotFound, TallystickError
from tallystick.kernel.ids import new_id

AT = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def add_on(**changes: Any) -> NewAddOn:
    told = {"code": "onboarding", "name": "Onboarding", "charge": "once",
            "amounts": {"usd": Decimal("99.50")}}  # fmt: skip
    return NewAddOn(**{**told, **changes})


def coupon(**changes: Any) -> NewCoupon:
    return NewCoupon(**{"code": "spring", "name": "Spring", "percent": Decimal(20), **changes})


@pytest.fixture
async def account(db: Database) -> Account:
    new = NewAccount(name="Ada", email="ada@example.com", currency="EUR", country="FR")
    async with db.transaction(WRITER) as conn:
        return await accounts.create_account(conn, new, AT)


async def redeem(db: Database, account: Account, at: datetime = AT) -> int | None:
    async with db.transaction(WRITER) as conn:
        made = await offers.redeem_coupon(conn, account.account_id, "EUR", "Spring", at)
    return made.amount_left_minor


async def sell(db: Database, new: NewCoupon) -> None:
    async with db.transaction(WRITER) as conn:
        await offers.create_coupon(conn, new, AT)


async def test_an_add_on_is_sold_in_versions(db: Database) -> None:
    async with db.transaction(WRITER) as conn:
        await features.create_feature(conn, NewFeature(code="help", kind="boolean"), AT)
        first = await offers.create_add_on(conn, add_on(features={"help": True}), AT)
        assert (first.version, first.status, first.features) == (1, "active", {"help": True})
        assert first.amounts == {"USD": Decimal("99.5")}
        second = await offers.create_add_on(conn, add_on(charge="per_period"), AT)
        assert await offers.list_add_ons(conn) == (second,)
        assert (await offers.retire_add_on(conn, "onboarding", AT)).version == 2
        assert await offers.list_add_ons(conn) == ()
        with pytest.raises(NotFound):
            await offers.retire_add_on(conn, "onboarding", AT)


async def test_two_versions_at_once_get_two_numbers(db: Database) -> None:
    async def create() -> int:
        async with db.transaction(WRITER) as conn:
            return (await offers.create_coupon(conn, coupon(), AT)).version

    assert sorted(await asyncio.gather(*(create() for _ in range(3)))) == [1, 2, 3]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"code": "O"}, "code"),
        ({"name": ""}, "name"),
        ({"charge": "daily"}, "charge"),
        ({"amounts": {}}, "amounts"),
        ({"amounts": {"XXX": Decimal(1)}}, "amounts.XXX"),
        ({"amounts": {"usd": Decimal(1), "USD": Decimal(2)}}, "amounts.usd"),
        ({"amounts": {"USD": Decimal("0.001")}}, "amounts.USD"),
        ({"amounts": {"JPY": Decimal("0.5")}}, "amounts.JPY"),
        ({"amounts": {"USD": Decimal(-1)}}, "amounts.USD"),
        ({"features": {"magic": True}}, "features.magic"),
    ],
)
async def test_an_add_on_that_can_not_be_is_refused(
    db: Database, change: dict[str, Any], field: str
) -> None:
    async with db.transaction(WRITER) as conn:
        with pytest.raises(BadInput) as caught:
            await offers.create_add_on(conn, add_on(**change), AT)
    assert field in {fault.field for fault in caught.value.errors}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"code": "-"}, "code"),
        ({"percent": None}, "percent"),
        ({"amounts": {"USD": Decimal(1)}}, "percent"),
        ({"percent": None, "amounts": {"USD": Decimal(0)}}, "amounts.USD"),
        ({"percent": Decimal(0)}, "percent"),
        ({"percent": Decimal("100.01")}, "percent"),
        ({"percent": Decimal("NaN")}, "percent"),
        ({"duration": "sometimes"}, "duration"),
        ({"duration": "periods"}, "periods"),
        ({"periods": 2}, "periods"),
        ({"duration": "periods", "periods": 0}, "periods"),
        ({"plans": ("a", "a")}, "plans"),
        ({"meters": ("A",)}, "meters[0]"),
        ({"redemptions_max": 0}, "redemptions_max"),
        ({"valid_from": AT, "valid_until": AT}, "valid_until"),
    ],
)
async def test_a_coupon_that_can_not_be_is_refused(
    db: Database, change: dict[str, Any], field: str
) -> None:
    async with db.transaction(WRITER) as conn:
        with pytest.raises(BadInput) as caught:
            await offers.create_coupon(conn, coupon(**change), AT)
    assert {fault.field for fault in caught.value.errors} == {field}


async def test_a_coupon_is_read_back_with_the_account_that_has_it(
    db: Database, account: Account
) -> None:
    terms = {"percent": Decimal("12.3456789012345"), "plans": ("pro",), "valid_until": AT + DAY}
    with pytest.raises(BadInput):
        await sell(db, coupon(**terms))
    terms["percent"] = Decimal("12.34567890123")
    await sell(db, coupon(**terms))
    await redeem(db, account)
    async with db.transaction(account_scope(account.account_id)) as conn:
        [has] = await offers.list_redemptions(conn, account.account_id)
        [sold] = await offers.list_coupons(conn)
    assert has.coupon == sold
    assert {name: getattr(sold, name) for name in terms} == terms
    assert (has.periods_left, has.amount_left_minor, has.ended_at) == (1, None, None)


@pytest.mark.parametrize(
    ("terms", "at", "code"),
    [
        ({"valid_from": AT + DAY}, AT, "coupon_not_valid"),
        ({"valid_until": AT}, AT, "coupon_not_valid"),
        ({"percent": None, "amounts": {"USD": Decimal(1)}}, AT, "coupon_currency_differs"),
    ],
)
async def test_a_coupon_is_refused_with_the_reason(
    db: Database, account: Account, terms: dict[str, Any], at: datetime, code: str
) -> None:
    await sell(db, coupon(**terms))
    with pytest.raises(Conflict) as caught:
        await redeem(db, account, at)
    assert caught.value.code == code


async def test_an_account_has_a_coupon_as_often_as_it_may(db: Database, account: Account) -> None:
    await sell(db, coupon(percent=None, amounts={"EUR": Decimal(10)}))
    assert await redeem(db, account) == 1000
    with pytest.raises(Conflict, match="already"):
        await redeem(db, account)
    await sell(db, coupon(redemptions_per_account_max=2))  # a new version counts on
    await redeem(db, account)
    with pytest.raises(Conflict, match="already"):
        await redeem(db, account)


async def test_the_limit_of_all_redemptions_holds_when_many_come_at_once(
    db: Database, account: Account
) -> None:
    await sell(db, coupon(redemptions_max=2, redemptions_per_account_max=None))
    tries = await asyncio.gather(*(redeem(db, account) for _ in range(5)), return_exceptions=True)
    refused = [one.code for one in tries if isinstance(one, TallystickError)]
    assert refused == ["coupon_used_up"] * 3


async def test_an_accounts_coupon_is_taken_away_once(db: Database, account: Account) -> None:
    await sell(db, coupon())
    await redeem(db, account)
    async with db.transaction(WRITER) as conn:
        [has] = await offers.list_redemptions(conn, account.account_id)
        await offers.end_redemption(conn, account.account_id, has.redemption_id, AT)
        with pytest.raises(Conflict):
            await offers.end_redemption(conn, account.account_id, has.redemption_id, AT)
        with pytest.raises(NotFound):
            await offers.end_redemption(conn, account.account_id, new_id(), AT)
        assert (await offers.retire_coupon(conn, "Spring", AT)).status == "retired"
    with pytest.raises(NotFound):
        await redeem(db, account)


def rate(**changes: Any) -> rates.NewRate:
    told = {"base": "eur", "quote": "usd", "rate_on": date(2026, 1, 2), "rate": Decimal("1.08"),
            "source": "the central bank"}  # fmt: skip
    return rates.NewRate(**{**told, **changes})


async def test_a_rate_holds_from_its_day_until_the_next_one(db: Database) -> None:
    async with db.transaction(WRITER) as conn:
        await rates.set_rate(conn, rate(), AT)
        await rates.set_rate(conn, rate(rate_on=date(2026, 1, 5), rate=Decimal("1.1")), AT)
        await rates.set_rate(conn, rate(rate=Decimal("1.09"), source="corrected"), AT)
        found = await rates.rate_at(conn, "EUR", "USD", date(2026, 1, 4))
        assert found is not None
        assert (found.rate, found.rate_on, found.source) == (
            Decimal("1.09"), date(2026, 1, 2), "corrected")  # fmt: skip
        assert await rates.rate_at(conn, "EUR", "USD", date(2026, 1, 1)) is None
        assert await rates.rate_at(conn, "USD", "EUR", date(2026, 1, 4)) is None
        assert [one.rate_on.day for one in await rates.list_rates(conn, "EUR")] == [5, 2]


@pytest.mark.parametrize(
    ("change", "field"),
    [({"base": "XXX"}, "base"), ({"quote": "EUR"}, "quote"), ({"rate": Decimal(0)}, "rate"),
     ({"rate_on": date(1999, 1, 1)}, "rate_on"), ({"source": " "}, "source")],
)  # fmt: skip
async def test_a_rate_that_can_not_be_is_refused(
    db: Database, change: dict[str, Any], field: str
) -> None:
    async with db.transaction(WRITER) as conn:
        with pytest.raises(BadInput, match=field):
            await rates.set_rate(conn, rate(**change), AT)
