"""Test clocks: due work in order of time, through the kinds that production uses."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec
import pytest

from tallystick.accounts import service as accounts
from tallystick.accounts.model import NewAccount
from tallystick.kernel import outbox, test_clocks
from tallystick.kernel.advancer import Advancer
from tallystick.kernel.clock import account_now, system_clock
from tallystick.kernel.db import WRITER, Database
from tallystick.kernel.due import AccountKind
from tallystick.kernel.errors import BadInput, Conflict, NotFound
from tallystick.kernel.ids import new_id
from tallystick.kernel.outbox import Event, Teller
from tallystick.kernel.test_clocks import TestClock

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
        self.broken: tuple[datetime, BaseException] | None = None

    async def run_due(self, now: datetime, test_clock_id: UUID | None) -> int:
        if test_clock_id is None or not self.waiting or self.waiting[0] > now:
            return 0
        if self.broken is not None and self.waiting[0] == self.broken[0]:
            raise self.broken[1]
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
    instants = days(3, 1, 2, 40)
    alarms = Alarms(db, account_id, instants)
    await aim(db, clock_id, START + timedelta(days=10))
    await advancer(db, alarms, Teller(db, {})).run_due(system_clock())
    assert alarms.rung == [(at, at) for at in sorted(instants)[:3]]
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
    instants = days(*range(1, 20))
    alarms = Alarms(db, account_id, instants)
    await aim(db, clock_id, START + timedelta(days=30))
    both = [advancer(db, alarms, Teller(db, {})) for _ in range(2)]
    await asyncio.gather(*(one.run_due(system_clock()) for one in both))
    assert alarms.rung == [(at, at) for at in instants]


async def test_a_clock_moves_forward_only_and_once_at_a_time(db: Database, clock_id: UUID) -> None:
    async with db.transaction(WRITER) as conn:
        with pytest.raises(BadInput, match="forward"):
            await test_clocks.aim(conn, clock_id, START - timedelta(seconds=1))
        moving = await test_clocks.aim(conn, clock_id, START + timedelta(days=1))
        assert moving.status == "advancing"
        with pytest.raises(Conflict) as refused:
            await test_clocks.aim(conn, clock_id, START + timedelta(days=2))
    assert refused.value.code == "test_clock_advancing"


def days(*numbers: int) -> list[datetime]:
    return [START + timedelta(days=number) for number in numbers]


async def read(db: Database, clock_id: UUID) -> TestClock:
    async with db.transaction(WRITER) as conn:
        return await test_clocks.get(conn, clock_id)


async def test_a_clock_is_advancing_until_the_work_of_its_targets_instant_is_done(
    db: Database, clock_id: UUID, account_id: UUID
) -> None:
    (target,) = days(8)
    alarms = Alarms(db, account_id, days(2, 8))
    seen: list[tuple[str, int, int]] = []

    async def look(_: Event) -> None:
        clock = await read(db, clock_id)
        seen.append((clock.status, clock.percent, clock.work_count))

    await aim(db, clock_id, target)
    await advancer(db, alarms, Teller(db, {"alarm.rung": look})).run_due(system_clock())
    assert seen == [("advancing", 25, 0), ("advancing", 99, 1)]
    clock = await read(db, clock_id)
    assert (clock.status, clock.percent, clock.work_count) == ("ready", 100, 2)
    assert (clock.from_at, clock.now_at) == (START, target)


async def test_an_advance_that_was_cut_off_goes_on_from_its_last_stop(
    db: Database, clock_id: UUID, account_id: UUID
) -> None:
    alarms = Alarms(db, account_id, days(1, 2, 3))
    alarms.broken = (days(2)[0], asyncio.CancelledError())
    await aim(db, clock_id, START + timedelta(days=5))
    with pytest.raises(asyncio.CancelledError):
        await advancer(db, alarms, Teller(db, {})).run_due(system_clock())
    stopped = await read(db, clock_id)
    assert (stopped.now_at, stopped.status, stopped.percent) == (days(2)[0], "advancing", 40)
    alarms.broken = None
    await advancer(db, alarms, Teller(db, {})).run_due(system_clock())
    assert alarms.rung == [(at, at) for at in days(1, 2, 3)]
    assert (await read(db, clock_id)).status == "ready"


async def test_a_clock_whose_work_fails_says_why_and_holds_up_no_other(
    db: Database, clock_id: UUID, account_id: UUID
) -> None:
    async with db.transaction(WRITER) as conn:
        other = await test_clocks.create(conn, new_id(), "other", START, system_clock())
    alarms = Alarms(db, account_id, days(1))
    alarms.broken = (days(1)[0], RuntimeError("no bell"))
    for each in (clock_id, other.test_clock_id):
        await aim(db, each, START + timedelta(hours=5))
    await aim_again(db, alarms, clock_id)
    assert (await read(db, other.test_clock_id)).status == "ready"
    alarms.broken = None
    await advancer(db, alarms, Teller(db, {})).run_due(system_clock())
    mended = await read(db, clock_id)
    assert (mended.error, mended.status) == (None, "ready")


async def aim_again(db: Database, alarms: Alarms, clock_id: UUID) -> None:
    """Reach the first target, aim past the alarm that fails, and let it fail."""
    await advancer(db, alarms, Teller(db, {})).run_due(system_clock())
    await aim(db, clock_id, START + timedelta(days=2))
    await advancer(db, alarms, Teller(db, {})).run_due(system_clock())
    failed = await read(db, clock_id)
    assert (failed.error, failed.status) == ("RuntimeError: no bell", "advancing")


async def test_of_two_advances_asked_for_at_once_one_is_refused(
    db: Database, clock_id: UUID
) -> None:
    asked = [aim(db, clock_id, START + timedelta(days=day)) for day in (1, 2)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    (refused,) = [one for one in answers if one is not None]
    assert isinstance(refused, Conflict)
    assert refused.code == "test_clock_advancing"


async def test_a_clock_goes_ten_years_at_once_and_no_further(db: Database, clock_id: UUID) -> None:
    await aim(db, clock_id, START + timedelta(days=3_660))
    async with db.transaction(WRITER) as conn:
        far = await test_clocks.create(conn, new_id(), "far", START, system_clock())
        with pytest.raises(BadInput, match="3660 days"):
            await test_clocks.aim(conn, far.test_clock_id, START + timedelta(days=3_661))


async def test_a_deleted_clock_moves_no_more_and_is_not_found(
    db: Database, clock_id: UUID, account_id: UUID
) -> None:
    alarms = Alarms(db, account_id, days(0))
    async with db.transaction(WRITER) as conn:
        await test_clocks.delete(conn, clock_id, system_clock())
    assert await advancer(db, alarms, Teller(db, {})).run_due(system_clock()) == 0
    assert alarms.rung == []
    async with db.transaction(WRITER) as conn:
        with pytest.raises(NotFound):
            await test_clocks.aim(conn, clock_id, START + timedelta(days=1))
        assert await account_now(conn, account_id, system_clock()) == START
        with pytest.raises(NotFound):
            await test_clocks.delete(conn, clock_id, system_clock())


async def test_a_clock_that_is_being_advanced_is_not_deleted(db: Database, clock_id: UUID) -> None:
    await aim(db, clock_id, START + timedelta(days=1))
    async with db.transaction(WRITER) as conn:
        with pytest.raises(Conflict):
            await test_clocks.delete(conn, clock_id, system_clock())
