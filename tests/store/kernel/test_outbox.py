import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import msgspec
import pytest
import structlog

from tallystick.kernel import outbox
from tallystick.kernel.db import WRITER, Actor, Database, acting, actor
from tallystick.kernel.outbox import LEASE, Event, Teller, append

KindsOf = Callable[[UUID], Awaitable[list[str]]]


class InvoicePaid(msgspec.Struct, frozen=True):
    invoice_id: UUID


def present() -> datetime:
    """Return an instant after every event so far (they are dated by the database's clock)."""
    return datetime.now(UTC) + timedelta(seconds=1)


async def write(db: Database, account_id: UUID, count: int = 1, kind: str = "invoice.paid") -> None:
    async with db.transaction(WRITER) as conn:
        for number in range(count):
            await append(conn, account_id, kind, InvoicePaid(UUID(int=number)))


async def waiting(db: Database) -> list[tuple[int, str | None]]:
    """Return tries and error of every event that is not told."""
    async with db.transaction(WRITER) as conn:
        rows = await conn.fetch("SELECT try_count, error FROM outbox ORDER BY outbox_id")
    return [(row["try_count"], row["error"]) for row in rows]


async def told(db: Database) -> int:
    async with db.transaction(WRITER) as conn:
        return int(await conn.fetchval("SELECT count(*) FROM outbox_done"))


class Listener:
    """Remembers what it was told, and fails for the events it is asked to."""

    def __init__(self, failing: frozenset[int] = frozenset()) -> None:
        self.heard: list[Event] = []
        self.failing = failing

    async def hear(self, event: Event) -> None:
        self.heard.append(event)
        await asyncio.sleep(0)
        if msgspec.json.decode(event.payload, type=InvoicePaid).invoice_id.int in self.failing:
            raise ValueError("not now")

    def numbers(self) -> list[int]:
        paid = (msgspec.json.decode(event.payload, type=InvoicePaid) for event in self.heard)
        return [event.invoice_id.int for event in paid]


async def test_an_event_is_told_once_and_kept_as_told(db: Database) -> None:
    account_id, listener = uuid4(), Listener()
    teller = Teller(db, {"invoice.paid": listener.hear})
    with acting(Actor("user", "usr_1", request_id="req_7")):
        await write(db, account_id)
    assert await teller.run_due(present()) == 1
    assert await teller.run_due(present() + LEASE) == 0
    [event] = listener.heard
    assert (event.account_id, event.kind, event.request_id) == (account_id, "invoice.paid", "req_7")
    assert await told(db) == 1


async def test_events_are_told_in_the_order_they_were_written(db: Database) -> None:
    listener = Listener()
    await write(db, uuid4(), 20)
    await Teller(db, {"invoice.paid": listener.hear}).run_due(present())
    assert listener.numbers() == list(range(20))


async def test_an_event_of_a_change_that_was_rolled_back_is_not_told(db: Database) -> None:
    with suppress(LookupError):
        async with db.transaction(WRITER) as conn:
            await append(conn, uuid4(), "invoice.paid", InvoicePaid(UUID(int=1)))
            raise LookupError
    assert await Teller(db, {}).run_due(present()) == 0


async def test_after_a_crash_while_telling_the_event_is_told_again(db: Database) -> None:
    class Crash(BaseException):
        pass

    async def crash(_: Event) -> None:
        raise Crash

    await write(db, uuid4())
    now = present()
    with pytest.raises(Crash):
        await Teller(db, {"invoice.paid": crash}).run_due(now)
    listener = Listener()
    again = Teller(db, {"invoice.paid": listener.hear})
    assert await again.run_due(now + LEASE - timedelta(seconds=1)) == 0
    assert await again.run_due(now + LEASE) == 1
    assert (listener.numbers(), await told(db)) == ([0], 1)


