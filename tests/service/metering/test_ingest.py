import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tallystick.accounts.model import Account
from tallystick.accounts.service import set_test_clock
from tallystick.catalog.model import Meter
from tallystick.kernel import test_clocks
from tallystick.kernel.db import WRITER, Database
from tallystick.kernel.errors import BadInput, Conflict
from tallystick.kernel.ids import new_id, show
from tallystick.metering.ingest import Ingest
from tallystick.metering.model import EventResult, Status, UsageEvent

AT = datetime(2026, 2, 10, 8, 30, tzinfo=UTC)
Send = Callable[..., Awaitable[tuple[EventResult, ...]]]
Total = Callable[..., Awaitable[dict[str, Decimal]]]


def call(event_id: str, **changes: Any) -> UsageEvent:
    told = {"source": "gw", "id": event_id, "type": "call", "subject": "cust-1", "at": AT}
    return UsageEvent(**{**told, "properties": {"n": 5, "model": "x"}, **changes})


def statuses(results: Sequence[EventResult]) -> list[str]:
    return [result.status.value for result in results]


async def stored_count(db: Database) -> int:
    async with db.transaction(WRITER) as conn:
        return int(await conn.fetchval("SELECT count(*) FROM usage_events"))


async def test_events_are_answered_in_order_and_counted_at_once(send: Send, total: Total) -> None:
    results = await send(call("2"), call("1", properties={"n": "0.000000000001"}))
    assert [(result.id, result.status) for result in results] == [
        ("2", Status.ACCEPTED), ("1", Status.ACCEPTED),
    ]  # fmt: skip
    assert await total() == {"calls": 2, "tokens": Decimal("5.000000000001")}


async def test_a_resent_event_is_counted_once(send: Send, total: Total) -> None:
    await send(call("1"), call("2"))
    assert statuses(await send(call("2"), call("3"), call("1"))) == [
        "duplicate", "accepted", "duplicate",
    ]  # fmt: skip
    assert await total() == {"calls": 3, "tokens": 15}


async def test_a_request_may_repeat_itself(send: Send, total: Total) -> None:
    events = (call("1"), call("1"), call("1", properties={"n": 6}))
    assert statuses(await send(*events, strict=False)) == ["accepted", "duplicate", "conflict"]
    assert await total() == {"calls": 1, "tokens": 5}


async def test_the_same_numbers_written_otherwise_are_the_same_event(send: Send) -> None:
    await send(call("1", properties={"n": Decimal("1.50"), "model": "x"}))
    again = call("1", properties={"model": "x", "n": Decimal("1.5")})
    assert statuses(await send(again)) == ["duplicate"]


@pytest.mark.parametrize(
    "change",
    [
        {"at": AT + timedelta(microseconds=1)},
        {"at": AT + timedelta(days=40)},
        {"properties": {"n": 6, "model": "x"}},
        {"properties": {"n": "5", "model": "x"}},
        {"properties": {"n": 5}},
    ],
)
async def test_a_known_event_with_other_content_is_a_conflict_and_changes_nothing(
    send: Send, total: Total, change: dict[str, Any]
) -> None:
    await send(call("1"))
    now = AT + timedelta(days=50)
    (result,) = await send(call("1", **change), strict=False, now=now)
    assert (result.status, result.detail) == (Status.CONFLICT, "other_content")
    assert await total(end=now) == {"calls": 1, "tokens": 5}


async def test_strict_stores_the_others_and_names_what_contradicts(
    send: Send, total: Total
) -> None:
    await send(call("1"))
    changed = call("1", properties={"n": 6})
    with pytest.raises(Conflict) as caught:
        await send(call("2"), changed)
    assert [(fault.field, fault.code) for fault in caught.value.errors] == [
        ("events[1].id", "event_conflict")
    ]
    assert await total() == {"calls": 2, "tokens": 10}


async def test_an_event_without_a_time_is_the_same_whenever_it_is_resent(send: Send) -> None:
    await send(call("1", at=None))
    assert statuses(await send(call("1", at=None), now=AT + timedelta(days=90))) == ["duplicate"]


