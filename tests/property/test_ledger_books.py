"""Whatever is posted, refused, sent again or rolled back: the books agree with a simple model."""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID, uuid4

import asyncpg
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tallystick.kernel.errors import Conflict, PaymentRequired
from tallystick.ledger import service
from tallystick.ledger.model import PREPAID, RECEIVABLE, REVENUE, TAX_PAYABLE, Entry, Posting

AT = datetime(2026, 3, 1, tzinfo=UTC)
KEYS = st.sampled_from([f"key{n}" for n in range(12)])
MOVE = st.tuples(
    st.sampled_from([RECEIVABLE, PREPAID, REVENUE, TAX_PAYABLE, "clearing:stripe"]),
    st.sampled_from(["EUR", "JPY"]),
    st.integers(-50, 50).filter(bool),
)

SUMS = """
SELECT ledger_account, unit, sum(amount)::bigint AS amount, max(sequence) AS sequence,
       count(*) AS posting_count
FROM ledger_postings WHERE account_id = $1 GROUP BY 1, 2
"""
UNBALANCED = """
SELECT count(*) FROM (SELECT FROM ledger_postings WHERE account_id = $1
                      GROUP BY ledger_entry_id, unit HAVING sum(amount) <> 0) AS off
"""


def balanced(moves: list[tuple[str, str, int]]) -> tuple[Posting, ...]:
    """Return the moves, and what the revenue takes against them."""
    postings = [Posting(*move) for move in moves]
    return tuple(postings + [Posting(REVENUE, unit, -amount) for _, unit, amount in moves])


class Books(RuleBasedStateMachine):
    loop: ClassVar[asyncio.AbstractEventLoop]
    conn: ClassVar[asyncpg.Connection]

    @initialize()
    def begin(self) -> None:
        self.account: UUID = uuid4()
        self.posted: dict[str, tuple[Posting, ...]] = {}

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def amounts(self) -> Counter[tuple[str, str]]:
        totals: Counter[tuple[str, str]] = Counter()
        for posting in (posting for entry in self.posted.values() for posting in entry):
            totals[posting.ledger_account, posting.unit] += posting.amount
        return totals

    def expected(self, key: str, postings: tuple[Posting, ...]) -> object:
        if key in self.posted:
            return False if self.posted[key] == postings else Conflict
        after = self.amounts()
        for posting in postings:
            after[posting.ledger_account, posting.unit] += posting.amount
        short = any(after[PREPAID, posting.unit] > 0 for posting in postings)
        return PaymentRequired if short else True

    async def post(self, key: str, postings: tuple[Posting, ...], *, commit: bool = True) -> object:
        transaction = self.conn.transaction()
        await transaction.start()
        try:
            entry = Entry(key, "test_move", "ref", "a test", AT, postings)
            answer: object = await service.post(self.conn, self.account, entry)
        except (Conflict, PaymentRequired) as refused:
            answer, commit = type(refused), False
        await (transaction.commit() if commit else transaction.rollback())
        return answer

    @rule(key=KEYS, moves=st.lists(MOVE, min_size=1, max_size=4))
    def post_something(self, key: str, moves: list[tuple[str, str, int]]) -> None:
        postings = balanced(moves)
        expected = self.expected(key, postings)
        assert self.run(self.post(key, postings)) == expected
        if expected is True:
            self.posted[key] = postings

    @rule(key=KEYS)
    def post_again(self, key: str) -> None:
        if key in self.posted:
            assert self.run(self.post(key, self.posted[key])) is False

    @rule(key=KEYS, moves=st.lists(MOVE, min_size=1, max_size=2))
    def post_and_roll_back(self, key: str, moves: list[tuple[str, str, int]]) -> None:
        postings = balanced(moves)
        assert self.run(self.post(key, postings, commit=False)) == self.expected(key, postings)

    @invariant()
    def the_books_agree(self) -> None:
        if not hasattr(self, "account"):
            return
        rows = self.run(self.conn.fetch(SUMS, self.account))
        kept = {
            (one.ledger_account, one.unit): one.amount
            for one in self.run(service.list_balances(self.conn, self.account))
        }
        assert {(r["ledger_account"], r["unit"]): r["amount"] for r in rows} == self.amounts()
        assert self.run(self.conn.fetchval(UNBALANCED, self.account)) == 0
        for row in rows:
            if row["sequence"] is not None:
                assert row["sequence"] == row["posting_count"]
                assert kept[row["ledger_account"], row["unit"]] == row["amount"]


def test_the_books_agree_with_their_postings_whatever_happens(dsn: str) -> None:
    Books.loop = asyncio.new_event_loop()
    Books.conn = Books.loop.run_until_complete(asyncpg.connect(dsn))
    try:
        run_state_machine_as_test(
            Books,
            settings=settings(
                max_examples=25,
                stateful_step_count=20,
                deadline=None,
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )
    finally:
        Books.loop.run_until_complete(Books.conn.close())
        Books.loop.close()
