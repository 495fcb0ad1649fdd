from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import pytest

from tallystick.kernel.db import WRITER, Database

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    """An instant for tests that bring their own time."""
    return NOW


@pytest.fixture
async def empty_dsn(dsn: str) -> str:
    """The address of an own database without any table."""
    conn = await asyncpg.connect(dsn)
    await conn.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    await conn.close()
    return dsn


@pytest.fixture
def kinds_of(db: Database) -> Callable[[UUID], Awaitable[list[str]]]:
    """Reads which events of an account are kept, told or not, in order."""

    async def read(account_id: UUID) -> list[str]:
        async with db.transaction(WRITER) as conn:
            rows = await conn.fetch(
                "SELECT kind, outbox_id FROM outbox WHERE account_id = $1 UNION ALL "
                "SELECT kind, outbox_id FROM outbox_done WHERE account_id = $1 ORDER BY outbox_id",
                account_id,
            )
        return [row["kind"] for row in rows]

    return read