async def test_source_and_account_are_part_of_what_makes_an_event_one(
    send: Send, total: Total
) -> None:
    events = (call("1"), call("1", source="other"), call("1", subject="cust-2"))
    assert statuses(await send(*events)) == ["accepted"] * 3
    assert (await total())["calls"] == 2
    assert (await total(account=1))["calls"] == 1


async def test_an_account_answers_to_both_its_names(
    send: Send, accounts: Sequence[Account]
) -> None:
    await send(call("1"))
    own_id = show("account", accounts[0].account_id)
    assert statuses(await send(call("1", subject=own_id))) == ["duplicate"]


@pytest.mark.parametrize("strict", [True, False])
async def test_what_matches_nobody_is_parked_and_the_rest_is_stored(
    send: Send, total: Total, db: Database, *, strict: bool
) -> None:
    events = (
        call("1"), call("2", subject="nobody"), call("3", type="nothing"),
        call("4", type="", meter="nothing"), call("5"),
    )  # fmt: skip
    results = await send(*events, strict=strict)
    assert statuses(results) == ["accepted", *["unmatched"] * 3, "accepted"]
    assert [result.detail for result in results[1:4]] == [
        "unknown_subject", "unknown_type", "unknown_type",
    ]  # fmt: skip
    assert (await total())["calls"] == 2
    assert await stored_count(db) == 2


async def test_a_key_of_an_account_can_not_tell_another_account_from_none(
    send: Send, accounts: Sequence[Account], db: Database
) -> None:
    own = accounts[0].account_id
    events = (call("1"), call("2", subject="cust-2"), call("3", subject="nobody"))
    results = await send(*events, strict=False, only_account=own)
    assert statuses(results) == ["accepted", "invalid", "invalid"]
    theirs, nobodys = (result.errors[0] for result in results[1:])
    assert (theirs.code, theirs.message) == (nobodys.code, nobodys.message)
    with pytest.raises(BadInput) as caught:
        await send(*events, only_account=own)
    assert [fault.code for fault in caught.value.errors] == ["unknown_subject"] * 2
    async with db.transaction(WRITER) as conn:
        assert await conn.fetchval("SELECT count(*) FROM usage_unmatched") == 0


BAD: tuple[tuple[dict[str, Any], str, str], ...] = (
    ({"properties": {"n": -1}}, "properties.n", "negative_quantity"),
    ({"properties": {}}, "properties.n", "missing"),
    ({"at": datetime(9999, 12, 31, tzinfo=UTC)}, "time", "in_the_future"),
    ({"at": datetime(1969, 12, 31, tzinfo=UTC)}, "time", "too_early"),
    ({"at": datetime(9999, 12, 31, tzinfo=UTC), "subject": "nobody"}, "time", "in_the_future"),
)


async def test_strict_refuses_the_whole_request_for_an_invalid_event(
    send: Send, db: Database
) -> None:
    bad = [call(f"bad-{at}", **change) for at, (change, _, _) in enumerate(BAD)]
    with pytest.raises(BadInput) as caught:
        await send(call("1"), *bad)
    assert [(fault.field, fault.code) for fault in caught.value.errors] == [
        (f"events[{at}].{field}", code) for at, (_, field, code) in enumerate(BAD, 1)
    ]
    assert await stored_count(db) == 0


async def test_event_by_event_an_invalid_one_leaves_the_others_alone(
    send: Send, total: Total
) -> None:
    bad = [call(f"bad-{at}", **change) for at, (change, _, _) in enumerate(BAD)]
    results = await send(call("1"), *bad, call("2"), strict=False)
    assert statuses(results) == ["accepted", *["invalid"] * len(BAD), "accepted"]
    told = [(result.errors[0].field, result.detail) for result in results[1:-1]]
    assert told == [(f"events[{at}].{field}", code) for at, (_, field, code) in enumerate(BAD, 1)]
    assert (await total())["calls"] == 2
    with pytest.raises(BadInput):
        await send(*bad, strict=False)


