import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from tallystick.kernel.db import WRITER, Database, account_scope
from tallystick.kernel.errors import Conflict, PaymentRequired
from tallystick.kernel.ids import new_id
from tallystick.kernel.paging import PageRequest, read_cursor
from tallystick.ledger import service, store
from tallystick.ledger.model import PREPAID, RECEIVABLE, REVENUE, Entry, Posting, clearing
from tallystick.ledger.posting import AMOUNT_MAX, BadEntry

AT = datetime(2026, 3, 1, tzinfo=UTC)


def move(key: str, debit: str, credit: str, amount: int, at: datetime = AT) -> Entry:
    postings = (Posting(debit, "EUR", amount), Posting(credit, "EUR", -amount))
    return Entry(key, "test_move", "ref", "a test", at, postings)


def owe(key: str, amount: int, at: datetime = AT) -> Entry:
    return move(key, RECEIVABLE, REVENUE, amount, at)


async def balance(db: Database, account: UUID, ledger_account: str) -> int:
    async with db.transaction(account_scope(account)) as conn:
        return await service.balance(conn, account, ledger_account, "EUR")


async def test_a_posting_moves_the_customers_balance_and_the_houses_sum(db: Database) -> None:
    account, ledger = uuid4(), service.Ledger(db)
    assert await ledger.post(account, owe("a", 100))
    assert await ledger.post(account, owe("b", 50))
    assert await ledger.post(account, move("c", clearing("stripe"), RECEIVABLE, 100))
    assert await balance(db, account, RECEIVABLE) == 50
    assert await balance(db, account, REVENUE) == -150
    assert await balance(db, account, "clearing:stripe") == 100
    async with db.transaction(WRITER) as conn:
        kept = await service.list_balances(conn, account)
        postings = await conn.fetch(
            "SELECT sequence, balance_after FROM ledger_postings"
            " WHERE account_id = $1 AND ledger_account = 'receivable' ORDER BY sequence",
            account,
        )
    assert [(one.ledger_account, one.amount) for one in kept] == [(RECEIVABLE, 50)]
    assert [tuple(row) for row in postings] == [(1, 100), (2, 150), (3, 50)]


async def test_a_replay_is_answered_with_false_and_counted_once(db: Database) -> None:
    account, ledger = uuid4(), service.Ledger(db)
    assert await ledger.post(account, owe("a", 100))
    later = Entry(
        "a", "test_move", "ref", "told again", AT + timedelta(days=1), owe("", 100).postings
    )
    assert not await ledger.post(account, later)
    assert await balance(db, account, RECEIVABLE) == 100


async def test_another_accounts_same_key_is_another_intent(db: Database) -> None:
    one, other, ledger = uuid4(), uuid4(), service.Ledger(db)
    assert await ledger.post(one, owe("a", 100))
    assert await ledger.post(other, owe("a", 7))
    assert await balance(db, other, RECEIVABLE) == 7


@pytest.mark.parametrize(
    "other",
    [
        owe("a", 101),
        move("a", clearing("stripe"), REVENUE, 100),
        Entry("a", "other_kind", "ref", "a test", AT, owe("a", 100).postings),
        Entry("a", "test_move", "other", "a test", AT, owe("a", 100).postings),
        Entry("a", "test_move", "ref", "", AT, (*owe("a", 100).postings, *owe("a", 1).postings)),
    ],
)
async def test_a_used_key_with_another_content_is_a_conflict(db: Database, other: Entry) -> None:
    account, ledger = uuid4(), service.Ledger(db)
    await ledger.post(account, owe("a", 100))
    with pytest.raises(Conflict) as caught:
        await ledger.post(account, other)
    assert caught.value.code == "ledger_key_conflict"
    assert await balance(db, account, RECEIVABLE) == 100


