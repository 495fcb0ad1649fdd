"""Taking credits: order, instants, keys, refusals."""

import asyncio
from datetime import timedelta

import pytest

from tallystick.credits.model import Outcome
from tallystick.kernel.errors import Conflict, PaymentRequired

from .conftest import NOW, Bank

DAY = timedelta(days=1)


async def test_a_debit_takes_from_its_grants_in_burn_order(bank: Bank) -> None:
    account = await bank.account()
    late = await bank.grant(account, "5", expires_at=NOW + 2 * DAY)
    early = await bank.grant(account, "5", expires_at=NOW + DAY)
    first = await bank.grant(account, "1", priority=1)
    answer = await bank.deduct(account, "7.5")
    parts = await bank.rows(
        "SELECT credit_grant_id, amount FROM credit_allocations WHERE ledger_entry_id = $1",
        answer.ledger_entry_id,
    )
    assert dict(parts) == {
        first.credit_grant_id: 100_000,
        early.credit_grant_id: 500_000,
        late.credit_grant_id: 150_000,
    }
    assert answer.available_units == 350_000


async def test_an_expired_grant_is_never_spent_though_no_worker_ran(bank: Bank) -> None:
    account = await bank.account()
    await bank.grant(account, "10", expires_at=NOW + DAY)
    await bank.deduct(account, "4", at=NOW + DAY - timedelta(microseconds=1))
    with pytest.raises(PaymentRequired) as refused:
        await bank.deduct(account, "0.00001", at=NOW + DAY)
    assert refused.value.code == "insufficient_credits"
    assert refused.value.extra == {"required": "0.00001", "available": "0"}


async def test_a_grant_is_not_spent_before_it_is_effective(bank: Bank) -> None:
    account = await bank.account()
    await bank.grant(account, "10", effective_at=NOW + DAY)
    with pytest.raises(PaymentRequired):
        await bank.deduct(account, "1")
    assert (await bank.deduct(account, "1", at=NOW + DAY)).outcome is Outcome.DEBITED


async def test_the_same_key_debits_once_and_answers_the_same(bank: Bank) -> None:
    account = await bank.account()
    await bank.grant(account, "10")
    first = await bank.deduct(account, "4", key="k")
    again = await bank.deduct(account, "4", key="k", at=NOW + DAY)
    assert again.outcome is Outcome.REPLAYED
    assert (again.ledger_entry_id, again.available_units) == (first.ledger_entry_id, 600_000)
    with pytest.raises(Conflict) as other:
        await bank.deduct(account, "5", key="k")
    assert other.value.code == "credit_key_conflict"


async def test_equal_keys_at_the_same_moment_debit_once(bank: Bank) -> None:
    account = await bank.account()
    await bank.grant(account, "10")
    answers = await asyncio.gather(*(bank.deduct(account, "4", key="k") for _ in range(20)))
    outcomes = [answer.outcome for answer in answers]
    assert outcomes.count(Outcome.DEBITED) == 1
    assert (await bank.balance(account)).available == 600_000


async def test_64_tasks_on_one_account_lose_nothing_and_overspend_nothing(bank: Bank) -> None:
    account = await bank.account()
    for _ in range(5):
        await bank.grant(account, "10")

    async def spend() -> int:
        taken = 0
        for _ in range(10):
            try:
                await bank.deduct(account, "0.1")
            except PaymentRequired:
                continue
            taken += 1
        return taken

    taken = await asyncio.gather(*(spend() for _ in range(64)))
    assert sum(taken) == 500
    assert (await bank.balance(account)).available == 0


async def test_a_refusal_in_a_batch_leaves_its_neighbours_alone(bank: Bank) -> None:
    account = await bank.account()
    poor = await bank.account()
    await bank.grant(account, "10")
    wanted = [bank.wanted(account, "1"), bank.wanted(poor, "1"), bank.wanted(account, "2")]
    answers = await bank.credits.deduct_many(wanted)
    assert isinstance(answers[1], PaymentRequired)
    assert (await bank.balance(account)).available == 700_000


async def test_an_overdraft_is_owed_and_paid_back_by_the_next_grant(bank: Bank) -> None:
    account = await bank.account()
    await bank.grant(account, "1")
    await bank.set(account, overdraft_max=300_000)
    answer = await bank.deduct(account, "4")
    assert answer.available_units == -300_000
    with pytest.raises(PaymentRequired):
        await bank.deduct(account, "0.1")
    assert await bank.agrees()
    made = await bank.grant(account, "5")
    assert made.remaining == 200_000
    assert (await bank.balance(account)).available == 200_000


async def test_what_is_over_the_cap_does_not_roll_over_though_no_worker_ran(bank: Bank) -> None:
    account = await bank.account()
    end = NOW + DAY
    await bank.grant(account, "10", expires_at=end + DAY, cap_at=end, cap_units=300_000)
    assert (await bank.balance(account, end)).usable == 300_000
    await bank.deduct(account, "2", at=end)
    with pytest.raises(PaymentRequired) as refused:
        await bank.deduct(account, "1.5", at=end)
    assert refused.value.extra["available"] == "1"


async def test_low_is_told_once_for_each_crossing(bank: Bank) -> None:
    account = await bank.account()
    await bank.grant(account, "10")
    await bank.set(account, alert_below=500_000)
    for _ in range(8):
        await bank.deduct(account, "1")
    told = "SELECT count(*) FROM outbox WHERE kind = 'credits.low'"
    assert await bank.rows(told) == [(1,)]
    await bank.grant(account, "10")
    await asyncio.gather(*(bank.deduct(account, "1") for _ in range(9)))
    assert await bank.rows(told) == [(2,)]
