"""The owner of the database, who may change anything, and what `verify` says of it."""

from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tallystick import verify
from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account, NewAccount
from tallystick.kernel.db import WRITER, Database
from tallystick.ledger import anchors
from tallystick.ledger.verify import Difference

AT = datetime(2026, 3, 1, 12, 30, 0, 123456, tzinfo=UTC)
Found = Callable[..., Coroutine[Any, Any, list[Difference]]]


@pytest.fixture
async def forger(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """The owner of the database, with every trigger switched off."""
    owner = await asyncpg.connect(dsn)
    await owner.execute("SET session_replication_role = replica")
    yield owner
    await owner.close()


@pytest.fixture
def found(dsn: str, tmp_path: Path) -> Found:
    """Verify online and on an export; both say the same."""

    async def look(anchor: anchors.Anchor | None = None) -> list[Difference]:
        online: list[Difference] = []
        offline: list[Difference] = []
        export, read = tmp_path / "books.ndjson", 0

        def advance(count: int) -> None:
            nonlocal read
            read += count

        async with verify.snapshot(dsn) as conn:
            expected = await verify.record_count(conn)
            findings = await verify.verify_database(conn, anchor, online.append, advance)
            assert read == findings.record_count
            if not online:
                assert expected <= read <= 2 * expected
            await verify.export_ledger(conn, export, lambda _: None)
        verify.verify_export(export, anchor, offline.append, lambda _: None)
        assert online == offline
        assert findings.is_clean is not bool(online)
        return online

    return look


async def new_account(db: Database) -> Account:
    new = NewAccount(name="Ada", email="a@example.com", currency="EUR", country="FR")
    async with db.transaction(WRITER) as conn:
        return await accounts.create_account(conn, new, AT)
