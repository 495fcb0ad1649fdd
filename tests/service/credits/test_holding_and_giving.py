"""Reservations, refunds, transfers, lapses, purchases: what they promise, one by one."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from tallystick.credits import grants, refunds, reservations, service, transfers
from tallystick.credits.jobs import CreditLapses
from tallystick.credits.model import Debited, Grant, Outcome, Reservation, Settings
from tallystick.kernel.db import WRITER
from tallystick.kernel.errors import Conflict, PaymentRequired

from .conftest import NOW, Bank

HOUR = timedelta(hours=1)


async def reserve(bank: Bank, account: UUID, amount: str, key: str | None = None) -> Reservation:
    wanted = bank.wanted(account, amount, key=key)
    async with bank.db.transaction(WRITER) as conn:
        return await reservations.reserve(conn, bank.credits, wanted, seconds=3600)


async def settle(bank: Bank, held: Reservation, amount: str, key: str, at: object = NOW) -> Debited:
    wanted = bank.wanted(held.account_id, amount, key=key, at=at)
    async with bank.db.transaction(WRITER) as conn:
        return await reservations.settle(conn, bank.credits, held.credit_reservation_id, wanted)


async def lapse(bank: Bank, now: object) -> None:
    lapses = CreditLapses(bank.db)
    while await lapses.run_due(now, None):  # type: ignore[arg-type]  # an instant
        pass


async def refund(bank: Bank, account: UUID, key: str, units: int | None) -> tuple[Grant, ...]:
    async with bank.db.transaction(WRITER) as conn:
        return await refunds.refund(conn, account, "job", key=key, at=NOW, units=units)


async def test_what_is_held_can_not_be_spent_by_others(bank: Bank) -> None:
    account = await bank.account()
    await bank.grant(account, "10")
    held = await reserve(bank, account, "6", "r")
    assert await reserve(bank, account, "6", "r") == held
    with pytest.raises(PaymentRequired):
        await bank.deduct(account, "5")
    await bank.deduct(account, "4")


async def test_a_reservation_that_ran_out_holds_nothing_though_no_worker_ran(bank: Bank) -> None:
    account = await bank.account()
    await bank.grant(account, "10")
    held = await reserve(bank, account, "6")
    with pytest.raises(Conflict) as refused:
        await settle(bank, held, "1", "s", NOW + HOUR)
    assert refused.value.code == "reservation_not_active"
    await bank.deduct(account, "10", at=NOW + HOUR)
    await lapse(bank, NOW + HOUR)
    assert await bank.rows("SELECT status FROM credit_reservations") == [("expired",)]


async def test_settling_takes_more_or_less_once_and_frees_the_rest(bank: Bank) -> None:
    account = await bank.account()
    await bank.grant(account, "10")
    held = await reserve(bank, account, "6")
    first = await settle(bank, held, "7", "s")
    again = await settle(bank, held, "7", "s")
    assert (again.outcome, again.ledger_entry_id) == (Outcome.REPLAYED, first.ledger_entry_id)
    assert (await bank.balance(account)).available == 300_000
    with pytest.raises(Conflict):
        await settle(bank, held, "1", "other")


async def test_a_settlement_that_is_short_leaves_the_reservation_as_it_was(bank: Bank) -> None:
    account = await bank.account()
    await bank.grant(account, "10")
    held = await reserve(bank, account, "6")
    with pytest.raises(PaymentRequired):
        await settle(bank, held, "11", "s")
    assert (await bank.balance(account)).reserved == 600_000


async def test_what_lapses_is_breakage_dated_at_its_instant(bank: Bank) -> None:
    account = await bank.account()
    await bank.grant(account, "10", expires_at=NOW + HOUR)
    await bank.deduct(account, "4")
    await lapse(bank, NOW + 5 * HOUR)
    rows = await bank.rows(
        "SELECT e.at, p.amount FROM ledger_entries e JOIN ledger_postings p"
        " USING (account_id, ledger_entry_id) WHERE p.ledger_account = 'breakage'"
    )
    assert rows == [(NOW + HOUR, -600_000)]
    await lapse(bank, NOW + 6 * HOUR)
    assert await bank.agrees()


async def test_only_what_is_over_the_cap_lapses_when_a_period_ends(bank: Bank) -> None:
    account = await bank.account()
    end = NOW + HOUR
    await bank.grant(account, "10", expires_at=end + HOUR, cap_at=end, cap_units=300_000)
    await bank.deduct(account, "1", at=end)
    await lapse(bank, end)
    assert (await bank.balance(account, end)).available == 200_000
    await lapse(bank, end + HOUR)
    assert (await bank.balance(account, end + HOUR)).available == 0


async def test_a_refund_comes_back_as_it_was_taken_and_once(bank: Bank) -> None:
    account = await bank.account()
    await bank.grant(account, "2", expires_at=NOW + HOUR)
    await bank.grant(account, "5", priority=200)
    await bank.deduct(account, "4", key="job")
    (back,) = await refund(bank, account, "r1", 150_000)
    assert (back.amount, back.expires_at, back.priority) == (150_000, None, 200)
    assert await refund(bank, account, "r1", 150_000) == (back,)
    rest = await refund(bank, account, "r2", None)
    assert [(one.amount, one.expires_at) for one in rest] == [
        (50_000, None),
        (200_000, NOW + HOUR),
    ]
    with pytest.raises(Conflict) as refused:
        await refund(bank, account, "r3", 1)
    assert refused.value.code == "refund_exceeds_debit"
    assert (await bank.balance(account)).available == 700_000


async def test_a_refund_of_an_overdraft_pays_it_back(bank: Bank) -> None:
    account = await bank.account()
    await bank.set(account, overdraft_max=500_000)
    await bank.deduct(account, "3", key="job")
    await refund(bank, account, "r", None)
    assert (await bank.balance(account)).available == 0


async def test_a_transfer_keeps_expiry_and_moves_once(bank: Bank) -> None:
    giver, taker = await bank.account(), await bank.account()
    await bank.grant(giver, "3", expires_at=NOW + HOUR)
    await bank.grant(giver, "3")
    for _ in range(2):
        async with bank.db.transaction(WRITER) as conn:
            moved = await transfers.transfer(conn, giver, taker, 400_000, key="t", at=NOW)
        assert sorted(one.amount for one in moved) == [100_000, 300_000]
    assert (await bank.balance(giver)).available == 200_000
    assert (await bank.balance(taker)).available == 400_000
    assert (await bank.balance(taker, NOW + HOUR)).available == 100_000
    sums = await bank.rows(
        "SELECT sum(amount)::bigint FROM ledger_postings WHERE ledger_account = $1",
        "credits_transferred",
    )
    assert sums == [(0,)]


async def test_transfers_both_ways_at_once_do_not_wait_in_a_circle(bank: Bank) -> None:
    one, other = await bank.account(), await bank.account()
    await bank.grant(one, "10")
    await bank.grant(other, "10")

    async def move(giver: UUID, taker: UUID) -> None:
        for _ in range(5):
            async with bank.db.transaction(WRITER) as conn:
                await transfers.transfer(conn, giver, taker, 1000, key=str(uuid4()), at=NOW)

    await asyncio.gather(move(one, other), move(other, one), move(one, other))
    total = (await bank.balance(one)).available + (await bank.balance(other)).available
    assert total == 2_000_000


async def test_what_is_unspent_is_taken_back_once(bank: Bank) -> None:
    account = await bank.account()
    await bank.grant(account, "10", source="purchase", reference="inv_1", priority=1)
    await bank.grant(account, "10")
    await bank.deduct(account, "4")
    for _ in range(2):
        async with bank.db.transaction(WRITER) as conn:
            taken = await grants.revoke_unspent(
                conn, account, reference="inv_1", source="purchase", key="dispute", at=NOW
            )
        assert taken == 600_000
    assert (await bank.balance(account)).available == 1_000_000


async def test_what_is_not_effective_yet_is_unspent_too(bank: Bank) -> None:
    account = await bank.account()
    later = NOW + HOUR
    await bank.grant(account, "10", effective_at=later, source="purchase", reference="inv_1")
    async with bank.db.transaction(WRITER) as conn:
        taken = await grants.revoke_unspent(
            conn, account, reference="inv_1", source="purchase", key="dispute", at=NOW
        )
    assert taken == 1_000_000
    assert (await bank.balance(account, later)).available == 0


async def test_a_key_that_held_something_else_is_a_conflict(bank: Bank) -> None:
    account = await bank.account()
    await bank.grant(account, "10")
    await reserve(bank, account, "6", "r")
    with pytest.raises(Conflict) as refused:
        await reserve(bank, account, "5", "r")
    assert refused.value.code == "credit_key_conflict"


@pytest.mark.parametrize(("first", "other"), [("5", "-5"), ("-5", "5"), ("5", "4"), ("-5", "-4")])
async def test_a_key_that_adjusted_something_else_is_a_conflict(
    bank: Bank, first: str, other: str
) -> None:
    account = await bank.account()
    await bank.grant(account, "10")

    async def adjust(amount: str) -> None:
        async with bank.db.transaction(WRITER) as conn:
            named = {"reason": "r", "key": "a", "at": NOW}
            await refunds.adjust(conn, account, Decimal(amount), **named)  # type: ignore[arg-type]  # by name

    await adjust(first)
    await adjust(first)
    with pytest.raises(Conflict) as refused:
        await adjust(other)
    assert refused.value.code == "credit_key_conflict"
    assert (await bank.balance(account)).available == 1_000_000 + 100_000 * int(first)


async def test_an_overdraft_in_use_can_not_be_taken_away(bank: Bank) -> None:
    account = await bank.account()
    await bank.set(account, overdraft_max=200_000)
    await bank.deduct(account, "2")
    async with bank.db.transaction(WRITER) as conn:
        with pytest.raises(Conflict):
            await service.set_settings(conn, account, Settings(overdraft_max=1), NOW)
