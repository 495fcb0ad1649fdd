"""`GET /usage/current`: exact right after an event, and as quick at millions of events as at few.

On an installation of its own. The events go in set-wise, and the worker folds them as any others.
"""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

import asyncpg
import httpx
from rich.console import Console

from bench.figures import Figure
from bench.http_load import Load, request_bytes, send_all
from bench.installation import ACCOUNTS, Installation, installation
from tallystick.demo_data import METERS

CONNECTIONS: Final = 8
FEW: Final = 10_000
ROUNDS: Final = 100
PATH: Final = "/api/v1/billing/usage/current"
FILL_MAX: Final = 500_000
"""Events in one transaction, which one fold takes whole."""
FOLD_WAIT: Final = timedelta(minutes=10)
# Of the last 18 days: all in the running period, which began 20 days ago.
FILL: Final = """
INSERT INTO usage_events (account_id, key, at, event_type, source, event_id, properties)
SELECT a.ids[1 + n % cardinality(a.ids)], gen_random_uuid(),
    now() - (n % 1555200) * interval '1 second', ($3::text[])[1 + n % cardinality($3)],
    'fill', n::text, jsonb_build_object('quantity', (n % 1000)::text)
FROM generate_series($1::bigint, $2) AS n,
    (SELECT array_agg(account_id ORDER BY account_id) AS ids FROM accounts) AS a
"""
IS_FOLDED: Final = """
SELECT upto > coalesce((SELECT max(tx) FROM usage_events), '0') FROM usage_fold
"""


def measure(reads: int, events: int, console: Console) -> list[Figure]:
    """Read so many times at ten thousand events, and at `events` of them."""
    with installation() as place:
        return asyncio.run(_measure(place, reads, events, console))


async def _measure(place: Installation, reads: int, events: int, console: Console) -> list[Figure]:
    await _fill(place.dsn, 0, FEW, console)
    few = await _read(place, reads)
    exact = await _exact(place)
    await _fill(place.dsn, FEW, events, console)
    many = await _read(place, reads)
    ratio = many.percentile_ms(99) / few.percentile_ms(99)
    return [
        Figure(f"usage/current at {FEW:,} events", _told(few), "1"),
        Figure(f"usage/current at {events:,} events (ratio of p99)", _told(many), f"{ratio:.2f}"),
        Figure("usage/current: exact right after the event", f"{exact} of {ROUNDS}", ""),
    ]


async def _read(place: Installation, reads: int) -> Load:
    """Read each account in turn, once before it counts."""
    each = [request_bytes("GET", PATH, key) for key in place.account_keys]
    requests = [each[number % len(each)] for number in range(reads)]
    await send_all(place.port, each, connections=CONNECTIONS)
    return await send_all(place.port, requests, connections=CONNECTIONS)


def _told(load: Load) -> str:
    return (
        f"{load.per_second:,.0f}/s, p50 {load.percentile_ms(50):.1f} ms, "
        f"p99 {load.percentile_ms(99):.1f} ms"
    )


async def _exact(place: Installation) -> int:
    """Send an event and read at once, many times; return how often it was counted already."""
    found = 0
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{place.port}") as client:
        for number in range(ROUNDS):
            account = number % ACCOUNTS
            before = await _used(client, place.account_keys[account])
            event = {
                "id": f"exact-{number}", "meter": METERS[0].code, "subject": f"bench-{account}",
                "properties": {"quantity": "0.5"},
            }  # fmt: skip
            headers = {"authorization": f"Bearer {place.api_key}"}
            sent = await client.post("/api/v1/events", json={"events": [event]}, headers=headers)
            sent.raise_for_status()
            after = await _used(client, place.account_keys[account])
            found += after == before + Decimal("0.5")
    return found


async def _used(client: httpx.AsyncClient, key: str) -> Decimal:
    answer = await client.get(PATH, headers={"authorization": f"Bearer {key}"})
    told: dict[str, Any] = answer.raise_for_status().json()
    return Decimal(told["current_period"][METERS[0].code])


async def _fill(dsn: str, first: int, last: int, console: Console) -> None:
    """Store the events with these numbers, and wait until they are folded."""
    conn = await asyncpg.connect(dsn)
    types = [meter.event_type or meter.code for meter in METERS]
    try:
        await conn.execute("SET synchronous_commit = off")
        while first < last:
            end = min(first + FILL_MAX, last)
            await conn.execute(FILL, first, end - 1, types)
            console.print(f"events stored: {end:,} of {last:,}")
            first = end
        async with asyncio.timeout(FOLD_WAIT.total_seconds()):
            while not await conn.fetchval(IS_FOLDED):  # noqa: ASYNC110 - the worker tells nobody
                await asyncio.sleep(0.1)
        await conn.execute("VACUUM (ANALYZE)")
        await conn.execute("CHECKPOINT")
    finally:
        await conn.close()