async def test_prepaid_money_can_be_used_up_and_not_beyond(db: Database) -> None:
    account, ledger = uuid4(), service.Ledger(db)
    await ledger.post(account, move("top-up", clearing("manual"), PREPAID, 100))
    assert await ledger.post(account, move("use", PREPAID, REVENUE, 100))
    with pytest.raises(PaymentRequired) as caught:
        await ledger.post(account, move("more", PREPAID, REVENUE, 1))
    assert caught.value.code == "prepaid_insufficient"
    assert await balance(db, account, PREPAID) == 0
    await ledger.post(account, move("top-up 2", clearing("manual"), PREPAID, 1))
    assert await ledger.post(account, move("more", PREPAID, REVENUE, 1))


async def test_a_balance_that_no_number_holds_is_refused_alone(db: Database) -> None:
    account, ledger = uuid4(), service.Ledger(db)
    assert await ledger.post(account, owe("most", AMOUNT_MAX))
    good, bad = await asyncio.gather(
        ledger.post(uuid4(), owe("good", 1)),
        ledger.post(account, owe("more", 1)),
        return_exceptions=True,
    )
    assert good is True
    assert isinstance(bad, BadEntry)
    with pytest.raises(BadEntry) as caught:
        async with db.transaction(account_scope(account)) as conn:
            await service.post(conn, account, owe("more", 1))
    assert caught.value.code == "ledger_amount_out_of_range"
    assert await balance(db, account, RECEIVABLE) == AMOUNT_MAX
    await ledger.close()


async def test_an_unbalanced_entry_is_refused_before_the_database_is_asked(db: Database) -> None:
    off = Entry("a", "k", "r", "", AT, (Posting(RECEIVABLE, "EUR", 2), Posting(REVENUE, "EUR", -1)))
    with pytest.raises(BadEntry):
        await service.Ledger(db).post(uuid4(), off)


async def test_the_database_refuses_what_does_not_balance_at_the_commit(db: Database) -> None:
    off = Entry("a", "k", "r", "", AT, (Posting(RECEIVABLE, "EUR", 2), Posting(REVENUE, "EUR", -1)))
    with pytest.raises(asyncpg.CheckViolationError, match="does not balance"):
        async with db.transaction(WRITER) as conn:
            await store.post_entries(conn, [store.NewEntry(uuid4(), new_id(), off)])


async def test_the_database_refuses_an_entry_without_postings(db: Database) -> None:
    with pytest.raises(asyncpg.CheckViolationError, match="does not balance"):
        async with db.transaction(WRITER) as conn:
            await store.post_entries(
                conn, [store.NewEntry(uuid4(), new_id(), Entry("a", "k", "r", "", AT, ()))]
            )


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE ledger_entries SET reason = 'x'",
        "DELETE FROM ledger_postings",
        "UPDATE ledger_postings SET amount = 1",
        "TRUNCATE ledger_entries, ledger_postings",
    ],
)
async def test_what_is_in_the_books_stays_even_for_the_owner(
    db: Database, dsn: str, change: str
) -> None:
    await service.Ledger(db).post(uuid4(), owe("a", 100))
    owner = await asyncpg.connect(dsn)
    try:
        with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
            await owner.execute(change)
    finally:
        await owner.close()


async def test_concurrent_posts_to_one_balance_all_count(db: Database) -> None:
    account, ledger = uuid4(), service.Ledger(db)
    await asyncio.gather(*(ledger.post(account, owe(f"k{n}", n)) for n in range(1, 41)))
    assert await balance(db, account, RECEIVABLE) == 820
    async with db.transaction(WRITER) as conn:
        numbers = await conn.fetch(
            "SELECT sequence FROM ledger_postings WHERE sequence IS NOT NULL ORDER BY 1"
        )
    assert [row["sequence"] for row in numbers] == list(range(1, 41))


async def test_concurrent_posts_of_one_key_count_once(db: Database) -> None:
    account, ledger = uuid4(), service.Ledger(db)
    answers = await asyncio.gather(*(ledger.post(account, owe("a", 5)) for _ in range(16)))
    assert sorted(answers) == [False] * 15 + [True]
    assert await balance(db, account, RECEIVABLE) == 5


