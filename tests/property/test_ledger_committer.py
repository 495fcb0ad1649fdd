"""Whatever waits together, in whatever words: the committer answers as one after the other would.

And the chain that the database made is the one that Python computes.
"""

import asyncio
from collections import Counter
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID, uuid4

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tallystick import verify
from tallystick.kernel.db import WRITER, Database, open_database
from tallystick.kernel.errors import PaymentRequired
from tallystick.kernel.group_commit import LANE_WAITING_MIN
from tallystick.ledger import service
from tallystick.ledger.model import (
    CREDIT,
    CREDITS,
    CREDITS_ISSUED,
    CREDITS_USED,
    PREPAID,
    RECEIVABLE,
    REVENUE,
    Entry,
    Posting,
)
from tallystick.ledger.verify import Difference

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=12)
INSTANTS = st.datetimes(
    datetime(1999, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)  # noqa: DTZ001 - given there
)  # fmt: skip
MOVES = st.one_of(
    st.tuples(
        st.sampled_from([RECEIVABLE, PREPAID]),
        st.just(REVENUE),
        st.sampled_from(["EUR", "JPY"]),
        st.integers(-50, 50).filter(bool),
    ),
    st.tuples(
        st.just(CREDITS),
        st.sampled_from([CREDITS_ISSUED, CREDITS_USED]),
        st.just(CREDIT),
        st.integers(-50, 50).filter(bool),
    ),
)
ENTRIES = st.builds(
    lambda key, kind, reason, at, moves: Entry(
        key,
        kind,
        "ref",
        reason,
        at,
        tuple(
            Posting(ledger_account, unit, amount)
            for one, other, unit, moved in moves
            for ledger_account, amount in ((one, moved), (other, -moved))
        ),
    ),
    WORDS,
    WORDS,
    WORDS,
    INSTANTS,
    st.lists(MOVES, min_size=1, max_size=3),
)


class Committing(RuleBasedStateMachine):
    """Against a model that takes one entry after the other."""

    loop: ClassVar[asyncio.AbstractEventLoop]
    db: ClassVar[Database]

    @initialize()
    def begin(self) -> None:
        self.account: UUID = uuid4()
        self.ledger = service.Ledger(self.db)
        self.posted: dict[str, Entry] = {}
        self.known: dict[str, Entry] = {}
        self.held: Counter[tuple[str, str]] = Counter()
        self.floor = 0

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def expected(self, entry: Entry) -> object:
        if entry.idempotency_key in self.posted:
            return False
        after = self.held.copy()
        for posting in entry.postings:
            after[posting.ledger_account, posting.unit] += posting.amount
        for posting in entry.postings:
            name, unit = posting.ledger_account, posting.unit
            floor = {PREPAID: 0, CREDITS: self.floor}.get(name)
            if floor is not None and -after[name, unit] < floor:
                return PaymentRequired
        self.held = after
        self.posted[entry.idempotency_key] = entry
        return True

    async def post(self, entry: Entry) -> object:
        try:
            return await self.ledger.post(self.account, entry)
        except PaymentRequired:
            return PaymentRequired

    async def post_all(self, entries: list[Entry]) -> list[object]:
        return await asyncio.gather(*(self.post(entry) for entry in entries))

    @rule(entries=st.lists(ENTRIES, min_size=1, max_size=LANE_WAITING_MIN - 12), data=st.data())
    def post_together(self, entries: list[Entry], data: st.DataObject) -> None:
        """Some new, some again: in this step, or from one before."""
        meant = [self.known.setdefault(one.idempotency_key, one) for one in entries]
        old = st.lists(st.sampled_from(sorted(self.known)), max_size=10)
        meant += [self.known[key] for key in data.draw(old)]
        # Equal keys that wait together are one after the other, at the place of the first.
        keys = [entry.idempotency_key for entry in meant]
        order = sorted(range(len(meant)), key=lambda position: keys.index(keys[position]))
        expected = {position: self.expected(meant[position]) for position in order}
        assert self.run(self.post_all(meant)) == [expected[n] for n in range(len(meant))]

    @rule(overdraft=st.integers(0, 60))
    def allow_an_overdraft(self, overdraft: int) -> None:
        async def allow() -> None:
            async with self.db.transaction(WRITER) as conn:
                await service.set_floor(conn, self.account, -overdraft)

        if -self.held[CREDITS, CREDIT] >= -overdraft:
            self.run(allow())
            self.floor = -overdraft

    @rule()
    def begin_another_process(self) -> None:
        self.run(self.ledger.close())
        self.ledger = service.Ledger(self.db)

    @invariant()
    def the_books_agree(self) -> None:
        if not hasattr(self, "account"):
            return

        async def kept() -> dict[tuple[str, str], int]:
            async with self.db.transaction(WRITER) as conn:
                found = await service.list_balances(conn, self.account)
            return {(one.ledger_account, one.unit): one.amount for one in found if one.amount}

        own = {
            key: held for key, held in self.held.items() if key[0] in (RECEIVABLE, PREPAID, CREDITS)
        }
        assert self.run(kept()) == {key: held for key, held in own.items() if held}

    def teardown(self) -> None:
        """Close the last committer."""
        if hasattr(self, "ledger"):
            self.run(self.ledger.close())


async def differences(dsn: str) -> list[Difference]:
    """Return what is wrong with the books alone: nobody here keeps grants beside the credits."""
    found: list[Difference] = []
    async with verify.snapshot(dsn) as conn:
        await verify.verify_database(conn, None, found.append, lambda _: None)
    return [one for one in found if not one.code.startswith("credit_")]


def test_what_waits_together_is_answered_as_one_after_the_other(dsn: str) -> None:
    Committing.loop = asyncio.new_event_loop()
    Committing.db = Committing.loop.run_until_complete(open_database(dsn, connections_max=4))
    try:
        run_state_machine_as_test(
            Committing,
            settings=settings(
                max_examples=40,
                stateful_step_count=15,
                deadline=None,
                suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
            ),
        )
        assert Committing.loop.run_until_complete(differences(dsn)) == []
    finally:
        Committing.loop.run_until_complete(Committing.db.close())
        Committing.loop.close()
