"""A database for one simulation: made, given, dropped; what a killed one left is swept away."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final
from uuid import uuid4

import asyncpg

from tallystick.kernel.migrate import migrate

PREFIX: Final = "simulation_"
# Each simulation holds the lock of its name while it lives; it ends with its connection.
LOCK: Final = "SELECT pg_advisory_lock(hashtextextended($1, 0))"
TRY_LOCK: Final = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))"
UNLOCK: Final = "SELECT pg_advisory_unlock(hashtextextended($1, 0))"
LEFT: Final = "SELECT datname FROM pg_database WHERE starts_with(datname, $1) ORDER BY datname"

Progress = Callable[[str], None]


@asynccontextmanager
async def throw_away_database(server_dsn: str, progress: Progress) -> AsyncIterator[str]:
    """Give the address of an empty, migrated database on the server, dropped at the end."""
    conn = await asyncpg.connect(server_dsn)
    try:
        await _sweep(conn)
        name = f"{PREFIX}{uuid4().hex}"
        await conn.execute(LOCK, name)
        await conn.execute(f"CREATE DATABASE {name}")
        try:
            progress("preparing a database")
            dsn = _renamed(server_dsn, name)
            await migrate(dsn)
            yield dsn
        finally:
            await conn.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await conn.close()


async def _sweep(conn: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Drop databases whose simulation was killed: nobody holds their lock."""
    for row in await conn.fetch(LEFT, PREFIX):
        name = row["datname"]
        if await conn.fetchval(TRY_LOCK, name):
            await conn.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            await conn.execute(UNLOCK, name)


def _renamed(dsn: str, name: str) -> str:
    address, _, query = dsn.partition("?")
    return f"{address.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")
