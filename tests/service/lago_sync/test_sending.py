"""Usage goes to a Lago over real HTTP: each event once, whatever goes wrong on the way."""

import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
import structlog

from tallystick.accounts.model import Account, AccountChange
from tallystick.accounts.service import update_account
from tallystick.catalog.model import NewMeter
from tallystick.kernel.db import STAFF, WRITER, Connection, Database
from tallystick.kernel.errors import NotFound
from tallystick.kernel.paging import PageRequest
from tallystick.lago_sync import service
from tallystick.lago_sync.client import LagoApi
from tallystick.lago_sync.model import LagoSettings, SyncState
from tallystick.lago_sync.sender import LEASE, Sender
from tallystick.metering import service as metering
from tallystick.metering.prepare import event_key

if TYPE_CHECKING:
    from tests.service.lago_sync.conftest import Lago, Wall

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
Record = Callable[..., Awaitable[None]]
SendAll = Callable[..., Awaitable[int]]


async def state(db: Database) -> SyncState:
    async with db.transaction(STAFF) as conn:
        return await service.sync_state(conn)


async def refused(db: Database) -> list[tuple[str, str]]:
    async with db.transaction(STAFF) as conn:
        found = await service.list_refused(conn, PageRequest())
    return [(row.transaction_id.rpartition(".")[2], row.reason) for row in found.items]


def ids_of(batch: dict[str, Any]) -> list[str]:
    return [event["transaction_id"] for event in json.loads(batch["body"])["events"]]


async def test_every_event_arrives_once_in_batches_of_a_hundred(
    lago: "Lago", record: Record, send_all: SendAll, db: Database
) -> None:
    lago.set_up("cust-1")
    await record(*range(120))
    assert await send_all() == 3
    assert [len(ids_of(batch)) for batch in lago.batches()] == [100, 100, 40]
    assert lago.units("cust-1") == {"calls": 120, "tokens": 300}
    found = await state(db)
    assert (found.sync.sent_count, found.waiting_count, found.unread_count) == (240, 0, 0)
    assert await send_all() == 0


async def test_events_of_later_are_sent_later(
    lago: "Lago", record: Record, send_all: SendAll
) -> None:
    await record("1")
    await send_all()
    await record("2")
    await record("3", subject="cust-2")
    await send_all()
    told = [(event["external_subscription_id"], event["code"]) for event in lago.events()]
    assert sorted(told) == [
        ("cust-1", "calls"), ("cust-1", "calls"), ("cust-1", "tokens"), ("cust-1", "tokens"),
        ("cust-2", "calls"), ("cust-2", "tokens"),
    ]  # fmt: skip


async def test_a_new_meter_catches_up_with_what_was_there_before(
    lago: "Lago", record: Record, send_all: SendAll, db: Database
) -> None:
    await record(*range(7))
    await send_all()
    new = NewMeter(code="more", event_type="call", aggregation="sum", property="n")
    async with db.transaction(WRITER) as conn:
        await metering.create_meter(conn, new, NOW)
    await record("later")
    await send_all()
    codes = [event["code"] for event in lago.events()]
    assert {code: codes.count(code) for code in set(codes)} == {
        "calls": 8, "tokens": 8, "more": 8,
    }  # fmt: skip
    assert len(lago.batches()) <= 3


@pytest.mark.parametrize(
    "fault",
    [
        {"action": "status", "status": 500},
        {"action": "status", "status": 429, "retry_after": "30"},
        {"action": "status", "status": 401},
        {"action": "status", "status": 404},
        {"action": "status_after", "status": 502},
        {"action": "drop_before"},
        {"action": "drop_reply"},
        {"action": "delay", "delay_ms": 4000},
    ],
    ids=lambda fault: f"{fault['action']}-{fault.get('status', '')}",
)
async def test_after_a_failure_the_same_is_sent_again_word_for_word(
    lago: "Lago", record: Record, send_all: SendAll, db: Database, fault: dict[str, Any]
) -> None:
    lago.set_up("cust-1")
    lago.arm(**fault)
    await record("1", "2")
    assert await send_all() >= 2
    bodies = [batch["body"] for batch in lago.batches()]
    assert bodies[0] == bodies[1]
    assert lago.units("cust-1") == {"calls": 2, "tokens": 5}
    found = await state(db)
    assert (found.sync.sent_count, found.waiting_count, found.refused_count) == (4, 0, 0)
    assert found.sync.failure_count == 0
    assert found.sync.last_error


