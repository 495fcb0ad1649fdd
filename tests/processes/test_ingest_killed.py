"""A server that is killed under load: what it had answered is there, exactly once."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from tallystick.accounts import keys
from tallystick.accounts.model import NewAccount
from tallystick.accounts.service import create_account
from tallystick.catalog.model import NewMeter
from tallystick.kernel.db import WRITER, Database
from tallystick.metering import service

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SENDERS = 12
START_SECONDS_MAX = 60


@pytest.fixture
async def api_key(db: Database) -> str:
    """The key of a sender for an account called cust-1, whose events of type `call` count."""
    new = NewAccount(
        name="A", email="a@example.com", currency="USD", country="US", external_id="cust-1"
    )
    async with db.transaction(WRITER) as conn:
        await create_account(conn, new, NOW)
        await service.create_meter(conn, NewMeter(code="calls", event_type="call"), NOW)
        _, secret = await keys.create_api_key(conn, None, name="s", scopes=["usage:write"], now=NOW)
    return secret


@pytest.fixture
def server(dsn: str) -> Iterator["subprocess.Popen[bytes]"]:
    """A server process of its own; its port is `server.port`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ, "DATABASE_URL": dsn, "TALLYSTICK_PORT": str(port),
        "TALLYSTICK_LOG_LEVEL": "ERROR", "TALLYSTICK_RATE_LIMIT": "1000000",
    }  # fmt: skip
    process = subprocess.Popen([sys.executable, "-m", "tallystick", "serve"], env=environment)
    process.port = port  # type: ignore[attr-defined]  # the test's own note
    yield process
    process.kill()
    process.wait()


async def ready(url: str) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    async with httpx.AsyncClient(trust_env=False) as client:
        while time.monotonic() < deadline:
            try:
                if (await client.get(f"{url}/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.05)
    raise TimeoutError


def body(sender: int, number: int) -> list[dict[str, object]]:
    """One event, or several, by turns."""
    size = 1 if number % 3 else 40
    return [
        {"specversion": "1.0", "source": f"s{sender}", "id": f"{number}-{at}", "type": "call",
         "subject": "cust-1"}
        for at in range(size)
    ]  # fmt: skip


async def send(url: str, key: str, sender: int, answered: set[str], sent: set[str]) -> None:
    """Send until the server is gone; note what was sent, and what was answered."""
    headers = {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(trust_env=False, headers=headers) as client:
        for number in range(100_000):
            events = body(sender, number)
            names = {f"{event['source']} {event['id']}" for event in events}
            sent |= names
            try:
                answer = await client.post(f"{url}/api/v1/events", json=events)
            except httpx.TransportError:
                return
            assert answer.status_code == 204
            answered |= names


async def test_every_answered_event_of_a_killed_server_is_stored_exactly_once(
    db: Database, api_key: str, server: "subprocess.Popen[bytes]"
) -> None:
    url = f"http://127.0.0.1:{server.port}"  # type: ignore[attr-defined]  # set by the fixture
    await ready(url)
    answered: set[str] = set()
    sent: set[str] = set()
    senders = [
        asyncio.create_task(send(url, api_key, number, answered, sent)) for number in range(SENDERS)
    ]
    while len(answered) < 1_500:  # noqa: ASYNC110 - the senders tell nobody
        await asyncio.sleep(0.01)
    os.kill(server.pid, signal.SIGKILL)
    await asyncio.gather(*senders)
    async with db.transaction(WRITER) as conn:
        rows = await conn.fetch("SELECT source || ' ' || event_id AS name FROM usage_events")
    stored = [row["name"] for row in rows]
    assert len(stored) == len(set(stored))
    assert answered <= set(stored) <= sent
    # A request is stored whole or not at all, also the ones that were cut off.
    by_request: dict[str, int] = {}
    for name in stored:
        request = name.rpartition("-")[0]
        by_request[request] = by_request.get(request, 0) + 1
    assert set(by_request.values()) <= {1, 40}
