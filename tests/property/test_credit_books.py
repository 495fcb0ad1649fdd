"""Whatever is given, taken, held, revoked or lapses: grants, books and usage log agree.

A model in plain Python does everything one after the other, by the pure rules of `burn.py`; the
database does the same in batches.
"""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
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
from msgspec.structs import replace

from tallystick.accounts import service as accounts
from tallystick.accounts.model import NewAccount
from tallystick.credits import grant_store, grants, reservations, service
from tallystick.credits.burn import burn, lapsed, usable
from tallystick.credits.jobs import CreditLapses
from tallystick.credits.model import Debited, Grant, NewGrant, Outcome, Settings
from tallystick.credits.service import CreditService, Deduct
from tallystick.kernel.db import WRITER, Database, open_database
from tallystick.kernel.errors import Conflict, PaymentRequired

START = datetime(2026, 3, 1, tzinfo=UTC)
KEYS = st.sampled_from([f"k{n}" for n in range(10)])
UNITS = st.integers(1, 400)
HOURS = st.integers(1, 12)

AGREES = """
SELECT -coalesce(b.balance, 0) AS balance, -coalesce(b.floor, 0) AS overdraft, a.owed, a.reserved,
  (SELECT coalesce(sum(remaining), 0) FROM credit_grants g WHERE g.account_id = a.account_id)
      AS remaining,
  (SELECT -coalesce(sum(amount), 0) FROM ledger_postings p
   WHERE p.account_id = a.account_id AND p.ledger_account = 'credits') AS posted,
  (SELECT coalesce(sum(amount), 0) FROM credit_reservations r
   WHERE r.account_id = a.account_id AND status = 'active') AS held,
  (SELECT count(*) FROM (SELECT FROM ledger_postings p WHERE p.account_id = a.account_id
                         GROUP BY ledger_entry_id HAVING sum(amount) <> 0) AS off) AS unbalanced,
  (SELECT count(*) FROM credit_usage_log l FULL JOIN
      (SELECT * FROM ledger_entries WHERE account_id = a.account_id AND kind = 'credit_usage') e
      ON e.account_id = l.account_id AND e.ledger_entry_id = l.ledger_entry_id
   WHERE l.account_id = a.account_id AND (e.account_id IS NULL OR l.account_id IS NULL)) AS apart,
  (SELECT coalesce(sum(amount - remaining), 0) FROM credit_grants g
   WHERE g.account_id = a.account_id)
  - (SELECT coalesce(sum(amount), 0) FROM credit_allocations t WHERE t.account_id = a.account_id)
      AS unexplained
FROM credit_accounts a LEFT JOIN ledger_balances b
  ON b.account_id = a.account_id AND b.ledger_account = 'credits'
WHERE a.account_id = $1
"""


