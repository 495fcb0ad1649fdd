"""Which account may come to which test clock: time never runs backwards for it."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account, NewAccount
from tallystick.catalog import service as catalog
from tallystick.catalog.model import NewPlanVersion
from tallystick.kernel import test_clocks
from tallystick.kernel.db import WRITER, Database
from tallystick.kernel.errors import Conflict, NotFound
from tallystick.kernel.ids import new_id
from tallystick.pricing.model import FlatPrice
from tallystick.subscriptions import service as subscriptions
from tallystick.timeline import clocks

NOW = datetime(2026, 5, 1, tzinfo=UTC)
LATER = NOW + timedelta(days=30)
NEW = NewAccount(name="A", email="a@example.com", currency="EUR", country="FR")


async def make_clock(db: Database, at: datetime) -> UUID:
    async with db.transaction(WRITER) as conn:
        return (await test_clocks.create(conn, new_id(), "c", at, NOW)).test_clock_id


async def make_account(db: Database, *, subscribed_at: datetime | None = None) -> Account:
    async with db.transaction(WRITER) as conn:
        account = await accounts.create_account(conn, NEW, NOW)
        if subscribed_at is not None:
            fee = FlatPrice(currency="EUR", code="fee", amount=Decimal(5))
            new = NewPlanVersion(
                plan_code="pro", plan_name="Pro", currency="EUR", interval="month", prices=(fee,)
            )
            plan = await catalog.create_plan_version(conn, new, NOW)
            await subscriptions.subscribe(conn, account, plan, subscribed_at)
    return account


async def attach(db: Database, clock_id: UUID, *account_ids: UUID) -> None:
    async with db.transaction(WRITER) as conn:
        await clocks.attach(conn, clock_id, account_ids, NOW)


async def detach(db: Database, clock_id: UUID, account_id: UUID) -> None:
    async with db.transaction(WRITER) as conn:
        await clocks.detach(conn, clock_id, account_id, NOW)


async def clock_of(db: Database, account: Account) -> UUID | None:
    async with db.transaction(WRITER) as conn:
        return (await accounts.get_account(conn, account.account_id)).test_clock_id


async def test_a_new_account_comes_to_a_clock_of_any_time_and_goes_again(db: Database) -> None:
    past = await make_clock(db, datetime(2020, 1, 1, tzinfo=UTC))
    account = await make_account(db)
    await attach(db, past, account.account_id)
    await attach(db, past, account.account_id, account.account_id)
    assert await clock_of(db, account) == past
    await detach(db, past, account.account_id)
    assert await clock_of(db, account) is None
    with pytest.raises(NotFound):
        await detach(db, past, account.account_id)


async def test_an_account_with_a_subscription_never_comes_to_a_time_before_it(
    db: Database,
) -> None:
    account = await make_account(db, subscribed_at=NOW - timedelta(days=3))
    early = await make_clock(db, NOW - timedelta(days=4))
    with pytest.raises(Conflict) as refused:
        await attach(db, early, account.account_id)
    assert refused.value.code == "account_ahead_of_clock"
    assert await clock_of(db, account) is None
    await attach(db, await make_clock(db, NOW - timedelta(days=2)), account.account_id)


async def test_who_was_in_the_future_does_not_come_back_from_it(db: Database) -> None:
    future = await make_clock(db, LATER)
    account = await make_account(db, subscribed_at=LATER)
    await attach(db, future, account.account_id)
    with pytest.raises(Conflict):
        await detach(db, future, account.account_id)


async def test_all_accounts_of_a_request_come_or_none(db: Database) -> None:
    clock, account = await make_clock(db, NOW), await make_account(db)
    with pytest.raises(NotFound):
        await attach(db, clock, account.account_id, uuid4())
    assert await clock_of(db, account) is None


async def test_nobody_comes_to_or_leaves_a_clock_that_is_moving(db: Database) -> None:
    moving, standing = await make_clock(db, NOW), await make_clock(db, LATER)
    inside, outside = await make_account(db), await make_account(db)
    await attach(db, moving, inside.account_id)
    async with db.transaction(WRITER) as conn:
        await test_clocks.aim(conn, moving, LATER)
    for clock, account in ((moving, outside), (standing, inside)):
        with pytest.raises(Conflict) as refused:
            await attach(db, clock, account.account_id)
        assert refused.value.code == "test_clock_advancing"
    with pytest.raises(Conflict):
        await detach(db, moving, inside.account_id)


async def test_accounts_leave_a_deleted_clock_for_another_one(db: Database) -> None:
    gone, account = await make_clock(db, NOW), await make_account(db)
    await attach(db, gone, account.account_id)
    async with db.transaction(WRITER) as conn:
        await test_clocks.delete(conn, gone, NOW)
    assert await clock_of(db, account) == gone
    other = await make_clock(db, LATER)
    await attach(db, other, account.account_id)
    assert await clock_of(db, account) == other


async def test_accounts_that_change_clocks_crosswise_wait_for_each_other(db: Database) -> None:
    first, second = await make_clock(db, NOW), await make_clock(db, NOW)
    one, two = await make_account(db), await make_account(db)
    await attach(db, first, one.account_id)
    await attach(db, second, two.account_id)
    await asyncio.gather(attach(db, second, one.account_id), attach(db, first, two.account_id))
    assert (await clock_of(db, one), await clock_of(db, two)) == (second, first)


async def test_a_clock_takes_so_many_accounts_and_no_more(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clocks, "ACCOUNTS_MAX", 1)
    clock = await make_clock(db, NOW)
    await attach(db, clock, (await make_account(db)).account_id)
    with pytest.raises(Conflict) as refused:
        await attach(db, clock, (await make_account(db)).account_id)
    assert refused.value.code == "test_clock_full"
