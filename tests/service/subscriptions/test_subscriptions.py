import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import asyncpg
import pytest

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account, NewAccount
from tallystick.catalog.model import PlanVersion
from tallystick.kernel import test_clocks
from tallystick.kernel.db import WRITER, Database, account_scope
from tallystick.kernel.errors import Conflict, NotFound
from tallystick.kernel.ids import new_id
from tallystick.pricing.model import FlatPrice
from tallystick.subscriptions import changing, service
from tallystick.subscriptions.bills import Plans, Step, next_step
from tallystick.subscriptions.model import Status, Subscription

START = datetime(2026, 1, 31, tzinfo=UTC)
END = datetime(2026, 2, 28, tzinfo=UTC)
LATER = datetime(2026, 2, 10, tzinfo=UTC)


@pytest.fixture
async def plan(db: Database) -> PlanVersion:
    """A monthly plan of 49 EUR; only its row matters here, for the foreign key."""
    version = PlanVersion(
        plan_version_id=new_id(),
        plan_id=new_id(),
        plan_code="pro",
        plan_name="Pro",
        version=1,
        currency="EUR",
        interval="month",
        interval_count=1,
        prices=(FlatPrice(currency="EUR", code="fee", amount=Decimal(49)),),
        limits={},
        created_at=START,
    )
    async with db.transaction(WRITER) as conn:
        await conn.execute("INSERT INTO plans VALUES ($1, 'pro', $2)", version.plan_id, START)
        await conn.execute(
            "INSERT INTO plan_versions "
            "VALUES ($1, $2, 1, 'EUR', 'month', 1, '[]', '{}', $3, NULL, 'Pro')",
            version.plan_version_id,
            version.plan_id,
            START,
        )
    return version


async def make_account(db: Database, *, on_clock: bool = False) -> Account:
    async with db.transaction(WRITER) as conn:
        clock_id = new_id() if on_clock else None
        if clock_id:
            await test_clocks.create(conn, clock_id, "clock", START, START)
        new = NewAccount(
            name="Ada",
            email="ada@example.com",
            currency="EUR",
            country="FR",
            test_clock_id=clock_id,
        )
        return await accounts.create_account(conn, new, START)


async def begin(db: Database, account: Account, plan: PlanVersion) -> Subscription:
    async with db.transaction(account_scope(account.account_id)) as conn:
        return await service.subscribe(conn, account, plan, START)


async def claim(db: Database, now: datetime, wall: datetime = END) -> list[Subscription]:
    async with db.transaction(WRITER) as conn:
        return list(await service.claim_due(conn, now, wall, None, 10))


def step_of(due: Subscription, plan: PlanVersion) -> Step:
    step = next_step(due, Plans(plan))
    assert step is not None
    return step


async def test_a_subscription_is_read_as_it_was_begun(db: Database, plan: PlanVersion) -> None:
    account = await make_account(db)
    new = await begin(db, account, plan)
    async with db.transaction(account_scope(account.account_id)) as conn:
        assert await service.current_subscription(conn, account.account_id) == new
        found = await service.get_subscription(conn, account.account_id, new.subscription_id)
        listed = await service.list_subscriptions(conn, account.account_id)
    assert found == new
    assert listed == (new,)
    assert (new.period_end, new.next_bill_at) == (END, END)


async def test_an_account_is_on_a_plan_once(db: Database, plan: PlanVersion) -> None:
    account = await make_account(db)
    await begin(db, account, plan)
    with pytest.raises(Conflict) as caught:
        await begin(db, account, plan)
    assert caught.value.code == "already_subscribed"


async def test_two_subscribing_at_once_make_one_subscription(
    db: Database, plan: PlanVersion
) -> None:
    account = await make_account(db)
    tries = [begin(db, account, plan) for _ in range(6)]
    answers = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(answer, Subscription) for answer in answers) == 1
    assert sum(isinstance(answer, Conflict) for answer in answers) == 5


async def test_the_database_itself_refuses_a_second_active_one(
    db: Database, plan: PlanVersion
) -> None:
    account = await make_account(db)
    new = await begin(db, account, plan)
    async with db.transaction(WRITER) as conn:
        await changing.cancel_now(conn, account.account_id, new.subscription_id, LATER)
    await begin(db, account, plan)
    with pytest.raises(asyncpg.UniqueViolationError):
        async with db.transaction(WRITER) as conn:
            await conn.execute("UPDATE subscriptions SET status = 'active'")