class Credits(RuleBasedStateMachine):
    """One account; `self.model` holds its grants as they should be."""

    loop: ClassVar[asyncio.AbstractEventLoop]
    db: ClassVar[Database]
    credits: ClassVar[CreditService]

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    @initialize(overdraft=st.sampled_from([0, 0, 150]))
    def begin(self, overdraft: int) -> None:
        self.now = START
        self.model: dict[UUID, Grant] = {}
        self.owed, self.overdraft = 0, overdraft
        self.taken: dict[str, int] = {}
        self.held: dict[UUID, tuple[int, datetime]] = {}
        self.number = 0
        self.revoked: set[UUID] = set()
        self.account: UUID = self.run(self._open())

    async def _open(self) -> UUID:
        new = NewAccount(name="A", email="a@example.com", currency="EUR", country="FR")
        async with self.db.transaction(WRITER) as conn:
            account_id = (await accounts.create_account(conn, new, START)).account_id
            if self.overdraft:
                wanted = Settings(overdraft_max=self.overdraft)
                await service.set_settings(conn, account_id, wanted, START)
        return account_id

    @property
    def available(self) -> int:
        held = sum(units for units, until in self.held.values() if until > self.now)
        return sum(usable(one, self.now) for one in self.model.values()) - held - self.owed

    def spend(self, units: int) -> None:
        for part in burn(self.model.values(), units, self.now):
            self.shrink(part.credit_grant_id, part.units)
            units -= part.units
        self.owed += units

    def shrink(self, grant_id: UUID, units: int) -> None:
        one = self.model[grant_id]
        cap = one.cap
        if cap is not None and one.cap_at is not None and self.now >= one.cap_at:
            cap -= units
        self.model[grant_id] = replace(one, remaining=one.remaining - units, cap=cap)

    @rule(
        units=UNITS,
        priority=st.integers(1, 3),
        begins=st.integers(0, 3),
        lasts=st.none() | HOURS,
        cap=st.none() | st.integers(0, 200),
    )
    def give(
        self, *, units: int, priority: int, begins: int, lasts: int | None, cap: int | None
    ) -> None:
        self.number += 1
        effective_at = self.now + timedelta(hours=begins)
        cap = cap if lasts is not None and lasts > 1 else None
        new = NewGrant(
            source="purchase",
            units=units,
            priority=priority,
            effective_at=effective_at,
            expires_at=None if lasts is None else effective_at + timedelta(hours=lasts),
            cap_at=None if cap is None else effective_at + timedelta(hours=1),
            cap_units=cap,
            reference=f"inv{self.number}",
        )

        async def work() -> Grant:
            async with self.db.transaction(WRITER) as conn:
                named: dict[str, Any] = {"key": f"g{self.number}", "at": self.now}
                made = await grants.grant(conn, self.account, new, **named)
                again = await grants.grant(conn, self.account, new, **named)
                assert again.credit_grant_id == made.credit_grant_id
            return made

        made: Grant = self.run(work())
        paid_back = min(self.owed, usable(replace(made, remaining=units), self.now))
        assert made.remaining == units - paid_back
        self.owed -= paid_back
        self.model[made.credit_grant_id] = made

    @rule(wanted=st.lists(st.tuples(KEYS, UNITS), min_size=1, max_size=6))
    def deduct_at_once(self, wanted: list[tuple[str, int]]) -> None:
        """A batch, with keys that come twice in it; the answers are those of a serial run."""
        debits = [
            Deduct(
                account_id=self.account,
                key=key,
                at=self.now,
                operation="write",
                credits=Decimal(units) / 100_000,
            )
            for key, units in wanted
        ]
        answers = self.run(self.credits.deduct_many(debits))
        # A key that comes again in a batch is answered behind the others.
        seen: set[str] = set()
        later: list[int] = []
        for place, (key, _) in enumerate(wanted):
            if key in seen:
                later.append(place)
            else:
                seen.add(key)
                self.expect(*wanted[place], answers[place])
        for place in later:
            self.expect(*wanted[place], answers[place])

    def expect(self, key: str, units: int, answer: object) -> None:
        if key in self.taken:
            if self.taken[key] == units:
                assert isinstance(answer, Debited)
                assert answer.outcome is Outcome.REPLAYED
            else:
                assert isinstance(answer, Conflict)
        elif units > self.available + self.overdraft:
            assert isinstance(answer, PaymentRequired), answer
        else:
            assert isinstance(answer, Debited), answer
            assert answer.outcome is Outcome.DEBITED
            assert answer.available_units == self.available - units
            self.taken[key] = units
            self.spend(units)

    @rule(units=UNITS, hours=HOURS)
    def reserve(self, units: int, hours: int) -> None:
        self.number += 1
        wanted = self.wanted(f"r{self.number}", units)

        async def work() -> UUID | None:
            async with self.db.transaction(WRITER) as conn:
                try:
                    made = await reservations.reserve(
                        conn, self.credits, wanted, seconds=hours * 3600
                    )
                except PaymentRequired:
                    return None
            return made.credit_reservation_id

        made = self.run(work())
        assert (made is None) == (units > self.available + self.overdraft)
        if made is not None:
            self.held[made] = (units, self.now + timedelta(hours=hours))

    @rule(units=st.integers(1, 600))
    def settle(self, units: int) -> None:
        live = [(one, until) for one, (_, until) in self.held.items() if until > self.now]
        if not live:
            return
        self.number += 1
        wanted = self.wanted(f"s{self.number}", units)

        async def work() -> bool:
            try:
                async with self.db.transaction(WRITER) as conn:
                    await reservations.settle(conn, self.credits, live[0][0], wanted)
            except PaymentRequired:
                return False
            return True

        free = self.available + self.held[live[0][0]][0] + self.overdraft
        done = self.run(work())
        assert done == (units <= free)
        if done:
            del self.held[live[0][0]]
            self.spend(units)

    @rule()
    def release(self) -> None:
        live = [one for one, (_, until) in self.held.items() if until > self.now]
        if live:
            del self.held[live[0]]
            self.run(self._release(live[0]))

    async def _release(self, reservation_id: UUID) -> None:
        async with self.db.transaction(WRITER) as conn:
            await reservations.release(conn, self.account, reservation_id, self.now)

    @rule(pick=st.integers(0, 5))
    def revoke(self, pick: int) -> None:
        """Take back what is unspent of one purchase; a second time takes nothing more."""
        if not self.model:
            return
        one = list(self.model.values())[pick % len(self.model)]

        async def work() -> tuple[int, int]:
            async with self.db.transaction(WRITER) as conn:
                named: dict[str, Any] = {"reference": one.reference, "source": "purchase",
                                         "key": one.reference, "at": self.now}  # fmt: skip
                first = await grants.revoke_unspent(conn, self.account, **named)
                return first, await grants.revoke_unspent(conn, self.account, **named)

        first, second = self.run(work())
        assert first == second
        if one.credit_grant_id not in self.revoked:
            assert first == one.remaining - lapsed(one, self.now)
            if first:
                self.revoked.add(one.credit_grant_id)
                self.shrink(one.credit_grant_id, first)

    @rule(hours=st.integers(1, 6))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @rule()
    def the_worker_runs(self) -> None:
        async def work() -> None:
            lapses = CreditLapses(self.db)
            while await lapses.run_due(self.now, None):
                pass

        self.run(work())
        self.held = {one: held for one, held in self.held.items() if held[1] > self.now}
        for one in list(self.model.values()):
            if one.effective_at <= self.now:
                left = usable(one, self.now)
                is_capped = one.cap_at is None or self.now < one.cap_at
                kept = replace(one, remaining=left)
                self.model[one.credit_grant_id] = (
                    kept if is_capped else replace(kept, cap_at=None, cap=None)
                )

    def wanted(self, key: str, units: int) -> Deduct:
        credits_ = Decimal(units) / 100_000
        return Deduct(
            account_id=self.account, key=key, at=self.now, operation="write", credits=credits_
        )

    @invariant()
    def everything_agrees(self) -> None:
        if not hasattr(self, "account"):
            return
        self.run(self._agrees())

    async def _agrees(self) -> None:
        async with self.db.transaction(WRITER) as conn:
            row = await conn.fetchrow(AGREES, self.account)
            left = {one.credit_grant_id: one for one in await grant_store.live(conn, self.account)}
            balance = await service.balance(conn, self.account, self.now)
        if row is None:
            assert not self.model
            return
        assert row["balance"] == row["posted"] == row["remaining"] - row["owed"]
        assert row["balance"] >= -row["overdraft"]
        assert row["reserved"] == row["held"]
        assert (row["unbalanced"], row["apart"], row["unexplained"]) == (0, 0, 0)
        assert balance.available == self.available
        assert row["owed"] == self.owed
        expected = {one.credit_grant_id: one.remaining for one in self.model.values()}
        assert {key: one.remaining for key, one in left.items()} == {
            key: units for key, units in expected.items() if units
        }


def test_credits_agree_with_a_serial_model_whatever_happens(dsn: str) -> None:
    loop = Credits.loop = asyncio.new_event_loop()

    async def begin() -> None:
        Credits.db = await open_database(dsn, connections_max=4)
        Credits.credits = CreditService(Credits.db)

    async def end() -> None:
        await Credits.credits.close()
        await Credits.db.close()

    loop.run_until_complete(begin())
    try:
        run_state_machine_as_test(
            Credits,
            settings=settings(
                max_examples=25,
                stateful_step_count=25,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        loop.run_until_complete(end())
        loop.close()