async def test_an_outage_is_waited_off_with_growing_waits(
    lago: "Lago", record: Record, sender: Sender, wall: "Wall", db: Database
) -> None:
    lago.arm("status", status=503, times=4)
    await record("1")
    waits = []
    for _ in range(4):
        assert await sender.run_due(wall()) == 2
        until = (await state(db)).sync.next_try_at
        waits.append((until - wall()).total_seconds())
        wall.move(until - wall() - timedelta(milliseconds=1))
        assert await sender.run_due(wall()) == 0
        wall.move(timedelta(seconds=1))
    assert [low <= wait <= 2 * low for low, wait in zip([1, 2, 4, 8], waits, strict=True)] == [
        True
    ] * 4
    assert await sender.run_due(wall()) == 2
    assert len(lago.events()) == 2


async def test_a_server_that_asks_for_rest_gets_it(
    lago: "Lago", record: Record, sender: Sender, wall: "Wall", db: Database
) -> None:
    lago.arm("status", status=429, retry_after="600")
    await record("1")
    await sender.run_due(wall())
    found = await state(db)
    assert found.sync.next_try_at == wall() + timedelta(seconds=600)
    assert found.sync.last_error == "Lago wants fewer requests (429)"


async def test_what_lago_refuses_is_set_aside_and_the_rest_goes_on(
    lago: "Lago", record: Record, send_all: SendAll, db: Database
) -> None:
    await record("1", "2", "3")
    await spoil(db, "1", "tokens")
    await send_all()
    assert len(lago.events()) == 5
    assert await refused(db) == [("tokens", '{"timestamp":["invalid_format"]}')]
    await mend(db)
    async with db.transaction(WRITER) as conn:
        assert await service.send_again(conn, None) == 1
    await send_all()
    assert len(lago.events()) == 6
    assert await refused(db) == []


async def test_a_refusal_that_names_no_event_is_narrowed_down_to_one(
    lago: "Lago", record: Record, send_all: SendAll, db: Database
) -> None:
    await record(*range(20))
    async with db.transaction(WRITER) as conn:
        await service.read_events(conn, NOW)
        # An event that is no object makes Lago refuse the body as a whole.
        await conn.execute("UPDATE lago_outbox SET event = '5' WHERE transaction_id = "
                           "(SELECT transaction_id FROM lago_outbox ORDER BY outbox_id OFFSET 13 "
                           "LIMIT 1)")  # fmt: skip
    await send_all()
    assert len(lago.events()) == 39
    ((_, reason),) = await refused(db)
    assert reason.startswith("400: BadRequest")


async def spoil(db: Database, event_id: str, meter: str) -> None:
    """Write a timestamp that Lago does not take into what waits."""
    name = f"%.{event_key('gw', event_id).hex}.{meter}"
    async with db.transaction(WRITER) as conn:
        await service.read_events(conn, NOW)
        done = await conn.execute(
            "UPDATE lago_outbox SET event = jsonb_set(event::jsonb, '{timestamp}', '\"x\"')::text "
            "WHERE transaction_id LIKE $1",
            name,
        )
    assert done == "UPDATE 1"


async def mend(db: Database) -> None:
    async with db.transaction(WRITER) as conn:
        await conn.execute(
            "UPDATE lago_refused SET event = replace(event, '\"x\"', '\"1773572400\"')"
        )


async def test_sending_an_unknown_event_again_is_refused(db: Database) -> None:
    async with db.transaction(WRITER) as conn:
        with pytest.raises(NotFound):
            await service.send_again(conn, "nothing")


