from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import pytest

from tallystick.kernel.db import STAFF, WRITER, Database, Scope, account_scope
from tallystick.metering import events_store
from tallystick.metering.prepare import Row, event_key

AT = datetime(2026, 2, 1, tzinfo=UTC)


def row(account_id: UUID, event_id: str = "1") -> Row:
    return (account_id, event_key("s", event_id), AT, "call", "s", event_id, '{"n": 1}')


async def count(db: Database, scope: Scope) -> int:
    async with db.transaction(scope) as conn:
        return int(await conn.fetchval("SELECT count(*) FROM usage_events"))


async def test_an_account_sees_its_own_events_only(db: Database) -> None:
    one, other = uuid4(), uuid4()
    async with db.transaction(WRITER) as conn:
        await events_store.copy_events(conn, [row(one), row(one, "2"), row(other)])
    assert await count(db, account_scope(one)) == 2
    assert await count(db, account_scope(other)) == 1
    assert await count(db, STAFF) == 3


async def test_an_event_can_not_be_changed_or_deleted(db: Database, dsn: str) -> None:
    async with db.transaction(WRITER) as conn:
        await events_store.copy_events(conn, [row(uuid4())])
    for sql in ("UPDATE usage_events SET at = now()", "DELETE FROM usage_events"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with db.transaction(WRITER) as conn:
                await conn.execute(sql)
        owner = await asyncpg.connect(dsn)
        with pytest.raises(asyncpg.RestrictViolationError):
            await owner.execute(sql)
        await owner.close()


async def test_a_copy_of_a_stored_key_writes_nothing_at_all(db: Database) -> None:
    account_id = uuid4()
    async with db.transaction(WRITER) as conn:
        await events_store.copy_events(conn, [row(account_id)])
    with pytest.raises(asyncpg.UniqueViolationError):
        async with db.transaction(WRITER) as conn:
            await events_store.copy_events(conn, [row(account_id, "2"), row(account_id)])
    assert await count(db, WRITER) == 1


async def test_of_rows_with_stored_keys_the_new_ones_are_written(db: Database) -> None:
    account_id = uuid4()
    old, new = row(account_id), row(account_id, "2")
    async with db.transaction(WRITER) as conn:
        assert await events_store.insert_new_events(conn, [old]) == {old[:2]}
        assert await events_store.insert_new_events(conn, [new, old]) == {new[:2]}
        assert await events_store.insert_new_events(conn, []) == set()


@pytest.mark.parametrize(
    ("change", "is_same"),
    [
        (lambda r: r, True),
        (lambda r: (*r[:6], '{"n": 1.0}'), True),
        (lambda r: (*r[:6], '{"n": "1"}'), False),
        (lambda r: (*r[:5], "2", r[6]), False),
        (lambda r: (*r[:4], "t", *r[5:]), False),
        (lambda r: (*r[:3], "other", *r[4:]), False),
    ],
)
async def test_a_row_is_compared_with_the_stored_one(
    db: Database, change: Callable[[Row], Row], *, is_same: bool
) -> None:
    stored = row(uuid4())
    later = datetime(2026, 2, 2, tzinfo=UTC)
    async with db.transaction(WRITER) as conn:
        await events_store.copy_events(conn, [stored])
        sent = [change(stored)] * 3
        told = await events_store.same_as_stored(conn, sent, [AT, None, later])
    assert told == [is_same, is_same, False]


async def test_no_account_may_write_totals(db: Database) -> None:
    account_id = uuid4()
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with db.transaction(account_scope(account_id)) as conn:
            await conn.execute("DELETE FROM usage_totals")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with db.transaction(account_scope(account_id)) as conn:
            await conn.execute("UPDATE usage_fold SET upto = '1'")


async def test_not_even_the_owner_empties_a_part_of_the_events(dsn: str) -> None:
    owner = await asyncpg.connect(dsn)
    try:
        for table in ("usage_events", *(f"usage_events_{part}" for part in range(8))):
            with pytest.raises(asyncpg.RestrictViolationError):
                await owner.execute(f"TRUNCATE {table}")
    finally:
        await owner.close()
