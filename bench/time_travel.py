"""Previews over HTTP, and advancing accounts by a year as the installation's worker does it."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

from bench.figures import Figure
from bench.http_load import request_bytes, send_all
from bench.installation import Installation
from tallystick.accounts import service
from tallystick.accounts.model import NewAccount
from tallystick.catalog import service as catalog
from tallystick.catalog.model import PlanVersion
from tallystick.kernel import test_clocks
from tallystick.kernel.db import WRITER, Database, open_database
from tallystick.kernel.ids import new_id
from tallystick.kernel.test_clocks import TestClock
from tallystick.subscriptions import service as subscriptions

START = datetime(2027, 1, 15, tzinfo=UTC)
YEAR = timedelta(days=365)
POLL_S = 0.1
CONNECTIONS = 8
PREVIEW = b'{"do": "change", "quantity": 3, "when": "now"}'


def measure_previews(place: Installation, previews: int) -> list[Figure]:
    """Preview a change of quantity at once so many times, each account in turn."""
    return asyncio.run(_preview(place, previews))


async def _preview(place: Installation, previews: int) -> list[Figure]:
    path = "/api/v1/billing/preview"
    each = [request_bytes("POST", path, key, PREVIEW) for key in place.account_keys]
    requests = [each[number % len(each)] for number in range(previews)]
    await send_all(place.port, requests[: len(each)], connections=CONNECTIONS)
    load = await send_all(place.port, requests, connections=CONNECTIONS)
    value = f"{load.per_second:,.0f}/s, p50 {load.percentile_ms(50):.1f} ms, "
    value += f"p99 {load.percentile_ms(99):.1f} ms"
    return [Figure("previews of a change", value, "", load.per_second)]


def measure_advance(place: Installation, accounts: int) -> list[Figure]:
    """Advance so many accounts on a monthly plan by a year."""
    return asyncio.run(_measure(place, accounts))


async def _measure(place: Installation, accounts: int) -> list[Figure]:
    db = await open_database(place.dsn)
    try:
        clock_id = await _fill(db, accounts)
        began = time.perf_counter()
        clock = await _advance(db, clock_id)
        seconds = time.perf_counter() - began
    finally:
        await db.close()
    value = f"{seconds:.1f} s, {clock.work_count / seconds:,.0f} due things/s"
    what = f"advance: {accounts:,} accounts by a year"
    return [Figure(what, value, "", clock.work_count / seconds)]


async def _fill(db: Database, accounts: int) -> UUID:
    clock_id = new_id()
    async with db.transaction(WRITER) as conn:
        plan = await catalog.current_plan_version(conn, "studio")
        await test_clocks.create(conn, clock_id, "bench", START, START)
    for first in range(0, accounts, 500):
        await _open_accounts(db, clock_id, plan, min(500, accounts - first))
    return clock_id


async def _open_accounts(db: Database, clock_id: UUID, plan: PlanVersion, count: int) -> None:
    new = NewAccount(
        name="Traveller", email="bench@example.com", currency="EUR", country="FR",
        test_clock_id=clock_id,
    )  # fmt: skip
    async with db.transaction(WRITER) as conn:
        for _ in range(count):
            account = await service.create_account(conn, new, START)
            await subscriptions.subscribe(conn, account, plan, START)


async def _advance(db: Database, clock_id: UUID) -> TestClock:
    async with db.transaction(WRITER) as conn:
        await test_clocks.aim(conn, clock_id, START + YEAR)
    while True:
        async with db.transaction(WRITER) as conn:
            clock = await test_clocks.get(conn, clock_id)
        if clock.status == "ready":
            return clock
        await asyncio.sleep(POLL_S)