async def test_only_a_hundred_faults_are_told(send: Send) -> None:
    with pytest.raises(BadInput, match="and 149 more") as caught:
        await send(*(call(str(at), properties={}) for at in range(150)))
    assert len(caught.value.errors) == 100


async def test_no_events_are_no_work(send: Send) -> None:
    assert await send() == ()


async def test_the_future_is_an_hour_after_the_accounts_own_present(
    send: Send, db: Database, accounts: Sequence[Account], total: Total
) -> None:
    later = datetime(2027, 1, 1, tzinfo=UTC)
    async with db.transaction(WRITER) as conn:
        clock = await test_clocks.create(conn, new_id(), "story", later, AT)
        await set_test_clock(conn, accounts[0].account_id, clock.test_clock_id)
    await send(call("1", at=later), call("2", at=None))
    assert (await total(start=later, end=later + timedelta(seconds=1)))["calls"] == 2
    with pytest.raises(BadInput):
        await send(call("3", at=later, subject="cust-2"))


async def test_numbers_arrive_in_the_database_as_they_were_written(
    send: Send, db: Database
) -> None:
    properties = {"n": 1, "f": Decimal("0.30000000000000004"), "big": 2**80, "s": "\u00e9\u2028"}
    await send(call("1", properties=properties))
    async with db.transaction(WRITER) as conn:
        stored = await conn.fetchval("SELECT properties::text FROM usage_events")
        sums = await conn.fetchval("SELECT sum((properties->>'f')::numeric) FROM usage_events")
    assert '"f": 0.30000000000000004' in stored
    assert str(2**80) in stored
    assert sums == Decimal("0.30000000000000004")


async def test_the_same_events_sent_by_many_at_once_count_once(
    ingest: Ingest, accounts: Sequence[Account], meters: Sequence[Meter], total: Total
) -> None:
    del accounts, meters
    events = [call(str(at)) for at in range(200)]
    now = AT + timedelta(hours=1)

    async def record(some: list[UsageEvent]) -> int:
        results = await ingest.record(some, now=now)
        return sum(result.status is Status.ACCEPTED for result in results)

    orders = [events, events[::-1], events[100:] + events[:100], events[::2] + events[1::2]]
    accepted = await asyncio.gather(*(record(order) for order in orders))
    assert sum(accepted) == 200
    assert await total() == {"calls": 200, "tokens": 1000}


async def test_single_events_of_many_callers_share_commits_and_each_gets_its_own_answer(
    ingest: Ingest, send: Send, db: Database
) -> None:
    await send(call("known"))
    events = [call(str(at)) for at in range(300)]
    events[10] = call("known")
    events[20] = call("known", properties={"n": 6})
    events[30] = call("x", subject="nobody")
    events[40] = events[41]

    async def one(event: UsageEvent) -> str:
        (result,) = await ingest.record([event], now=AT, strict=False)
        return f"{result.id} {result.status.value}"

    async def bad() -> str:
        with pytest.raises(BadInput):
            await ingest.record([call("bad", properties={})], now=AT)
        return "refused"

    told = await asyncio.gather(*map(one, events), bad())
    assert told[-1] == "refused"
    others = {10: "duplicate", 20: "conflict", 30: "unmatched", 41: "duplicate"}
    expected = [f"{e.id} {others.get(at, 'accepted')}" for at, e in enumerate(events)]
    assert told[:-1] == expected
    async with db.transaction(WRITER) as conn:
        commits = await conn.fetchval("SELECT count(DISTINCT tx) FROM usage_events")
    assert commits < 20


async def test_a_caller_that_hung_up_does_not_take_the_others_with_it(
    ingest: Ingest, send: Send, total: Total
) -> None:
    await send(call("0"))
    tasks = [asyncio.create_task(ingest.record([call(str(at))], now=AT)) for at in range(50)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(answer, tuple) for answer in answers[1::2])
    again = await asyncio.gather(*(ingest.record([call(str(at))], now=AT) for at in range(50)))
    assert {result.status for (result,) in again} <= {Status.ACCEPTED, Status.DUPLICATE}
    assert (await total())["calls"] == 50