async def test_after_a_crash_between_telling_and_writing_it_down_it_is_told_again(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = Listener()
    teller = Teller(db, {"invoice.paid": listener.hear})
    await write(db, uuid4())
    now = present()
    with monkeypatch.context() as broken:
        broken.setattr(outbox, "FINISH", "SELECT $1::uuid, $2::bigint, $3::int, 1 / 0")
        with pytest.raises(Exception, match="division by zero"):
            await teller.run_due(now)
    assert await teller.run_due(now + LEASE) == 1
    assert (listener.numbers(), await told(db)) == ([0, 0], 1)


async def test_a_failing_handler_backs_off_and_the_others_go_on(db: Database) -> None:
    listener = Listener(failing=frozenset({1}))
    teller = Teller(db, {"invoice.paid": listener.hear})
    await write(db, uuid4(), 3)
    now = present()
    assert await teller.run_due(now) == 3
    assert await waiting(db) == [(1, "ValueError: not now")]
    assert await teller.run_due(now + timedelta(seconds=1)) == 0
    assert await teller.run_due(now + timedelta(seconds=2)) == 1
    assert await teller.run_due(now + timedelta(seconds=5)) == 0
    assert await teller.run_due(now + timedelta(seconds=6)) == 1
    assert listener.numbers() == [0, 1, 2, 1, 1]
    listener.failing = frozenset()
    assert await teller.run_due(now + timedelta(hours=1)) == 1
    assert (await waiting(db), await told(db)) == ([], 3)


async def test_a_handler_that_hangs_is_given_up_and_tried_again(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(_: Event) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(outbox, "HANDLE_SECONDS_MAX", 0.01)
    await write(db, uuid4())
    await Teller(db, {"invoice.paid": hang}).run_due(present())
    [(try_count, error)] = await waiting(db)
    assert (try_count, str(error).startswith("TimeoutError")) == (1, True)


async def test_no_telling_begins_when_the_lease_may_run_out_before_its_end(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener = Listener()
    monkeypatch.setattr(outbox, "HANDLE_SECONDS_MAX", -1.0)
    await write(db, uuid4(), 2)
    await Teller(db, {"invoice.paid": listener.hear}).run_due(present())
    assert (listener.heard, await told(db)) == ([], 0)


async def test_an_event_without_a_handler_is_kept_as_told(db: Database) -> None:
    await write(db, uuid4(), kind="nobody.cares")
    assert await Teller(db, {}).run_due(present()) == 1
    assert (await waiting(db), await told(db)) == ([], 1)


async def test_two_workers_at_once_tell_every_event_once(db: Database) -> None:
    listener = Listener()
    handlers = {"invoice.paid": listener.hear}
    await write(db, uuid4(), 200)
    now = present()

    async def work() -> None:
        teller = Teller(db, handlers)
        while await teller.run_due(now):
            pass

    await asyncio.gather(work(), work(), work())
    assert Counter(listener.numbers()) == Counter(range(200))
    assert await told(db) == 200


async def test_what_another_worker_is_leasing_is_skipped_and_not_waited_for(db: Database) -> None:
    listener = Listener()
    await write(db, uuid4(), 2)
    now = present()
    async with db.transaction(WRITER) as conn:
        assert len(await conn.fetch(outbox.LEASE_DUE, now, LEASE, 1)) == 1
        teller = Teller(db, {"invoice.paid": listener.hear})
        async with asyncio.timeout(20):
            assert await asyncio.create_task(teller.run_due(now)) == 1
    assert listener.numbers() == [1]


@pytest.mark.parametrize("fails", [False, True])
async def test_a_worker_that_lost_its_lease_changes_nothing_any_more(
    db: Database, *, fails: bool
) -> None:
    now = present()
    second = Teller(db, {"invoice.paid": Listener(failing=frozenset({0})).hear})

    async def outlives_its_lease(_: Event) -> None:
        await second.run_due(now + LEASE)
        if fails:
            raise ValueError("first")

    await write(db, uuid4())
    await Teller(db, {"invoice.paid": outlives_its_lease}).run_due(now)
    assert await waiting(db) == [(2, "ValueError: not now")]


async def test_a_handler_acts_in_the_request_that_wrote_the_event(db: Database) -> None:
    seen: list[Actor] = []

    async def look(_: Event) -> None:
        seen.append(actor())

    with acting(Actor("user", "usr_1", request_id="req_9")):
        await write(db, uuid4())
    await Teller(db, {"invoice.paid": look}).run_due(present())
    assert seen == [Actor("job", "outbox:invoice.paid", "req_9")]


async def test_what_an_event_tells_is_kept_to_its_account(db: Database, kinds_of: KindsOf) -> None:
    first, second = uuid4(), uuid4()
    await write(db, first, kind="a")
    await write(db, second, kind="b")
    await Teller(db, {}).run_due(present())
    assert (await kinds_of(first), await kinds_of(second)) == (["a"], ["b"])


async def test_a_handler_logs_under_the_request_that_caused_the_event(db: Database) -> None:
    bound: list[object] = []

    async def handler(_: Event) -> None:
        bound.append(structlog.contextvars.get_contextvars().get("request_id"))

    with acting(Actor("user", "usr_1", "req_42")):
        await write(db, uuid4())
    await Teller(db, {"invoice.paid": handler}).run_due(present())
    assert bound == ["req_42"]
