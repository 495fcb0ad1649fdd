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
    with pytest.raises(Conflict) as caught:
        await send(call("2"), call("1", **change), now=now)
    assert [(fault.field, fault.code) for fault in caught.value.errors] == [
        ("events[1].id", "event_conflict")
    ]
    assert await total(end=now) == {"calls": 1, "tokens": 5}


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


async def test_strict_stores_nothing_when_one_event_matches_nobody(
    send: Send, db: Database
) -> None:
    events = (
        call("1"), call("2", subject="nobody"), call("3", type="nothing"),
        call("4", type="", meter="nothing"),
    )  # fmt: skip
    with pytest.raises(BadInput) as caught:
        await send(*events)
    assert [(fault.field, fault.code) for fault in caught.value.errors] == [
        ("events[1].subject", "unknown_subject"),
        ("events[2].type", "unknown_type"),
        ("events[3].type", "unknown_type"),
    ]
    assert await stored_count(db) == 0


async def test_event_by_event_what_matches_is_stored(send: Send, total: Total) -> None:
    results = await send(call("1"), call("2", subject="nobody"), call("3"), strict=False)
    assert statuses(results) == ["accepted", "unmatched", "accepted"]
    assert results[1].detail == "unknown_subject"
    assert (await total())["calls"] == 2


async def test_a_key_of_an_account_can_not_tell_another_account_from_none(
    send: Send, accounts: Sequence[Account]
) -> None:
    own = accounts[0].account_id
    events = (call("1"), call("2", subject="cust-2"), call("3", subject="nobody"))
    results = await send(*events, strict=False, only_account=own)
    assert statuses(results) == ["accepted", "unmatched", "unmatched"]
    assert results[1].detail == results[2].detail
    with pytest.raises(BadInput) as caught:
        await send(*events, only_account=own)
    theirs, nobodys = caught.value.errors
    assert (theirs.code, theirs.message) == (nobodys.code, nobodys.message)


@pytest.mark.parametrize("strict", [True, False])
async def test_a_malformed_event_refuses_the_whole_request(
    send: Send, db: Database, *, strict: bool
) -> None:
    with pytest.raises(BadInput) as caught:
        await send(call("1"), call("2", properties={"n": -1}), call("3", properties={}),
                   strict=strict)  # fmt: skip
    assert [(fault.field, fault.code) for fault in caught.value.errors] == [
        ("events[1].properties.n", "negative_quantity"), ("events[2].properties.n", "missing"),
    ]  # fmt: skip
    assert await stored_count(db) == 0


async def test_only_a_hundred_faults_are_told(send: Send) -> None:
    with pytest.raises(BadInput, match="and 149 more") as caught:
        await send(*(call(str(at), subject="nobody") for at in range(150)))
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
    db: Database, accounts: Sequence[Account], meters: Sequence[Meter], total: Total
) -> None:
    del accounts, meters
    events = [call(str(at)) for at in range(200)]
    ingest, now = Ingest(db), AT + timedelta(hours=1)

    async def record(some: list[UsageEvent]) -> int:
        results = await ingest.record(some, now=now)
        return sum(result.status is Status.ACCEPTED for result in results)

    orders = [events, events[::-1], events[100:] + events[:100], events[::2] + events[1::2]]
    accepted = await asyncio.gather(*(record(order) for order in orders))
    assert sum(accepted) == 200
    assert await total() == {"calls": 200, "tokens": 1000}
