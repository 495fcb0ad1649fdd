"""A period's credits when its plan changes: the difference is given or taken, once."""

from datetime import timedelta
from uuid import UUID

from tallystick.credits.model import NewGrant
from tallystick.credits.plan_credits import give_for_period
from tallystick.kernel.db import WRITER

from .conftest import NOW, Bank

END = NOW + timedelta(days=30)
MIDDLE = NOW + timedelta(days=15)


def plan(credits_: int, since: timedelta = timedelta()) -> NewGrant:
    return NewGrant(
        source="plan", units=credits_ * 100_000, effective_at=NOW + since, expires_at=END
    )


async def give(bank: Bank, account: UUID, *plans: NewGrant) -> None:
    async with bank.db.transaction(WRITER) as conn:
        at = plans[-1].effective_at or NOW
        await give_for_period(conn, account, plans, start=NOW, end=END, key="plan:1:0", at=at)


async def left(bank: Bank, account: UUID) -> int:
    return (await bank.balance(account, MIDDLE)).available // 100_000


async def test_a_larger_plan_gives_the_difference_for_what_is_left_of_the_period(
    bank: Bank,
) -> None:
    account = await bank.account()
    small, large = plan(100), plan(300, timedelta(days=15))
    await give(bank, account, small)
    await bank.deduct(account, "100")
    for _ in range(2):
        await give(bank, account, small, large)
    assert await left(bank, account) == 100


async def test_a_smaller_plan_takes_the_difference_and_no_more_than_is_unspent(bank: Bank) -> None:
    frugal, lavish = await bank.account(), await bank.account()
    large, small = plan(300), plan(100, timedelta(days=15))
    for account, used, remains in ((frugal, "50", 150), (lavish, "250", 0)):
        await give(bank, account, large)
        await bank.deduct(account, used)
        for _ in range(2):
            await give(bank, account, large, small)
        assert await left(bank, account) == remains


async def test_a_smaller_plan_leaves_what_was_bought_alone(bank: Bank) -> None:
    account = await bank.account()
    await bank.grant(account, "40", source="purchase", priority=100)
    await give(bank, account, plan(300))
    await bank.deduct(account, "300")
    await give(bank, account, plan(300), plan(0, timedelta(days=15)))
    assert await left(bank, account) == 40


async def test_a_change_that_is_told_before_the_period_gives_the_same(bank: Bank) -> None:
    account = await bank.account()
    small, large = plan(100), plan(300, timedelta(days=15))
    await give(bank, account, small, large)
    await give(bank, account, small)
    assert await left(bank, account) == 200
