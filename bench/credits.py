"""Debits of credits, complete: key, grants, ledger entry, usage log; as ratios to pgbench's TPC-B.

Alone: `python -m bench --only credits`.
"""

import asyncio
import time
from collections.abc import Sequence
from decimal import Decimal
from typing import Final
from uuid import UUID

import asyncpg
import uvloop
from rich.console import Console

from bench import credits_http, credits_large
from bench.credit_accounts import AT, open_accounts
from bench.figures import Figure, Load, figure_of
from bench.installation import Installation
from tallystick.credits.service import CreditService, Deduct
from tallystick.kernel.db import Database, open_database

ACCOUNTS: Final = 10_000
DEBITS: Final = 40_000
RUNS: Final = 3
"""Of each load, taken in turn; the best one counts, as pgbench's best does."""


def measure(place: Installation, best: float, entries: int, console: Console) -> list[Figure]:
    """Measure debits in process and over HTTP, then with so many entries more in the books."""
    return uvloop.run(_measure(place, best, entries, console))


async def _measure(
    place: Installation, best: float, entries: int, console: Console
) -> list[Figure]:
    db = await open_database(place.dsn)
    try:
        console.print(f"accounts for debits: {ACCOUNTS:,} …")
        accounts = await open_accounts(db, ACCOUNTS)
        figures = []
        for what, load in (await _in_process(db, accounts, console)).items():
            figures.append(figure_of(what, load, best))
        console.print("debits over HTTP …")
        figures += await credits_http.measure(place, best)
        if entries:
            figures += await _with_long_books(db, accounts, entries, console)
        return figures
    finally:
        await db.close()


async def _in_process(db: Database, accounts: Sequence[UUID], console: Console) -> dict[str, Load]:
    wanted = {
        "debits, 256 in flight, 10,000 accounts": (accounts, DEBITS, 256),
        "debits, 256 in flight, one hot account": (accounts[:1], DEBITS, 256),
        "debits, 16 in flight, 10,000 accounts": (accounts, DEBITS // 4, 16),
    }
    credits_ = CreditService(db)
    loads: dict[str, Load] = {}
    await _debit(credits_, accounts, "warm", ACCOUNTS, 256)
    for run in range(RUNS):
        console.print(f"debits in process, run {run + 1} of {RUNS} …")
        for what, (whose, count, in_flight) in wanted.items():
            load = await _debit(credits_, whose, f"{run}:{what}", count, in_flight)
            loads[what] = max(load, loads.get(what, load), key=_rate)
    await credits_.close()
    return loads


async def _with_long_books(
    db: Database, accounts: Sequence[UUID], entries: int, console: Console
) -> list[Figure]:
    """Measure the same load just before and just after the entries."""
    before = await _best_spread(db, accounts, "before")
    await credits_large.add_entries(db.dsn, accounts, entries, console)
    after = await _best_spread(db, accounts, "after")
    conn = await asyncpg.connect(db.dsn)
    found = await conn.fetchval("SELECT count(*) FROM ledger_entries")
    await conn.close()
    return [
        figure_of("debits, 256 in flight, before more entries", before, before.per_second),
        figure_of(f"the same with {found:,} entries in the books", after, before.per_second),
    ]


async def _best_spread(db: Database, accounts: Sequence[UUID], name: str) -> Load:
    credits_ = CreditService(db)
    # Every account once: right behind a checkpoint the first touch of a page is logged whole.
    await _debit(credits_, accounts, f"{name}:warm", ACCOUNTS, 256)
    loads = [await _debit(credits_, accounts, f"{name}:{run}", DEBITS, 256) for run in range(RUNS)]
    await credits_.close()
    return max(loads, key=_rate)


def _rate(load: Load) -> float:
    return load.per_second


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
