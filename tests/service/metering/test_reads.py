"""What the service tells of one meter: groups, windows, percentiles, corrections, rounding."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from tallystick.accounts.model import Account
from tallystick.catalog.model import Meter, MeterFilter, NewMeter, Rounding
from tallystick.kernel.db import WRITER, Database, account_scope
from tallystick.kernel.errors import BadInput
from tallystick.metering import service
from tallystick.metering.model import EventResult, UsageEvent
from tallystick.metering.prepare import event_key

START, END = datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
Send = Callable[..., Awaitable[tuple[EventResult, ...]]]
Folder = Callable[..., Awaitable[bool]]


def call(event_id: object, at: datetime = START, **properties: Any) -> UsageEvent:
    return UsageEvent(
        source="gw", id=str(event_id), type="call", subject="cust-1", at=at,
        properties={"n": 1, **properties},
    )  # fmt: skip


@pytest.fixture
def account_id(accounts: Sequence[Account]) -> UUID:
    return accounts[0].account_id


async def made(db: Database, **how: Any) -> Meter:
    async with db.transaction(WRITER) as conn:
        return await service.create_meter(
            conn, NewMeter(**{"code": "m", "event_type": "call", **how}), END
        )


async def total(db: Database, account_id: UUID, meter: Meter, **span: datetime) -> Decimal:
    times = {"start": START, "end": END, **span}
    async with db.transaction(account_scope(account_id)) as conn:
        return (await service.period_totals(conn, account_id, [meter], **times))[meter.code]


@pytest.mark.parametrize("is_folded", [False, True])
async def test_a_total_is_told_by_groups(
    send: Send, db: Database, account_id: UUID, fold: Folder, *, is_folded: bool
) -> None:
    meter = await made(
        db, aggregation="sum", property="n", group_by=("model", "region"),
        rounding=Rounding(mode="ceil"),
    )  # fmt: skip
    await send(
        call(1, n="0.5", model="a", region="eu"), call(2, n="0.1", model="a", region="us"),
        call(3, n=2, model="b"), call(4, END, n=9, model="b"),
    )  # fmt: skip
    if is_folded:
        await fold()
    async with db.transaction(account_scope(account_id)) as conn:
        by_model = await service.grouped_totals(
            conn, account_id, meter, START, END, group_by=["model"]
        )
        by_region = await service.grouped_totals(
            conn, account_id, meter, START, END, group_by=["region"]
        )
        with pytest.raises(BadInput) as caught:
            await service.grouped_totals(conn, account_id, meter, START, END, group_by=["n"])
    assert {one.dimensions["model"]: one.quantity for one in by_model} == {"a": 1, "b": 2}
    assert {one.dimensions["region"]: one.quantity for one in by_region} == {
        "eu": 1, "us": 1, None: 2,
    }  # fmt: skip
    assert caught.value.errors[0].code == "not_grouped"
    assert await total(db, account_id, meter) == 3  # 2.6, rounded once


async def test_days_are_those_of_the_zone(send: Send, db: Database, account_id: UUID) -> None:
    meter = await made(db)
    await send(call(1, START + 22 * HOUR), call(2, START + 23 * HOUR), call(3, START + 30 * HOUR))
    async with db.transaction(account_scope(account_id)) as conn:
        days = await service.windows(
            conn, account_id, meter, START, START + 2 * DAY,
            size="DAY", zone=ZoneInfo("Europe/Paris"),
        )  # fmt: skip
    assert {one.start - START: one.quantity for one in days} == {0 * DAY: 1, 23 * HOUR: 2}


async def test_a_recurring_level_is_held_through_windows_without_events(
    send: Send, db: Database, account_id: UUID, fold: Folder
) -> None:
    how = {"aggregation": "unique_count", "property": "who", "recurring": True}
    seats = await made(db, code="seats", **how)
    level = await made(db, code="level", aggregation="sum", property="more", recurring=True)
    await send(
        call(1, START - 40 * DAY, more=3, who="ann"), call(2, START + DAY, more=-1, who="bob")
    )
    await fold()
    await send(call(3, START + 3 * DAY, more=1, who="ann", operation_type="remove"))
    async with db.transaction(account_scope(account_id)) as conn:
        told = {
            meter.code: [
                one.quantity
                for one in await service.windows(
                    conn, account_id, meter, START, START + 5 * DAY, size="DAY",
                    zone=ZoneInfo("UTC"),
                )
            ]
            for meter in (seats, level)
        }  # fmt: skip
    assert told == {"seats": [1, 2, 2, 1, 1], "level": [3, 2, 2, 3, 3]}
    assert await total(db, account_id, seats) == 1
    assert await total(db, account_id, level, end=START + DAY) == 3


async def test_a_percentile_is_a_value_that_an_event_had(
    send: Send, db: Database, account_id: UUID, fold: Folder
) -> None:
    meter = await made(
        db, aggregation="max", property="ms",
        filters=(MeterFilter(property="ok", values=("true",)),),
    )  # fmt: skip
    await send(*(call(ms, START, ms=ms, ok=True) for ms in range(1, 101)))
    await fold()
    await send(call("slow", START, ms=9999, ok=False), call("later", END, ms=1, ok=True))
    shares = [Decimal(text) for text in ("0", "0.07", "0.5", "0.95", "0.951", "1")]
    async with db.transaction(account_scope(account_id)) as conn:
        told = await service.percentiles(conn, account_id, meter, START, END, shares=shares)
        none = await service.percentiles(conn, account_id, meter, END + DAY, END, shares=shares[:1])
        with pytest.raises(BadInput):
            await service.percentiles(conn, account_id, meter, START, END, shares=[Decimal(2)])
    assert list(map(str, told)) == ["1", "7", "50", "95", "96", "100"]
    assert none == (None,)


@pytest.mark.parametrize("is_folded", [False, True])
async def test_a_voided_event_counts_nowhere_once_its_hour_is_counted_anew(
    send: Send, db: Database, account_id: UUID, fold: Folder, *, is_folded: bool
) -> None:
    peak = await made(db, code="peak", aggregation="max", property="n")
    await send(call(1, n=5), call(2, n=3), call(3, START + HOUR, n=4))
    if is_folded:
        await fold()
    async with db.transaction(WRITER) as conn:
        await conn.execute(
            "INSERT INTO usage_voids (account_id, key) VALUES ($1, $2)",
            account_id, event_key("gw", "1"),
        )  # fmt: skip
        await service.recount(conn, account_id, {"call"}, {START})
    assert await total(db, account_id, peak) == 4
    assert await total(db, account_id, peak, end=START + HOUR) == 3
    await fold()
    assert await total(db, account_id, peak) == 4
    async with db.transaction(WRITER) as conn:
        assert await service.differences(conn) == ()


async def test_months_whose_events_are_archived_stay_as_they_are(
    send: Send, db: Database, account_id: UUID, fold: Folder
) -> None:
    meter = await made(db, aggregation="sum", property="n", recurring=True)
    await send(call(1, START, n=5))
    await fold()
    async with db.transaction(WRITER) as conn:
        await conn.execute("UPDATE usage_fold SET archived_before = $1", END)
        await conn.execute("UPDATE usage_totals SET total = total + 1")  # as if more had been there
        await service.recount(conn, account_id, {"call"}, {START})
        assert await service.differences(conn) == ()
    assert await total(db, account_id, meter) == 6