async def test_after_canceling_another_one_can_begin(db: Database, plan: PlanVersion) -> None:
    account = await make_account(db)
    old = await begin(db, account, plan)
    async with db.transaction(account_scope(account.account_id)) as conn:
        ended = await changing.cancel_now(conn, account.account_id, old.subscription_id, LATER)
        assert await service.current_subscription(conn, account.account_id) is None
    assert (ended.status, ended.next_bill_at) == (Status.CANCELED, LATER)
    assert (await begin(db, account, plan)).subscription_id != old.subscription_id


async def test_canceling_at_the_periods_end_keeps_it_until_then(
    db: Database, plan: PlanVersion
) -> None:
    account = await make_account(db)
    new = await begin(db, account, plan)
    async with db.transaction(account_scope(account.account_id)) as conn:
        kept = await changing.cancel_at_period_end(
            conn, account.account_id, new.subscription_id, LATER
        )
        assert await service.current_subscription(conn, account.account_id) == kept
    (due,) = await claim(db, END)
    async with db.transaction(WRITER) as conn:
        ended = (await service.advance_all(conn, [(due, step_of(due, plan))]))[0]
    assert (ended.status, ended.ends_at, ended.next_bill_at) == (Status.CANCELED, END, None)
    assert await claim(db, END + timedelta(days=90)) == []


async def test_it_is_due_at_its_periods_end_and_not_before(db: Database, plan: PlanVersion) -> None:
    new = await begin(db, await make_account(db), plan)
    assert await claim(db, END - timedelta(microseconds=1)) == []
    assert await claim(db, END) == [new]


async def test_what_another_worker_claimed_is_skipped(db: Database, plan: PlanVersion) -> None:
    first = await begin(db, await make_account(db), plan)
    second = await begin(db, await make_account(db), plan)
    async with db.own_transaction(WRITER) as one, db.own_transaction(WRITER) as other:
        (mine,) = await service.claim_due(one, END, END, None, 1)
        (theirs,) = await service.claim_due(other, END, END, None, 1)
    assert {mine.subscription_id, theirs.subscription_id} == {
        first.subscription_id,
        second.subscription_id,
    }


async def test_an_account_on_a_test_clock_is_due_by_that_clock_alone(
    db: Database, plan: PlanVersion
) -> None:
    account = await make_account(db, on_clock=True)
    new = await begin(db, account, plan)
    assert account.test_clock_id
    assert await claim(db, END) == []
    async with db.transaction(WRITER) as conn:
        assert await service.next_due_at(conn, account.test_clock_id) == END
        assert await service.claim_due(conn, END, END, account.test_clock_id, 10) == (new,)


async def test_a_parked_one_waits_with_its_reason_and_growing_patience(
    db: Database, plan: PlanVersion
) -> None:
    account = await make_account(db, on_clock=True)
    new = await begin(db, account, plan)
    clock_id = account.test_clock_id
    assert clock_id
    async with db.transaction(WRITER) as conn:
        once = await service.park(conn, new, "a reason", END)
        twice = await service.park(conn, once, "x" * 600, END)
        assert await service.claim_due(conn, END, END, clock_id, 10) == ()
        due = await service.claim_due(conn, END, END + timedelta(seconds=4), clock_id, 10)
        assert await service.next_due_at(conn, clock_id) is None
    assert (once.bill_error, once.bill_retry_at) == ("a reason", END + timedelta(seconds=2))
    assert twice.bill_error == "x" * 500
    assert due == (twice,)


async def test_it_moves_only_from_the_period_that_was_read(db: Database, plan: PlanVersion) -> None:
    new = await begin(db, await make_account(db), plan)
    async with db.transaction(WRITER) as conn:
        (moved,) = await service.advance_all(conn, [(new, step_of(new, plan))])
        assert (moved.period_index, moved.period_start) == (1, END)
        with pytest.raises(Conflict) as caught:
            await service.advance_all(conn, [(new, step_of(new, plan))])
    assert caught.value.code == "subscription_changed"


async def test_anothers_subscription_is_not_found(db: Database, plan: PlanVersion) -> None:
    theirs = await begin(db, await make_account(db), plan)
    mine = await make_account(db)
    async with db.transaction(account_scope(mine.account_id)) as conn:
        for account_id in (mine.account_id, theirs.account_id):
            with pytest.raises(NotFound):
                await service.get_subscription(conn, account_id, theirs.subscription_id)
            with pytest.raises(NotFound):
                await changing.cancel_now(conn, account_id, theirs.subscription_id, LATER)
