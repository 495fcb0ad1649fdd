"""The pool, transactions and who they are for.

Every statement runs in a transaction under one of three roles, so that row-level security is a
second wall behind the `account_id` in each WHERE:

- account scope: `tallystick_account`, which sees and writes one account's rows only;
- writer scope: `tallystick_writer`, for the worker, the ingest and the ledger's committer;
- staff scope: `tallystick_staff`, which reads everything and writes nothing.

Who acts (`acting`) is put into the transaction too; the audit triggers write it down.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from typing import Final, cast
from uuid import UUID

import asyncpg
import msgspec
import structlog

from tallystick.kernel.errors import Unavailable

Connection = asyncpg.Connection  # an open transaction; asyncpg's own class is what SQL needs

POOL_CONNECTIONS_MAX: Final = 12
COMMAND_TIMEOUT_S: Final = 60.0

# Sessions begin as the writer, never as the owner of the tables.
_SESSION: Final = {
    "role": "tallystick_writer",
    "timezone": "UTC",
    "application_name": "tallystick",
}
ENTER: Final = """
SELECT set_config('role', $1, true), set_config('tallystick.account_id', $2, true),
       set_config('tallystick.actor_kind', $3, true), set_config('tallystick.actor_id', $4, true),
       set_config('tallystick.request_id', $5, true), set_config('tallystick.reason', $6, true)
"""


class Scope(msgspec.Struct, frozen=True):
    """On whose behalf a transaction runs."""

    role: str
    account_id: UUID | None = None


WRITER: Final = Scope("tallystick_writer")
STAFF: Final = Scope("tallystick_staff")


def account_scope(account_id: UUID) -> Scope:
    """Return the scope that sees this account's rows and no others."""
    return Scope("tallystick_account", account_id)


class Actor(msgspec.Struct, frozen=True):
    """Who acts: a user, an API key, a gateway's webhook or a job; and in which request, and why."""

    kind: str
    id: str
    request_id: str = ""
    reason: str = ""


SYSTEM: Final = Actor("job", "system")
_actor: ContextVar[Actor] = ContextVar("actor", default=SYSTEM)


class _Open(msgspec.Struct, frozen=True):
    connection: Connection
    scope: Scope
    actor: Actor
    task: "asyncio.Task[object] | None"  # a task begun inside must not share the connection


_open: ContextVar[_Open | None] = ContextVar("open_transaction", default=None)


def actor() -> Actor:
    """Return who acts at the moment."""
    return _actor.get()


@contextmanager
def acting(who: Actor) -> Iterator[None]:
    """Let all transactions inside be written down as made by `who`, in whose request.

    Log lines carry the request's id too: from the API through the outbox into the worker.
    """
    token = _actor.set(who)
    named = {"request_id": who.request_id} if who.request_id else {}
    try:
        with structlog.contextvars.bound_contextvars(**named):
            yield
    finally:
        _actor.reset(token)


class _Session(asyncpg.Connection):
    """A connection that knows what is kept beside the database."""

    beside: object = None


class Database:
    """A pool of connections; made by `open_database`, closed by `close`.

    `beside` is a store that stands beside PostgreSQL for what one capability keeps; every
    connection carries it (`beside_of`), so whoever reads through a connection reads the right one.
    """

    def __init__(
        self, pool: "asyncpg.Pool[asyncpg.Record]", dsn: str, beside: object = None
    ) -> None:
        self.pool = pool
        self.dsn = dsn
        self.beside = beside

    async def close(self) -> None:
        """Wait for running statements and close every connection."""
        await self.pool.close()

    @asynccontextmanager
    async def transaction(self, scope: Scope) -> AsyncIterator[Connection]:
        """Open a transaction for `scope`: commit at the end, roll back on any exception.

        Inside another transaction of the same task it is a part of that one (a savepoint), and
        the outer role and actor return at its end: a whole request can be one commit.
        """
        outer = _open.get()
        if outer is None or outer.task is not asyncio.current_task():
            async with self._acquire() as conn, conn.transaction(), _entered(conn, scope):
                yield conn
            return
        async with outer.connection.transaction(), _entered(outer.connection, scope):
            yield outer.connection
            if (scope, actor()) != (outer.scope, outer.actor):
                await _enter(outer.connection, outer.scope, outer.actor)

    @asynccontextmanager
    async def own_transaction(self, scope: Scope) -> AsyncIterator[Connection]:
        """Open a transaction that commits by itself, whatever transaction runs around it.

        For what must stay when the outer one rolls back: an attempt before a gateway call.
        """
        async with self._acquire() as conn, conn.transaction(), _entered(conn, scope):
            yield conn

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        """Give a connection of the writer's outside any transaction, for single reads.

        One trip to the server instead of four; who asks is looked up this way at each request.
        """
        async with self._acquire() as conn:
            yield conn

    async def connect(self) -> Connection:
        """Open a connection of the writer's outside the pool; who asks for it closes it.

        For what must go on while requests hold every connection of the pool and wait for it.
        Raises Unavailable `database_unavailable`.
        """
        try:
            conn = await asyncpg.connect(
                self.dsn,
                command_timeout=COMMAND_TIMEOUT_S,
                server_settings=_SESSION,
                connection_class=_Session,
            )
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise _unreachable() from error
        conn.beside = self.beside
        return conn

    @asynccontextmanager
    async def _acquire(self) -> AsyncIterator[Connection]:
        try:
            held = await self.pool.acquire()
        except (OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError) as error:
            raise _unreachable() from error
        try:
            yield cast("Connection", held)
        finally:
            await self.pool.release(held)


def _unreachable() -> Unavailable:
    return Unavailable(
        "database_unavailable", "The database can not be reached; try again shortly."
    )


@asynccontextmanager
async def _entered(conn: Connection, scope: Scope) -> AsyncIterator[None]:
    who = actor()
    await _enter(conn, scope, who)
    token = _open.set(_Open(conn, scope, who, asyncio.current_task()))
    try:
        yield
    finally:
        _open.reset(token)


async def _enter(conn: Connection, scope: Scope, who: Actor) -> None:
    account = str(scope.account_id) if scope.account_id else ""
    await conn.execute(ENTER, scope.role, account, who.kind, who.id, who.request_id, who.reason)


async def _end_transaction(conn: Connection) -> None:
    """Leave nothing behind for whoever gets the connection next.

    All settings of ours are local to a transaction, so ending it is enough: the pool's own reset
    would be one more trip to the server for every transaction.
    """
    if conn.is_in_transaction():
        await conn.execute("ROLLBACK")


def beside_of(opened: Connection | Database) -> object:
    """Return what stands beside the database that this is, or is a connection of; None: nothing."""
    return getattr(opened, "beside", None)


async def open_database(
    dsn: str, *, connections_max: int = POOL_CONNECTIONS_MAX, beside: object = None
) -> Database:
    """Open a pool on `dsn`; its sessions start as the writer, never as the owner of the tables."""

    async def give(conn: Connection) -> None:
        conn.beside = beside  # type: ignore[attr-defined]  # the pool makes _Sessions

    pool = await asyncpg.create_pool(
        dsn,
        init=give,
        connection_class=_Session,
        min_size=1,
        max_size=connections_max,
        command_timeout=COMMAND_TIMEOUT_S,
        server_settings=_SESSION,
        reset=_end_transaction,
    )
    return Database(pool, dsn, beside)
