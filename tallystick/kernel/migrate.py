"""Numbered SQL files, forward only, each applied once in a transaction of its own.

An advisory lock lets one process migrate while others wait; a checksum refuses a file that was
changed after it was applied; a lock time-out keeps a migration from freezing a busy table.
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import asyncpg
import msgspec

from tallystick.kernel.errors import SetupError

FOLDER: Final = Path(__file__).parent.parent / "migrations"
_LOCK_KEY: Final = 7_420_331_518  # an arbitrary number of ours for pg_advisory_lock
_LOCK_TIMEOUT: Final = "10s"
CONNECT_SECONDS_MAX: Final = 10

CREATE_LOG: Final = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    number integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now())
"""
APPLIED: Final = "SELECT number, checksum FROM schema_migrations ORDER BY number"
LOG: Final = "INSERT INTO schema_migrations (number, name, checksum) VALUES ($1, $2, $3)"


class Migration(msgspec.Struct, frozen=True):
    """One numbered file: `0003_metering.sql` is number 3, named `metering`."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the file's text, in hex."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def read_migrations(folder: Path = FOLDER) -> tuple[Migration, ...]:
    """Read all `NNNN_name.sql` of the folder in order; a gap or a double number is a SetupError."""
    found = []
    for path in sorted(folder.glob("[0-9]*_*.sql")):
        number, _, name = path.stem.partition("_")
        found.append(Migration(number=int(number), name=name, sql=path.read_text()))
    if [m.number for m in found] != list(range(1, len(found) + 1)):
        raise SetupError(
            "migrations_misnumbered", f"The files in {folder} are not numbered 1, 2, …"
        )
    return tuple(found)


def pending(
    known: Sequence[Migration], applied: Sequence[tuple[int, str]]
) -> tuple[Migration, ...]:
    """Return what is still to be applied; refuse a database that is newer or was changed."""
    by_number = {migration.number: migration for migration in known}
    for number, checksum in applied:
        migration = by_number.get(number)
        if migration is None:
            raise SetupError(
                "database_newer",
                f"The database has migration {number}, this program knows {len(known)}: "
                "it was made by a newer Tallystick; upgrade the program or use another database.",
            )
        if migration.checksum != checksum:
            raise SetupError(
                "migration_changed",
                f"Migration {number} ({migration.name}) differs from the one that was applied; "
                "restore the file, and put the change into a new migration.",
            )
    done = {number for number, _ in applied}
    return tuple(migration for migration in known if migration.number not in done)


async def migrate(
    dsn: str,
    *,
    migrations: Sequence[Migration] | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> int:
    """Bring the database up to date and return how many migrations were applied."""
    known = read_migrations() if migrations is None else migrations
    conn = await _connect(dsn)
    try:
        await conn.execute("SELECT pg_advisory_lock($1)", _LOCK_KEY)
        await conn.execute(CREATE_LOG)
        applied = [(row["number"], row["checksum"]) for row in await conn.fetch(APPLIED)]
        todo = pending(known, applied)
        for migration in todo:
            progress(f"migration {migration.number} {migration.name}")
            await _apply(conn, migration)
        return len(todo)
    finally:
        await conn.close()


async def missing_count(dsn: str) -> int:
    """Return how many migrations the database still lacks (0: up to date)."""
    conn = await _connect(dsn)
    try:
        if await conn.fetchval("SELECT to_regclass('schema_migrations')") is None:
            return len(read_migrations())
        applied = [(row["number"], row["checksum"]) for row in await conn.fetch(APPLIED)]
        return len(pending(read_migrations(), applied))
    finally:
        await conn.close()


async def _connect(dsn: str) -> "asyncpg.Connection[asyncpg.Record]":
    """Connect; the driver's own text could repeat the address, which may hold a password."""
    try:
        return await asyncpg.connect(dsn, timeout=CONNECT_SECONDS_MAX)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        raise SetupError(
            "database_unreachable",
            f"DATABASE_URL: the database does not answer ({type(error).__name__}); "
            "check its address, name, user and password.",
        ) from error


async def _apply(conn: "asyncpg.Connection[asyncpg.Record]", migration: Migration) -> None:
    async with conn.transaction():
        await conn.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
        await conn.execute(migration.sql)
        await conn.execute(LOG, migration.number, migration.name, migration.checksum)
