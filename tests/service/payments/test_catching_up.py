"""After an outage a gateway's list brings what no webhook did: each event once."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tallystick.kernel.db import STAFF, WRITER
from tallystick.kernel.errors import BadInput, Conflict, NotFound, Unavailable
from tallystick.kernel.paging import PageRequest
from tallystick.webhooks import desk
from tallystick.webhooks.catch_up import CatchUp, GapWatch, Progress
from tallystick.webhooks.model import EventFilter, InboxState

if TYPE_CHECKING:
    from tests.service.payments.conftest import World

HOUR = timedelta(hours=1)


def catch_up_of(world: "World") -> CatchUp:
    return CatchUp(world.db, world.gateways, world.inbox, world.clock)


def watch_of(world: "World") -> GapWatch:
    return GapWatch(world.db, world.gateways, catch_up_of(world))


async def finished_at(world: "World") -> datetime | None:
    return (await catch_up_of(world).signs("stripe")).finished_at


async def test_what_was_missed_is_stored_and_what_is_there_is_not_doubled(world: "World") -> None:
    account = await world.account()
    world.mute()
    await world.confirm_setup(account, "pm_card_visa")
    await world.deliver("setup_intent.succeeded")
    told: list[Progress] = []
    done = await catch_up_of(world).run("stripe", datetime.now(UTC) - HOUR, told.append)
    assert done.listed >= 2
    assert done.new == done.listed - 1
    assert told[-1] == done
    again = await catch_up_of(world).run("stripe", datetime.now(UTC) - HOUR)
    assert (again.listed, again.new) == (done.listed, 0)
    await world.settle_down()
    await world.deliver("payment_method.attached")  # late, and known by then
    await world.settle_down()
    assert len(await world.methods(account)) == 1
    rows = await world.inbox_rows()
    assert len(rows) == done.listed
    assert {row["status"] for row in rows} <= {"done", "ignored"}
    assert {row["try_count"] for row in rows} == {1}


async def test_after_a_start_the_worker_catches_up_by_itself(world: "World") -> None:
    account = await world.account()
    await world.save_card(account)
    world.mute()
    await world.confirm_setup(account, "pm_card_mastercard")
    watch = watch_of(world)
    await watch.run_due(world.clock())
    await world.settle_down()
    assert len(await world.methods(account)) == 2
    first = await finished_at(world)
    assert first is not None
    world.ahead = timedelta(minutes=2)
    await watch.run_due(world.clock())
    assert await finished_at(world) == first


async def test_a_gateway_where_nothing_ever_was_is_left_alone(world: "World") -> None:
    await watch_of(world).run_due(world.clock())
    assert await finished_at(world) is None


async def test_what_was_missed_between_two_starts_is_not_left_for_a_day(world: "World") -> None:
    account = await world.account()
    await world.save_card(account)
    await watch_of(world).run_due(world.clock())
    world.mute()
    await world.confirm_setup(account, "pm_card_mastercard")
    world.ahead = timedelta(minutes=2)
    started_again = watch_of(world)
    await started_again.run_due(world.clock())
    world.ahead = timedelta(minutes=6)
    await started_again.run_due(world.clock())
    await world.settle_down()
    assert len(await world.methods(account)) == 2


async def test_silence_while_a_charge_waits_is_noticed(world: "World") -> None:
    account = await world.account()
    await world.save_card(account)
    watch = watch_of(world)
    await watch.run_due(world.clock())
    first = await finished_at(world)
    world.mute()
    await world.invoice(account)
    await world.arm("drop_reply", path="/v1/payment_intents", method="POST", times=1)
    await world.teller.run_due(world.clock())
    await world.collector.run_due(world.clock(), None)
    async with world.db.transaction(WRITER) as conn:
        open_since = await conn.fetchval(
            "UPDATE payment_attempts SET outcome = 'unknown', ended_at = NULL RETURNING created_at"
        )
    assert open_since is not None
    world.ahead = timedelta(minutes=14)
    await watch.run_due(world.clock())
    assert await finished_at(world) == first
    world.ahead = timedelta(minutes=17)
    await watch.run_due(world.clock())
    later = await finished_at(world)
    assert first is not None
    assert later is not None
    assert later > first


async def test_a_gateway_that_is_away_is_asked_again_after_five_minutes(world: "World") -> None:
    account = await world.account()
    await world.save_card(account)
    await world.arm("status", path="/v1/events", times=None, status=503)
    watch = watch_of(world)
    await watch.run_due(world.clock())
    assert await finished_at(world) is None
    async with world.db.transaction(STAFF) as conn:
        error = await conn.fetchval("SELECT error FROM webhook_catch_ups")
    assert error.startswith("gateway_unavailable")
    await world.disarm()
    world.ahead = timedelta(minutes=2)
    await watch.run_due(world.clock())
    assert await finished_at(world) is None
    world.ahead = timedelta(minutes=6)
    await watch.run_due(world.clock())
    assert await finished_at(world) is not None


async def test_what_can_not_be_caught_up_is_said(world: "World") -> None:
    catch_up = catch_up_of(world)
    with pytest.raises(Conflict) as refused:
        await catch_up.run("manual")
    assert refused.value.code == "gateway_can_not"
    with pytest.raises(Unavailable):
        await catch_up.run("paypal")
    with pytest.raises(NotFound):
        await catch_up.run("unheard")
    with pytest.raises(BadInput):
        await catch_up.run("stripe", world.clock() + HOUR)


async def test_no_list_reaches_further_back_than_the_gateway_keeps_it(world: "World") -> None:
    done = await catch_up_of(world).run("stripe", datetime(2020, 1, 1, tzinfo=UTC))
    kept = world.stripe.capabilities.lists_events
    assert kept is not None
    assert world.clock() - done.since < kept + HOUR
    assert (await catch_up_of(world).signs("stripe")).checked_until is not None


async def test_events_are_found_and_handled_again_by_what_they_are(world: "World") -> None:
    account = await world.account()
    await world.save_card(account)
    before = {row["event_id"]: row["try_count"] for row in await world.inbox_rows()}
    wanted = EventFilter(gateway="stripe", state=InboxState.DONE, kind="payment_method.attached")
    async with world.db.transaction(STAFF) as conn:
        found = await desk.list_events(conn, wanted, PageRequest())
    (row,) = found.items
    assert row.account_id == account
    async with world.db.transaction(WRITER) as conn:
        assert await desk.replay(conn, wanted, world.clock()) == 1
        (waiting,) = await desk.backlog(conn)
    assert (waiting.gateway, waiting.state, waiting.count) == ("stripe", "received", 1)
    await world.settle_down()
    after = {row["event_id"]: row["try_count"] for row in await world.inbox_rows()}
    assert {key for key in after if after[key] != before[key]} == {row.event_id}
    assert len(await world.methods(account)) == 1
    async with world.db.transaction(WRITER) as conn:
        assert await desk.backlog(conn) == ()
