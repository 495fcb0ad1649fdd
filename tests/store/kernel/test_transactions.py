import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import cast
from uuid import UUID, uuid4

import msgspec
import pytest

from tallystick.kernel.db import (
    STAFF,
    WRITER,
    Actor,
    Connection,
    Database,
    Scope,
    account_scope,
    acting,
    open_database,
)
from tallystick.kernel.errors import Unavailable
from tallystick.kernel.outbox import append

KindsOf = Callable[[UUID], Awaitable[list[str]]]

WHO = """
SELECT current_user::text AS role, coalesce(current_setting('tallystick.account_id', true), '')
    AS account, current_setting('tallystick.actor_id', true) AS actor
"""


class Fact(msgspec.Struct, frozen=True):
    note: str = ""


async def who(conn: Connection) -> tuple[str, str, str]:
    row = await conn.fetchrow(WHO)
    assert row is not None
    return row["role"], row["account"], row["actor"]


async def add(conn: Connection, account_id: UUID, kind: str) -> None:
    await append(conn, account_id, kind, Fact())


async def test_a_transaction_commits_at_its_end(db: Database, kinds_of: KindsOf) -> None:
    account_id = uuid4()
    async with db.transaction(WRITER) as conn:
        await add(conn, account_id, "done")
    assert await kinds_of(account_id) == ["done"]


async def test_an_exception_rolls_everything_back(db: Database, kinds_of: KindsOf) -> None:
    account_id = uuid4()
    with suppress(LookupError):
        async with db.transaction(WRITER) as conn:
            await add(conn, account_id, "outer")
            async with db.transaction(WRITER) as inner:
                await add(inner, account_id, "inner")
            raise LookupError
    assert await kinds_of(account_id) == []


async def test_a_failed_inner_part_leaves_the_outer_ones_work(
    db: Database, kinds_of: KindsOf
) -> None:
    account_id = uuid4()
    async with db.transaction(WRITER) as conn:
        await add(conn, account_id, "before")
        with suppress(LookupError):
            async with db.transaction(WRITER) as inner:
                await add(inner, account_id, "inner")
                raise LookupError
        await add(conn, account_id, "after")
    assert await kinds_of(account_id) == ["before", "after"]


async def test_a_refused_statement_inside_does_not_break_the_outer_transaction(
    db: Database, kinds_of: KindsOf
) -> None:
    account_id = uuid4()
    async with db.transaction(WRITER) as conn:
        with pytest.raises(Exception, match="division by zero"):
            async with db.transaction(account_scope(account_id)) as inner:
                await inner.execute("SELECT 1 / 0")
        await add(conn, account_id, "after")
    assert await kinds_of(account_id) == ["after"]


@pytest.mark.parametrize("fails", [False, True])
async def test_role_account_and_actor_return_after_an_inner_part(
    db: Database, *, fails: bool
) -> None:
    account_id = uuid4()
    with acting(Actor("user", "outer")):
        async with db.transaction(WRITER) as conn:
            with suppress(LookupError), acting(Actor("user", "inner")):
                async with db.transaction(account_scope(account_id)) as inner:
                    assert await who(inner) == ("tallystick_account", str(account_id), "inner")
                    if fails:
                        raise LookupError
            assert await who(conn) == ("tallystick_writer", "", "outer")


async def test_another_actor_in_the_same_scope_is_gone_after_its_part(db: Database) -> None:
    with acting(Actor("user", "outer")):
        async with db.transaction(WRITER) as conn:
            with acting(Actor("job", "inner")):
                async with db.transaction(WRITER) as inner:
                    assert (await who(inner))[2] == "inner"
            assert (await who(conn))[2] == "outer"


async def test_scopes_return_through_three_levels(db: Database) -> None:
    first, second = uuid4(), uuid4()
    async with db.transaction(account_scope(first)) as conn:
        async with db.transaction(STAFF) as staff:
            async with db.transaction(account_scope(second)) as deep:
                assert (await who(deep))[:2] == ("tallystick_account", str(second))
            assert (await who(staff))[:2] == ("tallystick_staff", "")
        assert (await who(conn))[:2] == ("tallystick_account", str(first))


async def test_an_own_transaction_stays_when_the_one_around_it_fails(
    db: Database, kinds_of: KindsOf
) -> None:
    account_id = uuid4()
    with suppress(LookupError):
        async with db.transaction(WRITER) as conn:
            await add(conn, account_id, "lost")
            async with db.own_transaction(account_scope(account_id)) as own:
                await add(own, account_id, "kept")
            await add(conn, account_id, "lost too")
            raise LookupError
    assert await kinds_of(account_id) == ["kept"]


async def test_a_transaction_inside_an_own_one_belongs_to_that_one(
    db: Database, kinds_of: KindsOf
) -> None:
    account_id = uuid4()
    async with db.transaction(WRITER):
        with suppress(LookupError):
            async with db.own_transaction(WRITER):
                async with db.transaction(WRITER) as inner:
                    await add(inner, account_id, "lost")
                raise LookupError
    assert await kinds_of(account_id) == []


async def test_a_task_begun_inside_has_a_transaction_of_its_own(
    db: Database, kinds_of: KindsOf
) -> None:
    account_id = uuid4()

    async def elsewhere() -> None:
        async with db.transaction(WRITER) as conn:
            await add(conn, account_id, "task")

    with suppress(LookupError):
        async with db.transaction(WRITER) as conn:
            await add(conn, account_id, "lost")
            await asyncio.create_task(elsewhere())
            raise LookupError
    assert await kinds_of(account_id) == ["task"]


@pytest.mark.parametrize("scope", [WRITER, STAFF, account_scope(uuid4())])
async def test_a_connection_goes_back_as_the_writer_with_nothing_left_on_it(
    dsn: str, scope: Scope
) -> None:
    db = await open_database(dsn, connections_max=1)
    with acting(Actor("user", "usr_1")):
        async with db.transaction(scope):
            pass
        with suppress(LookupError):
            async with db.transaction(scope):
                raise LookupError
    async with db.pool.acquire() as conn:
        role, account, left = await who(cast("Connection", conn))
        owner = await conn.fetchval(
            "SELECT tableowner::text FROM pg_tables WHERE tablename = 'accounts'"
        )
    await db.close()
    assert (role, account, left or "") == ("tallystick_writer", "", "")
    assert owner != role


async def test_the_writer_can_not_change_the_schema(db: Database) -> None:
    for statement in (
        "CREATE TABLE extra (id int)",
        "DROP TABLE accounts",
        "ALTER TABLE accounts DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE billing_audit DISABLE TRIGGER ALL",
    ):
        with pytest.raises(Exception, match=r"permission denied|must be owner"):
            async with db.transaction(WRITER) as conn:
                await conn.execute(statement)


async def test_instants_come_back_in_utc(db: Database) -> None:
    async with db.transaction(WRITER) as conn:
        assert await conn.fetchval("SHOW timezone") == "UTC"
        assert (await conn.fetchval("SELECT now()")).utcoffset().total_seconds() == 0


async def test_a_database_that_can_not_be_reached_is_unavailable(dsn: str) -> None:
    db = await open_database(dsn, connections_max=1)
    await db.close()
    with pytest.raises(Unavailable) as caught:
        async with db.transaction(WRITER):
            pass
    assert caught.value.code == "database_unavailable"
