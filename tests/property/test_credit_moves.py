"""Giving, using, giving back, adjusting and moving between accounts: no credit is made or lost."""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tallystick.accounts import service as accounts
from tallystick.accounts.model import NewAccount
from tallystick.credits import grants, refunds, service, transfers
from tallystick.credits.amounts import to_credits
from tallystick.credits.model import NewGrant, Settings
from tallystick.credits.service import CreditService, Deduct
from tallystick.kernel.db import WRITER, Connection, Database, open_database
from tallystick.kernel.errors import BadInput, Conflict, PaymentRequired, TallystickError

NOW = datetime(2026, 3, 1, tzinfo=UTC)
WHO = st.integers(0, 1)
UNITS = st.integers(1, 300)
Refusals = type[TallystickError] | tuple[type[TallystickError], ...]

AGREES = """
SELECT a.account_id, -coalesce(b.balance, 0) AS balance, a.owed,
    (SELECT coalesce(sum(remaining), 0) FROM credit_grants AS g
     WHERE g.account_id = a.account_id) AS remaining,
    (SELECT -coalesce(sum(amount), 0) FROM ledger_postings AS p
     WHERE p.account_id = a.account_id AND ledger_account = 'credits') AS posted
FROM credit_accounts AS a LEFT JOIN ledger_balances AS b
    ON b.account_id = a.account_id AND b.ledger_account = 'credits'
WHERE a.account_id = ANY ($1)
"""
# Of both accounts: every entry sums to zero, and what was transferred left nothing on the way.
HOUSE = """
SELECT coalesce(sum(amount), 0) AS all_postings,
    coalesce(sum(amount) FILTER (WHERE ledger_account = 'credits_transferred'), 0) AS on_the_way
FROM ledger_postings WHERE account_id = ANY ($1)
"""


class Moves(RuleBasedStateMachine):
    """Two accounts; `has` is what each can spend beside its overdraft, below zero: what it owes."""

    loop: ClassVar[asyncio.AbstractEventLoop]
    db: ClassVar[Database]
    credits: ClassVar[CreditService]

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    @initialize(overdraft=st.sampled_from([0, 0, 100]))
    def begin(self, overdraft: int) -> None:
        self.has = [0, 0]
        self.overdraft = overdraft
        self.debits: list[list[tuple[str, int]]] = [[], []]
        self.back: dict[tuple[int, str], int] = {}
        self.number = 0
        self.accounts: list[UUID] = [self.run(self._open()), self.run(self._open())]

    async def _open(self) -> UUID:
        new = NewAccount(name="A", email="a@example.com", currency="EUR", country="FR")
        async with self.db.transaction(WRITER) as conn:
            account_id = (await accounts.create_account(conn, new, NOW)).account_id
            wanted = Settings(overdraft_max=self.overdraft)
            await service.set_settings(conn, account_id, wanted, NOW)
        return account_id

    def key(self) -> str:
        self.number += 1
        return f"k{self.number}"

    def twice(self, work: Any, *, refused_by: Refusals = ()) -> bool:
        """Do it, and once more with the same key; tell whether it was done, or refused as said."""

        async def once() -> bool:
            async with self.db.transaction(WRITER) as conn:
                await work(conn)
            return True

        async def both() -> bool:
            try:
                done = await once()
            except refused_by:
                return False
            return done and await once()

        found: bool = self.run(both())
        return found

    @rule(who=WHO, units=UNITS, priority=st.integers(1, 3))
    def give(self, who: int, units: int, priority: int) -> None:
        key = self.key()

        async def work(conn: Connection) -> None:
            new = NewGrant(source="manual", units=units, priority=priority)
            await grants.grant(conn, self.accounts[who], new, key=key, at=NOW)

        assert self.twice(work)
        self.has[who] += units

    @rule(who=WHO, units=UNITS)
    def use(self, who: int, units: int) -> None:
        key = self.key()
        wanted = Deduct(
            account_id=self.accounts[who], key=key, at=NOW, operation="write",
            credits=to_credits(units),
        )  # fmt: skip

        async def work(conn: Connection) -> None:
            await self.credits.deduct_within(conn, wanted)

        done = self.twice(work, refused_by=PaymentRequired)
        assert done == (units <= self.has[who] + self.overdraft)
        if done:
            self.has[who] -= units
            self.debits[who].append((key, units))

    @rule(who=WHO, pick=st.integers(0, 9), units=UNITS | st.none())
    def give_back(self, who: int, pick: int, units: int | None) -> None:
        if not self.debits[who]:
            return
        debit, taken = self.debits[who][pick % len(self.debits[who])]
        left = taken - self.back.get((who, debit), 0)
        key = self.key()

        async def work(conn: Connection) -> None:
            named: dict[str, Any] = {"key": key, "at": NOW, "units": units}
            await refunds.refund(conn, self.accounts[who], debit, **named)

        wanted = left if units is None else units
        done = self.twice(work, refused_by=Conflict)
        assert done == (wanted <= left)
        if done:
            self.has[who] += wanted
            self.back[who, debit] = taken - left + wanted

    @rule(who=WHO, units=st.integers(-300, 300).filter(bool))
    def adjust(self, who: int, units: int) -> None:
        key = self.key()

        async def work(conn: Connection) -> None:
            amount = Decimal(units) / 100_000
            await refunds.adjust(conn, self.accounts[who], amount, reason="r", key=key, at=NOW)

        done = self.twice(work, refused_by=PaymentRequired)
        assert done == (self.has[who] + units >= -self.overdraft or units > 0)
        if done:
            self.has[who] += units

    @rule(giver=WHO, units=UNITS)
    def move(self, giver: int, units: int) -> None:
        key = self.key()

        async def work(conn: Connection) -> None:
            one, other = self.accounts[giver], self.accounts[1 - giver]
            await transfers.transfer(conn, one, other, units, key=key, at=NOW)

        done = self.twice(work, refused_by=(PaymentRequired, BadInput))
        assert done == (units <= self.has[giver])
        if done:
            self.has[giver] -= units
            self.has[1 - giver] += units

    @invariant()
    def nothing_is_made_or_lost(self) -> None:
        if hasattr(self, "accounts"):
            self.run(self._agrees())

    async def _agrees(self) -> None:
        async with self.db.transaction(WRITER) as conn:
            rows = {row["account_id"]: row for row in await conn.fetch(AGREES, self.accounts)}
            house = await conn.fetchrow(HOUSE, self.accounts)
            found = [await service.balance(conn, one, NOW) for one in self.accounts]
        assert house is not None
        assert tuple(house) == (0, 0)
        assert [one.available for one in found] == self.has
        for row in rows.values():
            assert row["balance"] == row["posted"] == row["remaining"] - row["owed"]
            assert row["balance"] >= -self.overdraft


def test_credits_move_between_accounts_and_none_is_made_or_lost(dsn: str) -> None:
    loop = Moves.loop = asyncio.new_event_loop()

    async def begin() -> None:
        Moves.db = await open_database(dsn, connections_max=4)
        Moves.credits = CreditService(Moves.db)

    async def end() -> None:
        await Moves.credits.close()
        await Moves.db.close()

    loop.run_until_complete(begin())
    try:
        run_state_machine_as_test(
            Moves,
            settings=settings(
                max_examples=20,
                stateful_step_count=25,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        loop.run_until_complete(end())
        loop.close()
