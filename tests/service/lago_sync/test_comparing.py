"""The sweep holds our totals against those of a Lago over real HTTP."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import structlog

from tallystick.accounts.model import Account
from tallystick.kernel.db import STAFF, Database
from tallystick.kernel.paging import PageRequest
from tallystick.lago_sync import service
from tallystick.lago_sync.model import Difference
from tallystick.lago_sync.sweep import FAILED_AGAIN, Sweep

if TYPE_CHECKING:
    from tests.service.lago_sync.conftest import Lago, Wall

MARCH = (datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))
Record = Callable[..., Awaitable[None]]
SendAll = Callable[..., Awaitable[int]]


async def differences(db: Database, *, with_gone: bool = False) -> list[Difference]:
    async with db.transaction(STAFF) as conn:
        return list(
            (await service.list_differences(conn, PageRequest(), with_gone=with_gone)).items
        )


async def test_equal_totals_are_no_difference(
    lago: "Lago", record: Record, send_all: SendAll, sweep: Sweep, accounts: Sequence[Account]
) -> None:
    lago.set_up("cust-1")
    await record("1", "2")
    await send_all()
    compared = await sweep.compare(accounts[0].account_id)
    assert (compared.start, compared.end) == MARCH
    shown = [(line.meter.code, line.ours, line.theirs) for line in compared.lines]
    assert shown == [
        ("calls", Decimal(2), Decimal(2)),
        ("tokens", Decimal(5), Decimal(5)),
    ]
    assert compared.is_clean


async def test_a_difference_is_kept_and_logged_until_it_is_gone(
    lago: "Lago",
    record: Record,
    send_all: SendAll,
    sweep: Sweep,
    wall: "Wall",
) -> None:
    lago.set_up("cust-1")
    await record("1", "2")
    await send_all()
    stray = {"transaction_id": "stray", "external_subscription_id": "cust-1", "code": "tokens",
             "timestamp": "1773570000", "properties": {"n": "0.5"}}  # fmt: skip
    lago.post("events", {"event": stray})
    with structlog.testing.capture_logs() as logs:
        wall.move(timedelta(days=1))
        assert await sweep.run_due(wall()) == 1
    assert [line["event"] for line in logs] == ["lago_usage_differs"]
    (found,) = await differences(sweep._db)
    assert (found.meter_code, found.ours, found.theirs) == ("tokens", Decimal(5), Decimal("5.5"))
    assert (found.period_start, found.period_end) == MARCH
    assert await sweep.run_due(wall()) == 0
    lago.post("events", {"event": {**stray, "transaction_id": "x", "properties": {"n": "-0.5"}}})
    wall.move(timedelta(days=1, seconds=1))
    assert await sweep.run_due(wall()) == 1
    assert await differences(sweep._db) == []
    (gone,) = await differences(sweep._db, with_gone=True)
    assert gone.gone_at == wall()


async def test_a_meter_that_no_charge_counts_is_a_difference(
    lago: "Lago", record: Record, send_all: SendAll, sweep: Sweep, accounts: Sequence[Account]
) -> None:
    lago.set_up("cust-1", ["calls"])
    await record("1")
    await send_all()
    compared = await sweep.compare(accounts[0].account_id)
    assert [(line.meter.code, line.theirs) for line in compared.differing] == [("tokens", None)]


async def test_while_events_are_on_their_way_a_difference_says_nothing(
    lago: "Lago", record: Record, send_all: SendAll, sweep: Sweep, accounts: Sequence[Account]
) -> None:
    lago.set_up("cust-1")
    await record("1")
    await send_all()
    await record("2")
    compared = await sweep.compare(accounts[0].account_id)
    assert compared.is_busy
    assert compared.is_clean
    assert await differences(sweep._db) == []
    await send_all()
    assert not (await sweep.compare(accounts[0].account_id)).is_busy


async def test_a_customer_that_lago_does_not_know_is_a_problem(
    lago: "Lago", record: Record, send_all: SendAll, sweep: Sweep, wall: "Wall"
) -> None:
    assert lago.events() == []
    await record("1")
    await send_all()
    wall.move(timedelta(days=1))
    await sweep.run_due(wall())
    async with sweep._db.transaction(STAFF) as conn:
        (problem,) = await service.list_problems(conn)
    assert problem.problem == "customer_not_found"
    assert problem.compared_at is None


async def test_an_outage_is_tried_again_soon(
    lago: "Lago", record: Record, send_all: SendAll, sweep: Sweep, wall: "Wall"
) -> None:
    lago.set_up("cust-1")
    await record("1")
    await send_all()
    wall.move(timedelta(days=1))
    lago.arm("status", status=503, path="*/current_usage")
    assert await sweep.run_due(wall()) == 1
    assert await sweep.run_due(wall()) == 0
    wall.move(FAILED_AGAIN)
    assert await sweep.run_due(wall()) == 1
    async with sweep._db.transaction(STAFF) as conn:
        assert await service.list_problems(conn) == ()