async def test_what_is_written_out_stays_though_the_account_is_renamed(
    lago: "Lago", record: Record, send_all: SendAll, db: Database, accounts: Sequence[Account]
) -> None:
    """Lago knows a transaction id within a subscription: another name would count it twice."""
    lago.arm("drop_reply")
    await record("1")
    assert await send_all(rounds=1) == 1
    async with db.transaction(WRITER) as conn:
        await update_account(conn, accounts[0].account_id, AccountChange(external_id="renamed"))
    await send_all()
    assert {event["external_subscription_id"] for event in lago.events()} == {"cust-1"}


async def test_one_sender_at_a_time_and_a_dead_ones_batch_after_its_lease(
    lago: "Lago", record: Record, db: Database, api: LagoApi, wall: "Wall"
) -> None:
    await record("1")
    dead = Sender(db, api, wall)
    taken = await dead._take(wall())
    assert len(taken.rows) == 2
    other = Sender(db, api, wall)
    assert await other.run_due(wall()) == 0
    wall.move(LEASE)
    assert await other.run_due(wall()) == 2
    assert len(lago.events()) == 2


async def test_two_senders_send_each_event_once(
    lago: "Lago", record: Record, send_all: SendAll, slow: Sender, wall: "Wall"
) -> None:
    await record("1")
    batch = await slow._take(wall())
    wall.move(LEASE)
    await send_all()
    answer = await slow._api.send([row.event for row in batch.rows])
    await slow._conclude(batch, answer)
    assert len(lago.events()) == 2
    assert (await state(slow._db)).sync.sent_count == 2


async def test_a_database_restored_into_a_new_server_sends_all_again_under_the_same_ids(
    lago: "Lago", record: Record, send_all: SendAll, db: Database
) -> None:
    await record("1", "2")
    await send_all()
    async with db.transaction(WRITER) as conn:
        await conn.execute("UPDATE lago_marks SET after_tx = '18446744073709551000'")
    await record("3")
    await send_all()
    assert len(lago.events()) == 6


async def test_corrections_take_events_back_where_lago_can(
    lago: "Lago", record: Record, send_all: SendAll, db: Database, accounts: Sequence[Account]
) -> None:
    lago.set_up("cust-1")
    await record("1", "2")
    await send_all()
    keys = [event_key("gw", "1"), event_key("gw", "unknown")]
    for _ in range(2):
        async with db.transaction(WRITER) as conn:
            await void(conn, accounts[0].account_id, keys[0])
            await service.compensate(conn, accounts[0].account_id, keys, NOW)
        await send_all()
    assert lago.units("cust-1")["tokens"] == 2.5
    assert [reason for _, reason in await refused(db)] == [
        "an event can not be taken out of calls in Lago"
    ]


async def void(conn: Connection, account_id: UUID, key: UUID) -> None:
    await conn.execute(
        "INSERT INTO usage_voids (account_id, key) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        account_id,
        key,
    )


async def test_what_was_taken_back_before_it_was_read_is_never_sent(
    lago: "Lago", record: Record, send_all: SendAll, db: Database, accounts: Sequence[Account]
) -> None:
    await record("1", "2")
    async with db.transaction(WRITER) as conn:
        await void(conn, accounts[0].account_id, event_key("gw", "1"))
        await service.compensate(conn, accounts[0].account_id, [event_key("gw", "1")], NOW)
    await send_all()
    assert len(lago.events()) == 2
    assert await refused(db) == []


async def test_an_address_without_a_server_is_an_error_to_wait_by(
    record: Record, db: Database, wall: "Wall"
) -> None:
    api = LagoApi(LagoSettings("http://127.0.0.1:1", "secret-key"), wall)
    await record("1")
    with structlog.testing.capture_logs() as logs:
        await Sender(db, api, wall).run_due(wall())
    await api.close()
    assert (await state(db)).sync.last_error == "Lago can not be reached (ConnectError)"
    assert "secret-key" not in repr(logs) + repr(LagoSettings("http://x", "secret-key"))
