"""The real PostgreSQL under every test that touches data: one server, one clone per test.

`TALLYSTICK_TEST_DATABASE_URL` names a server to use instead of the embedded one.
"""

import fcntl
import hashlib
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from tallystick.kernel.db import Database, open_database
from tallystick.kernel.embedded import EmbeddedPostgres
from tallystick.kernel.migrate import migrate, read_migrations


@pytest.fixture(scope="session")
def server_dsn() -> Iterator[str]:
    """The address of a server in which databases may be made; all test processes share it."""
    given = os.environ.get("TALLYSTICK_TEST_DATABASE_URL")
    if given:
        yield given
        return
    home = Path(tempfile.gettempdir()) / f"tallystick-tests-{os.getuid()}"
    home.mkdir(mode=0o755, exist_ok=True)
    server = EmbeddedPostgres.start(home)
    try:
        yield server.dsn
    finally:
        server.stop()


@pytest.fixture(scope="session")
async def template(server_dsn: str) -> str:
    """A database with all migrations, made once by whichever test process comes first."""
    digest = hashlib.sha256("".join(m.checksum for m in read_migrations()).encode()).hexdigest()
    name = f"template_{digest[:12]}"
    lock = Path(tempfile.gettempdir()) / f"tallystick-template-{os.getuid()}.lock"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        conn = await asyncpg.connect(server_dsn)
        try:
            if not await conn.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
                await conn.execute(f"DROP DATABASE IF EXISTS {name}_new")
                await conn.execute(f"CREATE DATABASE {name}_new")
                await migrate(other_database(server_dsn, f"{name}_new"))
                await conn.execute(f"ALTER DATABASE {name}_new RENAME TO {name}")
        finally:
            await conn.close()
    return name


@pytest.fixture
async def dsn(server_dsn: str, template: str) -> AsyncIterator[str]:
    """The address of an own, migrated, empty database."""
    name = f"test_{uuid4().hex[:16]}"
    conn = await asyncpg.connect(server_dsn)
    try:
        await conn.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY wal_log")
        yield other_database(server_dsn, name)
        await conn.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await conn.close()


@pytest.fixture
async def db(dsn: str) -> AsyncIterator[Database]:
    """An open pool on that database."""
    database = await open_database(dsn, connections_max=8)
    yield database
    await database.close()


def other_database(dsn: str, name: str) -> str:
    """Return the same address with another database's name."""
    address, _, query = dsn.partition("?")
    return f"{address.rsplit('/', 1)[0]}/{name}" + (f"?{query}" if query else "")


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder on a short path that any user may enter: sockets and a dropped root need both."""
    with tempfile.TemporaryDirectory(prefix="tsk-") as folder:
        path = Path(folder)
        path.chmod(0o755)
        yield path


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--write-schema`, which `make schema` uses."""
    parser.addoption("--write-schema", action="store_true", help="write migrations/schema.sql")
