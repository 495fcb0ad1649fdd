"""Every operation on credits, cut behind each of its writes: all of it stays, or none, and once."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest

from tallystick.credits import grants, refunds, reservations, transfers
from tallystick.credits.jobs import lapse_due
from tallystick.credits.model import NewGrant
from tallystick.kernel.db import WRITER, Connection
from tallystick.kernel.errors import TallystickError

from .conftest import NOW, Bank

HOUR = timedelta(hours=1)
TABLES = ("credit_accounts", "credit_grants", "credit_allocations", "credit_usage_log",
          "credit_reservations", "ledger_entries", "ledger_postings", "ledger_balances",
          "outbox")  # fmt: skip
CUT = """
CREATE SEQUENCE writes;
CREATE TABLE cut_behind (write bigint);
INSERT INTO cut_behind VALUES (0);
CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF nextval('writes') = (SELECT write FROM cut_behind) THEN
        PERFORM pg_terminate_backend(pg_backend_pid());
    END IF;
    RETURN NULL;
END $$;
"""


class Scene(msgspec.Struct, frozen=True):
    """An account with ten credits that expire, four of them used as `job`, two held; another."""

    bank: Bank
    one: UUID
    other: UUID
    held: UUID


Operation = Callable[[Connection, Scene], Awaitable[object]]


async def give(conn: Connection, scene: Scene) -> object:
    new = NewGrant(source="manual", units=300_000)
    return await grants.grant(conn, scene.one, new, key="op", at=NOW)


async def take(conn: Connection, scene: Scene) -> object:
    wanted = scene.bank.wanted(scene.one, "3", key="op")
    return await scene.bank.credits.deduct_within(conn, wanted)


async def adjust(conn: Connection, scene: Scene) -> object:
    return await refunds.adjust(conn, scene.one, Decimal(-2), reason="r", key="op", at=NOW)


async def refund(conn: Connection, scene: Scene) -> object:
    return await refunds.refund(conn, scene.one, "job", key="op", at=NOW, units=250_000)


async def move(conn: Connection, scene: Scene) -> object:
    return await transfers.transfer(conn, scene.one, scene.other, 300_000, key="op", at=NOW)


async def revoke(conn: Connection, scene: Scene) -> object:
    named: dict[str, Any] = {"reference": "inv_1", "source": "purchase", "key": "op", "at": NOW}
    return await grants.revoke_unspent(conn, scene.one, **named)


async def hold(conn: Connection, scene: Scene) -> object:
    wanted = scene.bank.wanted(scene.one, "3", key="op")
    return await reservations.reserve(conn, scene.bank.credits, wanted, seconds=60)


async def settle(conn: Connection, scene: Scene) -> object:
    wanted = scene.bank.wanted(scene.one, "3", key="op")
    return await reservations.settle(conn, scene.bank.credits, scene.held, wanted)


async def release(conn: Connection, scene: Scene) -> object:
    return await reservations.release(conn, scene.one, scene.held, NOW)


async def lapse(conn: Connection, scene: Scene) -> object:
    return await lapse_due(conn, scene.one, NOW + HOUR)


OPERATIONS = (give, take, adjust, refund, move, revoke, hold, settle, release, lapse)


async def scene_of(bank: Bank) -> Scene:
    one, other = await bank.account(), await bank.account()
    await bank.set(one, alert_below=900_000)
    await bank.grant(
        one, "10", source="purchase", reference="inv_1", expires_at=NOW + HOUR, priority=1
    )
    await bank.grant(one, "1", priority=200)
    await bank.deduct(one, "4", key="job")
    async with bank.db.transaction(WRITER) as conn:
        wanted = bank.wanted(one, "2", key="held")
        made = await reservations.reserve(conn, bank.credits, wanted, seconds=60)
    return Scene(bank, one, other, made.credit_reservation_id)


async def seen(scene: Scene) -> list[Any]:
    """Return all that an operation may change, without ids."""
    await scene.bank.agrees()
    balances = [
        await scene.bank.balance(account, at)
        for account in (scene.one, scene.other)
        for at in (NOW, NOW + HOUR)
    ]
    counts = [
        await scene.bank.rows(
            f"SELECT count(*) FROM {table} WHERE account_id = ANY ($1)",  # noqa: S608 - ours
            [scene.one, scene.other],
        )
        for table in TABLES
    ]
    return [balances, counts]


async def do(scene: Scene, operation: Operation) -> None:
    async with scene.bank.db.transaction(WRITER) as conn:
        await operation(conn, scene)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.__name__)
async def test_an_operation_that_is_cut_behind_any_write_is_whole_and_once(
    bank: Bank, dsn: str, operation: Operation
) -> None:
    owner = await asyncpg.connect(dsn)
    await owner.execute(CUT)
    for table in TABLES:
        await owner.execute(
            f"CREATE TRIGGER zz_cut AFTER INSERT OR UPDATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION cut()"
        )
    clean = await scene_of(bank)
    await do(clean, operation)
    expected = await seen(clean)
    write = 0
    while True:
        write += 1
        scene = await scene_of(bank)
        before = await seen(scene)
        await owner.execute("SELECT setval('writes', 1, false)")
        await owner.execute("UPDATE cut_behind SET write = $1", write)
        try:
            await do(scene, operation)
        except (TallystickError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            assert await seen(scene) == before
        else:
            written = await owner.fetchval("SELECT last_value FROM writes")
            assert written < write, "a cut went unnoticed"
            break
        await owner.execute("UPDATE cut_behind SET write = 0")
        for _ in range(2):
            await do(scene, operation)
        assert await seen(scene) == expected
    await owner.close()
    assert write > 2
