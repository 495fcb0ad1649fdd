"""64 tasks on one account, in two committers: they are told what a serial run would tell."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tallystick.accounts import service as accounts
from tallystick.accounts.model import NewAccount
from tallystick.credits import grants, service
from tallystick.credits.model import Debited, NewGrant, Outcome, Settings
from tallystick.credits.service import CreditService, Deduct
from tallystick.kernel.db import WRITER, Database, open_database
from tallystick.kernel.errors import PaymentRequired

NOW = datetime(2026, 3, 1, tzinfo=UTC)
TASKS = 64

SERIAL = """
SELECT e.ledger_entry_id, l.credits, l.available_after
FROM ledger_postings AS p
JOIN ledger_entries AS e USING (account_id, ledger_entry_id)
LEFT JOIN credit_usage_log AS l USING (account_id, ledger_entry_id)
WHERE p.account_id = $1 AND p.ledger_account = 'credits' ORDER BY p.sequence
"""


class World:
    """An account with grants; two services spend from it as two processes would."""

    def __init__(self, db: Database, services: tuple[CreditService, CreditService]) -> None:
        self.db = db
        self.services = services

    async def account(self, given: list[int], overdraft: int) -> UUID:
        new = NewAccount(name="A", email="a@example.com", currency="EUR", country="FR")
        async with self.db.transaction(WRITER) as conn:
            account_id = (await accounts.create_account(conn, new, NOW)).account_id
            await service.set_settings(conn, account_id, Settings(overdraft_max=overdraft), NOW)
            for number, units in enumerate(given):
                one = NewGrant(source="manual", units=units, priority=number % 3)
                await grants.grant(conn, account_id, one, key=f"g{number}", at=NOW)
        return account_id

    async def ask(self, account_id: UUID, number: int, key: str, units: int) -> Any:
        wanted = Deduct(
            account_id=account_id, key=key, at=NOW, operation="write",
            credits=Decimal(units) / 100_000,
        )  # fmt: skip
        try:
            return await self.services[number % 2].deduct(wanted)
        except PaymentRequired as refused:
            return refused

    async def serial(self, account_id: UUID) -> list[Any]:
        """Return the debits in the order of the books."""
        async with self.db.transaction(WRITER) as conn:
            rows = await conn.fetch(SERIAL, account_id)
        return [row for row in rows if row["credits"] is not None]


def units_of(text: Any) -> int:
    return int(Decimal(str(text)) * 100_000)


async def check(
    world: World, given: list[int], asked: list[tuple[int, int]], overdraft: int
) -> None:
    """`asked` are keys and units; a key that comes again has the units of its first time."""
    account_id = await world.account(given, overdraft)
    meant: dict[int, int] = {}
    wanted = [(key, meant.setdefault(key, units)) for key, units in asked]
    answers = await asyncio.gather(
        *(
            world.ask(account_id, number, f"k{key}", units)
            for number, (key, units) in enumerate(wanted)
        )
    )
    left = sum(given)
    states = {left + overdraft}
    entries = {}
    for row in await world.serial(account_id):
        left -= row["credits"]
        assert row["available_after"] == left >= -overdraft
        states.add(left + overdraft)
        entries[row["ledger_entry_id"]] = row
    told: dict[int, set[UUID]] = {}
    for (key, units), answer in zip(wanted, answers, strict=True):
        if isinstance(answer, Debited):
            assert answer.available_units == entries[answer.ledger_entry_id]["available_after"]
            told.setdefault(key, set()).add(answer.ledger_entry_id)
        else:
            # It was refused when so much was there, in one of the states that were.
            available = units_of(answer.extra["available"])
            assert available in states
            assert units > available
    assert all(len(found) == 1 for found in told.values())
    first = [one for one in answers if isinstance(one, Debited) and one.outcome is Outcome.DEBITED]
    assert len(first) == len(told) == len(entries)


def test_64_tasks_get_the_answers_of_a_serial_run(dsn: str) -> None:
    loop = asyncio.new_event_loop()

    async def begin() -> World:
        db = await open_database(dsn, connections_max=4)
        return World(db, (CreditService(db), CreditService(db)))

    world = loop.run_until_complete(begin())

    @given(
        st.lists(st.integers(1, 500), min_size=1, max_size=5),
        st.lists(
            st.tuples(st.integers(0, 50), st.integers(1, 120)), min_size=TASKS, max_size=TASKS
        ),
        st.sampled_from([0, 0, 100]),
    )
    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    def holds(given: list[int], asked: list[tuple[int, int]], overdraft: int) -> None:
        loop.run_until_complete(check(world, given, asked, overdraft))

    async def end() -> None:
        for one in world.services:
            await one.close()
        await world.db.close()

    try:
        holds()
    finally:
        loop.run_until_complete(end())
        loop.close()