async def test_concurrent_posts_of_one_key_count_once_where_no_balance_is_locked(
    db: Database,
) -> None:
    account, ledger = uuid4(), service.Ledger(db)
    house = move("a", clearing("stripe"), REVENUE, 5)
    answers = await asyncio.gather(*(ledger.post(account, house) for _ in range(16)))
    assert sorted(answers) == [False] * 15 + [True]
    assert await balance(db, account, REVENUE) == -5


async def test_crossing_posts_over_two_balances_do_not_lock_each_other_out(db: Database) -> None:
    account, ledger = uuid4(), service.Ledger(db)
    await ledger.post(account, move("top-up", clearing("manual"), PREPAID, 1000))
    there = [ledger.post(account, move(f"a{n}", PREPAID, RECEIVABLE, 1)) for n in range(20)]
    back = [ledger.post(account, move(f"b{n}", RECEIVABLE, PREPAID, 1)) for n in range(20)]
    assert all(await asyncio.gather(*there, *back))
    assert await balance(db, account, PREPAID) == -1000


async def test_a_posting_inside_a_transaction_that_fails_is_gone(db: Database) -> None:
    account = uuid4()

    async def post_and_fail() -> None:
        async with db.transaction(WRITER) as conn:
            assert await service.post(conn, account, owe("a", 100))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await post_and_fail()
    assert await balance(db, account, RECEIVABLE) == 0
    assert await service.Ledger(db).post(account, owe("a", 100))


async def test_a_batch_is_answered_entry_by_entry_in_order(db: Database) -> None:
    one, other = uuid4(), uuid4()
    await service.Ledger(db).post(one, owe("old", 100))
    batch = [
        (one, owe("old", 100)),
        (other, move("top-up", clearing("manual"), PREPAID, 10)),
        (other, move("use", PREPAID, REVENUE, 8)),
        (other, move("too much", PREPAID, REVENUE, 3)),
        (other, move("rest", PREPAID, RECEIVABLE, 2)),
        (one, move("old", clearing("stripe"), REVENUE, 1)),
    ]
    async with db.transaction(WRITER) as conn:
        outcomes = await store.post_entries(
            conn, [store.NewEntry(account, new_id(), entry) for account, entry in batch]
        )
    assert outcomes == ["replayed", "posted", "posted", "overdrawn", "posted", "conflict"]
    assert await balance(db, one, RECEIVABLE) == 100
    assert await balance(db, other, PREPAID) == 0
    assert await balance(db, other, RECEIVABLE) == -2
    assert await balance(db, other, REVENUE) == -8
    async with db.transaction(WRITER) as conn:
        kept = await conn.fetch(
            "SELECT sequence, balance_after FROM ledger_postings"
            " WHERE account_id = $1 AND ledger_account = 'prepaid' ORDER BY sequence",
            other,
        )
    assert [tuple(row) for row in kept] == [(1, -10), (2, -2), (3, 0)]


async def test_entries_are_paged_newest_first_with_their_postings(db: Database) -> None:
    account, ledger = uuid4(), service.Ledger(db)
    for day in range(3):
        await ledger.post(account, owe(f"k{day}", day + 1, AT + timedelta(days=day)))
    async with db.transaction(account_scope(account)) as conn:
        first = await service.list_entries(conn, account, PageRequest(limit=2))
        assert first.next_cursor
        rest = await service.list_entries(
            conn, account, PageRequest(limit=2, after=read_cursor(first.next_cursor))
        )
    assert [entry.idempotency_key for entry in first.items] == ["k2", "k1"]
    assert [entry.idempotency_key for entry in rest.items] == ["k0"]
    assert (first.total, rest.next_cursor) == (3, None)
    assert [posting.amount for posting in first.items[0].postings] == [3, -3]


async def test_an_account_can_not_post_or_read_for_another(db: Database) -> None:
    mine, theirs = uuid4(), uuid4()
    await service.Ledger(db).post(theirs, owe("a", 100))
    async with db.transaction(account_scope(mine)) as conn:
        assert await service.balance(conn, theirs, RECEIVABLE, "EUR") == 0
        assert (await service.list_entries(conn, theirs, PageRequest())).total == 0
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with db.transaction(account_scope(mine)) as conn:
            await service.post(conn, theirs, owe("b", 100))
