"""Debits of credits, complete: key, grants, ledger entry, usage log; as ratios to pgbench's TPC-B.

Alone: `python -m bench.credits`.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import msgspec
from rich.console import Console
from rich.table import Table

from bench.figures import Figure
from bench.http_load import Load as HttpLoad
from bench.http_load import request_bytes, send_all
from bench.installation import Installation, installation
from bench.ledger import Load, tpcb
from tallystick.accounts import keys, service
from tallystick.accounts.model import NewAccount
from tallystick.credits import grants
from tallystick.credits.model import NewGrant
from tallystick.credits.service import CreditService, Deduct
from tallystick.kernel.db import WRITER, Database, open_database

ACCOUNTS = 10_000
HTTP_ACCOUNTS = 256
DEBITS = 60_000
SINGLE_CALLS = 15_000
BATCH_CALLS = 100
BATCH = 1_000
CONNECTIONS = 256
BATCH_CONNECTIONS = 4
AT = datetime(2026, 3, 1, tzinfo=UTC)
DEDUCT = "/api/v1/billing/credits/deduct"


def measure(place: Installation, best: float | None = None) -> list[Figure]:
    """Measure debits in process and over HTTP; `best` is pgbench's, measured here without it."""
    best = best or tpcb(place.dsn)
    figures = [Figure("pgbench TPC-B, best of 8, 16, 32 clients", f"{best:,.0f}/s", "1.0", best)]
    for what, load in asyncio.run(_in_process(place.dsn)).items():
        figures.append(_figure(what, load, best))
    return figures + asyncio.run(_over_http(place, best))


async def _in_process(dsn: str) -> dict[str, Load]:
    db = await open_database(dsn)
    accounts = await _open_accounts(db, ACCOUNTS)
    credits_ = CreditService(db)
    await _debit(credits_, accounts, "warm", ACCOUNTS, 256)
    loads = {
        "debits, 256 in flight, 10,000 accounts": await _debit(
            credits_, accounts, "spread", DEBITS, 256
        ),
        "debits, 256 in flight, one hot account": await _debit(
            credits_, accounts[:1], "hot", DEBITS, 256
        ),
        "debits, 16 in flight, 10,000 accounts": await _debit(
            credits_, accounts, "few", DEBITS // 4, 16
        ),
    }
    await credits_.close()
    await db.close()
    return loads


async def _debit(
    credits_: CreditService, accounts: Sequence[UUID], name: str, count: int, in_flight: int
) -> Load:
    numbers, waited = iter(range(count)), []
    one = Decimal("1.5")

    async def work() -> None:
        for number in numbers:
            wanted = Deduct(
                account_id=accounts[number * 7919 % len(accounts)],
                key=f"{name}:{number}",
                at=AT,
                operation="write",
                model="large",
                credits=one,
            )
            began = time.perf_counter()
            await credits_.deduct(wanted)
            waited.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(in_flight)))
    return Load(count / (time.perf_counter() - began), waited)


async def _over_http(place: Installation, best: float) -> list[Figure]:
    db = await open_database(place.dsn)
    secrets = await _keys(db, await _open_accounts(db, HTTP_ACCOUNTS))
    await db.close()
    refused = msgspec.json.encode({"operation": "", "credits": "1.5"})
    nothing = [request_bytes("POST", DEDUCT, key, refused) for key in secrets]
    idle = await send_all(
        place.port, nothing * (SINGLE_CALLS // len(nothing)), connections=CONNECTIONS, status=b"422"
    )
    body = msgspec.json.encode({"operation": "write", "model": "large", "credits": "1.5"})
    calls = [request_bytes("POST", DEDUCT, key, body) for key in secrets]
    calls *= SINGLE_CALLS // len(calls)
    single = await send_all(place.port, calls, connections=CONNECTIONS)
    items = msgspec.json.encode(
        {"items": [{"operation": "write", "model": "large", "credits": "1.5"}] * BATCH}
    )
    many = [
        request_bytes("POST", f"{DEDUCT}/batch", secrets[number % len(secrets)], items)
        for number in range(BATCH_CALLS)
    ]
    batch = await send_all(place.port, many, connections=BATCH_CONNECTIONS)
    what = f"HTTP, {CONNECTIONS} connections"
    share = f"{single.per_second / idle.per_second:.2f}"
    return [
        _figure(f"a POST that does nothing, {what}", _load(idle, 1), best),
        _figure(f"debits, single calls, {what}", _load(single, 1), best),
        Figure("debits, single calls: share of the POST that does nothing", "", share),
        _figure(f"debits, HTTP batches of {BATCH:,}", _load(batch, BATCH), best),
    ]


def _load(sent: HttpLoad, each: int) -> Load:
    """Return a run over HTTP in debits a second; each waits as long as its request."""
    return Load(sent.per_second * each, sent.latencies)


def _figure(what: str, load: Load, best: float) -> Figure:
    value = f"{load.per_second:,.0f}/s, p99 {load.percentile_ms(99):.1f} ms"
    return Figure(what, value, f"{load.per_second / best:.2f}", load.per_second)


async def _open_accounts(db: Database, count: int) -> list[UUID]:
    """Make accounts with ten million credits each."""
    made = []
    for first in range(0, count, 500):
        async with db.transaction(WRITER) as conn:
            for _ in range(first, min(first + 500, count)):
                new = NewAccount(name="A", email="a@example.com", currency="EUR", country="FR")
                account_id = (await service.create_account(conn, new, AT)).account_id
                given = NewGrant(source="manual", units=10**12, reason="bench")
                await grants.grant(conn, account_id, given, key="bench", at=AT)
                made.append(account_id)
    return made


async def _keys(db: Database, accounts: Sequence[UUID]) -> list[str]:
    made = []
    async with db.transaction(WRITER) as conn:
        for account_id in accounts:
            _, secret = await keys.create_api_key(
                conn, account_id, name="bench", scopes=["credits:write"], now=AT
            )
            made.append(secret)
    return made


def main() -> int:
    """Measure on an installation of its own, and print."""
    console = Console(stderr=True)
    with console.status("pgbench and debits …"), installation() as place:
        figures = measure(place)
    table = Table("what", "figure", "ratio", title="Credits")
    for figure in figures:
        table.add_row(figure.what, figure.value, figure.ratio)
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
