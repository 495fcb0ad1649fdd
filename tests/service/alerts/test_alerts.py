"""Thresholds of meters, spend and credits: told once in each period, whatever happens meanwhile."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import asyncpg
import msgspec
import pytest

from tallystick.alerts import evaluate, service, store
from tallystick.alerts.jobs import AlertWork
from tallystick.alerts.model import AlertRule, NewRule
from tallystick.alerts.running import running_of
from tallystick.kernel import due
from tallystick.kernel.clock import system_clock
from tallystick.kernel.db import WRITER, Database
from tallystick.kernel.due import Worker
from tallystick.kernel.errors import BadInput, Conflict, NotFound

if TYPE_CHECKING:
    from tests.service.alerts.conftest import Alarm

DAY = timedelta(days=1)
APRIL = datetime(2026, 4, 1, tzinfo=UTC)
PATIENCE_S = 20


async def test_percents_of_the_limit_are_told_once_each_as_they_are_reached(
    alarm: "Alarm",
) -> None:
    account = await alarm.account()
    await alarm.rule(account, "100", "80")
    await alarm.look()
    await alarm.use(account, 79)
    await alarm.look()
    assert await alarm.fired(account) == []
    await alarm.use(account, 1)
    await alarm.look()
    assert await alarm.fired(account) == [("percent", "80")]
    await alarm.use(account, 5, 500)
    await alarm.look()
    await alarm.use(account, 5)
    await alarm.look()
    assert await alarm.fired(account) == [("percent", "80"), ("percent", "100")]


async def test_what_fired_is_told_with_all_that_it_rests_on(alarm: "Alarm") -> None:
    account = await alarm.account()
    rule = await alarm.rule(account, "80")
    await alarm.use(account, 90)
    await alarm.look()
    (event,) = await alarm.rows("SELECT * FROM outbox WHERE kind = 'usage.alert_fired'")
    told = msgspec.json.decode(event["payload"])
    assert told.pop("usage_alert_id")
    assert told == {
        "source": "rule",
        "source_id": str(rule.alert_rule_id),
        "basis": "actual",
        "watch": "meter",
        "meter": "calls",
        "unit": "percent",
        "threshold": "80",
        "quantity": "90",
        "limit": "100",
        "currency": None,
        "period_start": "2026-03-01T00:00:00Z",
        "period_end": "2026-04-01T00:00:00Z",
        "fired_at": "2026-03-01T00:00:00Z",
    }


async def test_the_next_period_begins_anew(alarm: "Alarm") -> None:
    account = await alarm.account()
    await alarm.rule(account, "50", unit="quantity")
    await alarm.use(account, 60)
    await alarm.look()
    alarm.now = APRIL
    await alarm.use(account, 60)
    await alarm.look()
    assert [row["period_start"] for row in await alarm.alerts(account)] == [
        datetime(2026, 3, 1, tzinfo=UTC),
        APRIL,
    ]


async def test_what_was_used_in_the_last_second_is_told_in_the_next_period(
    alarm: "Alarm",
) -> None:
    account = await alarm.account()
    await alarm.rule(account, "50", unit="quantity")
    alarm.now = APRIL - timedelta(microseconds=1)
    await alarm.use(account, 60)
    alarm.now = APRIL + timedelta(hours=3)
    await alarm.look()
    (row,) = await alarm.alerts(account)
    assert (row["period_end"], row["fired_at"]) == (APRIL, alarm.now)


async def test_a_rule_says_nothing_of_a_period_that_ended_before_it(alarm: "Alarm") -> None:
    account = await alarm.account()
    await alarm.use(account, 60)
    alarm.now = APRIL + DAY
    await alarm.rule(account, "50", unit="quantity")
    await alarm.look()
    assert await alarm.fired(account) == []


async def test_a_new_rule_tells_at_once_what_is_reached_already(alarm: "Alarm") -> None:
    account = await alarm.account()
    await alarm.use(account, 60)
    await alarm.rule(account, "50", unit="quantity")
    await alarm.look()
    assert await alarm.fired(account) == [("quantity", "50")]


async def test_spend_is_the_subtotal_of_the_invoice_as_it_stands(alarm: "Alarm") -> None:
    account = await alarm.account()
    await alarm.rule(account, "4899", "5000", "5001", watch="spend", meter=None, unit="cents")
    await alarm.use(account, 10)  # 49.00 and 10 at 0.10
    await alarm.look()
    assert await alarm.fired(account) == [("cents", "4899"), ("cents", "5000")]
    assert {row["quantity"] for row in await alarm.alerts(account)} == {Decimal(5000)}


async def test_credits_used_and_left_are_told_when_they_are_taken(alarm: "Alarm") -> None:
    account = await alarm.account()
    await alarm.give(account, 1000)
    await alarm.rule(account, "50", "90", watch="credits", meter=None)
    await alarm.rule(account, "500", "10", watch="credits", meter=None, unit="credits_left")
    await alarm.look()
    await alarm.deduct(account, 499)
    await alarm.look()
    assert await alarm.fired(account) == []
    await alarm.deduct(account, 1)
    assert await alarm.look() == 1
    assert sorted(await alarm.fired(account)) == [("credits_left", "500"), ("percent", "50")]


async def test_a_percent_of_what_has_no_limit_is_refused(alarm: "Alarm") -> None:
    account = await alarm.account()
    with pytest.raises(BadInput) as refused:
        await alarm.rule(account, "80", meter="storage")
    assert [(e.field, e.code) for e in refused.value.errors] == [("unit", "without_limit")]
    await alarm.rule(account, "80", meter="storage", unit="quantity")


async def test_every_wrong_field_of_a_rule_is_named(alarm: "Alarm") -> None:
    account = await alarm.account()
    with pytest.raises(BadInput) as refused:
        await alarm.rule(account, "0", "10001", "1.234", "1.234", name=" ")
    assert [(e.field, e.code) for e in refused.value.errors] == [
        ("name", "invalid_text"),
        ("thresholds", "repeated"),
        ("thresholds[0]", "out_of_range"),
        ("thresholds[1]", "out_of_range"),
        ("thresholds[2]", "too_many_decimals"),
        ("thresholds[3]", "too_many_decimals"),
    ]
    with pytest.raises(BadInput) as refused:
        await alarm.rule(account, "80", watch="spend")
    assert [(e.field, e.code) for e in refused.value.errors] == [
        ("meter", "unexpected"),
        ("unit", "unit_does_not_fit"),
    ]
    with pytest.raises(BadInput) as refused:
        await alarm.rule(account, "80", meter="nothing")
    assert [(e.field, e.code) for e in refused.value.errors] == [("meter", "meter_not_found")]


async def test_an_account_without_a_plan_is_watched_by_calendar_months(alarm: "Alarm") -> None:
    account = await alarm.account(plan=False)
    await alarm.rule(account, "50", unit="quantity")
    alarm.now += 14 * DAY
    await alarm.use(account, 60)
    await alarm.look()
    (row,) = await alarm.alerts(account)
    assert (row["period_start"], row["period_end"]) == (datetime(2026, 3, 1, tzinfo=UTC), APRIL)


async def test_changed_thresholds_hold_from_then_on(alarm: "Alarm") -> None:
    account = await alarm.account()
    rule = await alarm.rule(account, "50", unit="quantity")
    await alarm.use(account, 60)
    await alarm.look()

    async def change(**changes: Any) -> AlertRule:
        async with alarm.db.transaction(WRITER) as conn:
            key = account.account_id, rule.alert_rule_id
            return await service.change_rule(conn, *key, alarm.now, **changes)

    await change(thresholds=[Decimal(60), Decimal(50)])
    await alarm.look()
    assert await alarm.fired(account) == [("quantity", "50"), ("quantity", "60")]
    assert not (await change(is_active=False)).is_active
    await change(thresholds=[Decimal(55)])
    await alarm.look()
    assert len(await alarm.fired(account)) == 2


async def test_a_deleted_rule_tells_nothing_and_its_alerts_stay(alarm: "Alarm") -> None:
    account = await alarm.account()
    rule = await alarm.rule(account, "50", "90", unit="quantity")
    await alarm.use(account, 60)
    await alarm.look()
    async with alarm.db.transaction(WRITER) as conn:
        key = account.account_id, rule.alert_rule_id
        await service.delete_rule(conn, *key, alarm.now)
    with pytest.raises(NotFound):
        async with alarm.db.transaction(WRITER) as conn:
            await service.delete_rule(conn, *key, alarm.now)
    await alarm.use(account, 60)
    assert await alarm.look() == 0
    assert await alarm.fired(account) == [("quantity", "50")]
    assert not await alarm.rows("SELECT FROM usage_watches")


async def test_an_account_may_have_fifty_rules(
    alarm: "Alarm", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tallystick.alerts.checks.RULES_MAX", 1)
    account = await alarm.account()
    await alarm.rule(account, "1")
    with pytest.raises(Conflict) as refused:
        await alarm.rule(account, "1")
    assert refused.value.code == "too_many_alerts"


async def test_accounts_without_rules_leave_nothing_to_look_at(alarm: "Alarm") -> None:
    watching, other = await alarm.account(), await alarm.account()
    await alarm.rule(watching, "80")
    await alarm.look()
    await alarm.use(other, 1000)
    assert not await alarm.rows("SELECT FROM usage_alert_due")
    await alarm.use(watching, 1)
    rows = await alarm.rows("SELECT account_id FROM usage_alert_due")
    assert [row["account_id"] for row in rows] == [watching.account_id]


async def test_a_look_that_fails_is_put_off_and_others_come_on(
    alarm: "Alarm", monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, other = await alarm.account(), await alarm.account()
    for account in (broken, other):
        await alarm.rule(account, "80")
        await alarm.use(account, 100)

    async def fail(conn: Any, account_id: Any, now: Any) -> Any:
        if account_id == broken.account_id:
            raise ValueError(account_id)
        return await running_of(conn, account_id, now)

    monkeypatch.setattr(evaluate, "running_of", fail)
    assert await alarm.look() == 2
    assert await alarm.fired(other) == [("percent", "80")]
    assert await alarm.look() == 0
    monkeypatch.undo()
    alarm.now += timedelta(seconds=3)
    assert await alarm.look() == 1
    assert await alarm.fired(broken) == [("percent", "80")]


async def test_what_comes_while_an_account_is_looked_at_is_looked_at_again(
    alarm: "Alarm", db: Database
) -> None:
    account = await alarm.account()
    await alarm.rule(account, "80")
    await alarm.look()
    await alarm.use(account, 50)
    async with db.own_transaction(WRITER) as conn:
        assert await store.lock_next_account(conn, alarm.now, None) == account.account_id
        await store.take(conn, account.account_id, alarm.now)
        assert await evaluate.evaluate(conn, account.account_id, alarm.now) == ()
        # Committed by another connection, after this one has read.
        await asyncio.create_task(alarm.use(account, 50))
    assert await alarm.look() == 1
    assert await alarm.fired(account) == [("percent", "80")]


async def test_a_killed_worker_leaves_the_account_to_the_next_one(alarm: "Alarm", dsn: str) -> None:
    account = await alarm.account()
    await alarm.rule(account, "80")
    await alarm.use(account, 100)
    conn = await asyncpg.connect(dsn)
    transaction = conn.transaction()
    await transaction.start()
    await store.take(conn, account.account_id, alarm.now)
    assert len(await evaluate.evaluate(conn, account.account_id, alarm.now)) == 1
    assert await alarm.look() == 0
    conn.terminate()  # as a kill -9 ends it: the connection is gone, nothing committed
    async with asyncio.timeout(PATIENCE_S):
        while not await alarm.look():  # noqa: ASYNC110 - the server notices the end by itself
            await asyncio.sleep(0.01)
    assert await alarm.fired(account) == [("percent", "80")]
    assert len(await alarm.rows("SELECT FROM outbox WHERE kind = 'usage.alert_fired'")) == 1


async def test_a_running_worker_is_woken_by_the_event_itself(
    alarm: "Alarm", db: Database, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the poll: only the notification of the ingest brings the worker to look."""
    monkeypatch.setattr(due, "POLL_S", 3600.0)
    alarm.now = system_clock()
    account = await alarm.account()
    await alarm.rule(account, "80")
    await alarm.look()
    task = asyncio.create_task(
        Worker(db, system_clock, [AlertWork(db, system_clock, gap_s=0).kind]).run()
    )
    listening = (
        "SELECT FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND state = 'idle'"
        " AND datname = current_database()"
    )
    owner = await asyncpg.connect(dsn)
    async with asyncio.timeout(PATIENCE_S):
        while not await owner.fetch(listening):  # noqa: ASYNC110 - the database tells nobody
            await asyncio.sleep(0.01)
        await owner.close()
        await alarm.use(account, 100)
        while not await alarm.fired(account):  # noqa: ASYNC110 - looked at from outside
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_accounts_on_a_test_clock_live_in_its_time(alarm: "Alarm") -> None:
    begun = datetime(2030, 6, 1, tzinfo=UTC)
    account = await alarm.account(clock=begun)
    assert account.test_clock_id
    async with alarm.db.transaction(WRITER) as conn:
        new = msgspec.convert(
            {"name": "n", "watch": "meter", "meter": "calls", "unit": "quantity",
             "thresholds": (Decimal(50),)},
            NewRule,
        )  # fmt: skip
        await service.create_rule(conn, account.account_id, new, begun)
    await alarm.use(account, 60)
    assert await alarm.look() == 0
    assert await alarm.work.run_due(begun, account.test_clock_id) == 1
    (row,) = await alarm.alerts(account)
    assert (row["period_start"], row["fired_at"]) == (begun, begun)
    # The first look by the clock alone, then one a day.
    first = await alarm.work.next_at(account.test_clock_id)
    assert first == begun + service.SETTLED
    assert await alarm.work.run_due(first, account.test_clock_id) == 1
    assert await alarm.work.next_at(account.test_clock_id) == first + DAY


async def test_two_first_rules_made_at_once_are_both_kept(alarm: "Alarm") -> None:
    account = await alarm.account()
    await asyncio.gather(*(alarm.rule(account, str(50 + at)) for at in range(4)))
    assert len(await alarm.rows("SELECT FROM usage_alert_rules")) == 4
