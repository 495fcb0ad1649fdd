"""A whole installation to measure: PostgreSQL, a migrated database, a server and a worker."""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import asyncpg
import msgspec
import psutil

from tallystick.accounts import keys, service
from tallystick.accounts.model import NewAccount
from tallystick.catalog import service as catalog
from tallystick.demo_data import METERS, OFFERS, plan_version
from tallystick.kernel.db import WRITER, open_database
from tallystick.kernel.embedded import EmbeddedPostgres
from tallystick.kernel.migrate import migrate
from tallystick.metering import service as metering
from tallystick.subscriptions import service as subscriptions

ACCOUNTS = 50
START_SECONDS_MAX = 60


class Installation(msgspec.Struct, frozen=True):
    """Where it is, who may use it, and what was measured while it came up."""

    dsn: str
    port: int
    api_key: str
    account_keys: list[str]
    start_seconds: float
    server: int
    worker: int

    def resident_mb(self, process: int) -> float:
        """Return the resident memory of a process, its children included, in MB."""
        whole = [psutil.Process(process), *psutil.Process(process).children(recursive=True)]
        return sum(one.memory_info().rss for one in whole) / 1e6


@contextmanager
def installation() -> Iterator[Installation]:
    """Bring one up, and take it down at the end."""
    with ExitStack() as stack:
        dsn = other_database(stack.enter_context(_server()), _new_name())
        asyncio.run(_create(dsn))
        api_key, account_keys = asyncio.run(_fill(dsn))
        port = _free_port()
        environment = _environment(dsn, port)
        began = time.perf_counter()
        server = stack.enter_context(_process(environment, "bench.serve"))
        _wait_until_ready(port, server)
        start_seconds = time.perf_counter() - began
        worker = stack.enter_context(_process(environment, "tallystick worker"))
        yield Installation(dsn, port, api_key, account_keys, start_seconds, server.pid, worker.pid)


@contextmanager
def another_server(dsn: str, settings: Mapping[str, str]) -> Iterator[int]:
    """Run a second server on the same database, with other settings; its port."""
    port = _free_port()
    with _process({**_environment(dsn, port), **settings}, "bench.serve") as server:
        _wait_until_ready(port, server)
        yield port


def _environment(dsn: str, port: int) -> dict[str, str]:
    return {
        **os.environ, "DATABASE_URL": dsn, "TALLYSTICK_PORT": str(port),
        "TALLYSTICK_RATE_LIMIT": "1000000000", "TALLYSTICK_LOG_LEVEL": "WARNING",
    }  # fmt: skip


@contextmanager
def _server() -> Iterator[str]:
    given = os.environ.get("TALLYSTICK_TEST_DATABASE_URL")
    if given:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="tallystick-bench-") as folder:
        Path(folder).chmod(0o755)
        server = EmbeddedPostgres.start(Path(folder))
        try:
            yield server.dsn
        finally:
            server.stop()


async def _create(dsn: str) -> None:
    conn = await asyncpg.connect(other_database(dsn, "postgres"))
    name = dsn.partition("?")[0].rpartition("/")[2]
    await conn.execute(f"CREATE DATABASE {name}")
    await conn.close()
    await migrate(dsn)


async def _fill(dsn: str) -> tuple[str, list[str]]:
    """Make accounts on a plan, and the keys to send and to read usage."""
    now = datetime.now(UTC)
    db = await open_database(dsn)
    account_keys = []
    async with db.transaction(WRITER) as conn:
        for meter in METERS:
            await metering.create_meter(conn, meter, now)
        version = await catalog.create_plan_version(conn, plan_version(OFFERS[1]), now)
        _, api_key = await keys.create_api_key(
            conn, None, name="bench", scopes=["usage:write", "credits:write"], now=now
        )
        for number in range(ACCOUNTS):
            new = NewAccount(
                name=f"Account {number}", email="bench@example.com", currency="EUR",
                country="FR", external_id=f"bench-{number}",
            )  # fmt: skip
            account = await service.create_account(conn, new, now)
            await subscriptions.subscribe(conn, account, version, now - timedelta(days=20))
            _, secret = await keys.create_api_key(
                conn, account.account_id, name="read", scopes=["billing:read"], now=now
            )
            account_keys.append(secret)
    await db.close()
    return api_key, account_keys


@contextmanager
def _process(environment: dict[str, str], command: str) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen([sys.executable, "-m", *command.split()], env=environment)  # noqa: S603 - ours
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def _wait_until_ready(port: int, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2):
                return
        except OSError:
            time.sleep(0.01)
    raise RuntimeError("the server did not start")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _new_name() -> str:
    return f"bench_{uuid4().hex[:12]}"


def other_database(dsn: str, name: str) -> str:
    """Return the same server's address with another database."""
    address, _, query = dsn.partition("?")
    return f"{address.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")


def copy_twin(dsn: str) -> str:
    """Return a migrated, empty database on the same server, for `psql`."""
    twin = other_database(dsn, _new_name())
    asyncio.run(_create(twin))
    return twin
