"""Test clocks: due work in order of time, through the kinds that production uses."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest

from tallystick.accounts import service as accounts
from tallystick.accounts.model import NewAccount
from tallystick.kernel import outbox, test_clocks
from tallystick.kernel.clock import account_now, system_clock
from tallystick.kernel.db import WRITER, Database
from tallystick.kernel.due import AccountKind
from tallystick.kernel.errors import BadInput, Conflict
from tallystick.kernel.ids import new_id
from tallystick.kernel.outbox import Event, Teller
from tallystick.kernel.test_clocks import Advancer

START = datetime(2026, 1, 1, tzinfo=UTC)


class Ring(msgspec.Struct, frozen=True):
    """What an alarm writes to the outbox."""

    at: datetime


class Alarms:
    """Work on account time: rings at given instants, and tells of each ring."""

    def __init__(self, db: Database, account_id: UUID, instants: list[datetime]) -> None:
        self._db = db
        self._account_id = account_id
        self.waiting = sorted(instants)
        self.rung: list[tuple[datetime, datetime]] = []

    async def run_due(self, now: datetime, test_clock_id: UUID | None) -> int:
        if test_clock_id is None or not self.waiting or self.waiting[0] > now:
            return 0
        at = self.waiting.pop(0)
        self.rung.append((at, now))
        async with self._db.transaction(WRITER) as conn:
            await outbox.append(conn, self._account_id, "alarm.rung", Ring(at))
        return 1

    async def next_at(self, _test_clock_id: UUID) -> datetime | None:
        return self.waiting[0] if self.waiting else None


@pytest.fixture
async def clock_id(db: Database) -> UUID:
    async with db.transaction(WRITER) as conn:
        clock = await test_clocks.create(conn, new_id(), "test", START, system_clock())
    return clock.test_clock_id


@pytest.fixture
async def account_id(db: Database, clock_id: UUID) -> UUID:
    new = NewAccount(
        name="A", email="a@example.com", currency="EUR", country="FR", test_clock_id=clock_id
    )
    async with db.transaction(WRITER) as conn:
        return (await accounts.create_account(conn, new, system_clock())).account_id


def advancer(db: Database, alarms: Alarms, teller: Teller) -> Advancer:
    kind = AccountKind("alarms", alarms.run_due, alarms.next_at)
    return Advancer(db, system_clock, [kind], teller.run_due)


async def aim(db: Database, clock_id: UUID, target: datetime) -> None:
    async with db.transaction(WRITER) as conn:
        await test_clocks.aim(conn, clock_id, target)


async def test_due_work_runs_at_its_own_instant_and_in_order(
    db: Database, clock_id: UUID, account_id: UUID
) -> None:
    days = [START + timedelta(days=day) for day in (3, 1, 2, 40)]
    alarms = Alarms(db, account_id, days)
    await aim(db, clock_id, START + timedelta(days=10))
    await advancer(db, alarms, Teller(db, {})).run_due(system_clock())
    assert alarms.rung == [(at, at) for at in sorted(days)[:3]]
    async with db.transaction(WRITER) as conn:
        clock = await test_clocks.get(conn, clock_id)
        assert (clock.now_at, clock.status) == (START + timedelta(days=10), "ready")
        assert await account_now(conn, account_id, system_clock()) == clock.now_at


async def test_what_an_event_brings_is_done_before_the_clock_moves_on(
    db: Database, clock_id: UUID, account_id: UUID
) -> None:
    """A handler's due work belongs to the instant of its event, not to the next one."""
    alarms = Alarms(db, account_id, [START + timedelta(days=1), START + timedelta(days=5)])

    async def on_first_ring(event: Event) -> None:
        rang = msgspec.json.decode(event.payload, type=Ring)
        if len(alarms.rung) == 1:
            alarms.waiting.insert(0, rang.at)

    await aim(db, clock_id, START + timedelta(days=9))
    teller = Teller(db, {"alarm.rung": on_first_ring})
    await advancer(db, alarms, teller).run_due(system_clock())
    first, last = START + timedelta(days=1), START + timedelta(days=5)
    assert alarms.rung == [(first, first), (first, first), (last, last)]


async def test_a_standing_clock_does_what_became_due_since(
    db: Database, clock_id: UUID, account_id: UUID
) -> None:
    assert clock_id
    alarms = Alarms(db, account_id, [START])
    await advancer(db, alarms, Teller(db, {})).run_due(system_clock())
    assert alarms.rung == [(START, START)]


async def test_two_workers_never_move_one_clock(
    db: Database, clock_id: UUID, account_id: UUID
) -> None:
    days = [START + timedelta(days=day) for day in range(1, 20)]
    alarms = Alarms(db, account_id, days)
    await aim(db, clock_id, START + timedelta(days=30))
    both = [advancer(db, alarms, Teller(db, {})) for _ in range(2)]
    await asyncio.gather(*(one.run_due(system_clock()) for one in both))
    assert alarms.rung == [(at, at) for at in days]


async def test_a_clock_moves_forward_only_and_once_at_a_time(db: Database, clock_id: UUID) -> None:
    async with db.transaction(WRITER) as conn:
        with pytest.raises(BadInput, match="forward"):
            await test_clocks.aim(conn, clock_id, START - timedelta(seconds=1))
        moving = await test_clocks.aim(conn, clock_id, START + timedelta(days=1))
        assert moving.status == "advancing"
        with pytest.raises(Conflict) as refused:
            await test_clocks.aim(conn, clock_id, START + timedelta(days=2))
    assert refused.value.code == "test_clock_advancing"
