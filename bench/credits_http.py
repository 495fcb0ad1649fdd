"""Debits over HTTP, one a request and many a request, beside a POST that does nothing (serve.py).

All of them carry the same body, and the same keys take turns.
"""

from collections.abc import Sequence

import msgspec

from bench.credit_accounts import make_keys, open_accounts
from bench.figures import Figure, Load, figure_of
from bench.http_load import Load as HttpLoad
from bench.http_load import request_bytes, send_all
from bench.installation import Installation
from bench.serve import NOTHING
from tallystick.kernel.db import open_database

ACCOUNTS = 256
SINGLE_CALLS = 20_000
RUNS = 3
BATCH_CALLS = 150
BATCH = 1_000
CONNECTIONS = 256
BATCH_CONNECTIONS = 4
DEDUCT = "/api/v1/billing/credits/deduct"


async def measure(place: Installation, best: float) -> list[Figure]:
    """Measure over HTTP; each single figure is the best of three runs, taken in turn."""
    db = await open_database(place.dsn)
    secrets = await make_keys(db, await open_accounts(db, ACCOUNTS))
    await db.close()
    runs = [(await _nothing(place, secrets), await _single(place, secrets)) for _ in range(RUNS)]
    nothing = max((run[0] for run in runs), key=lambda load: load.per_second)
    single = max((run[1] for run in runs), key=lambda load: load.per_second)
    batch = await _batches(place, secrets)
    what = f"HTTP, {CONNECTIONS} connections"
    share = f"{single.per_second / nothing.per_second:.2f}"
    return [
        figure_of(f"a POST that does nothing, {what}", _load(nothing, 1), best),
        figure_of(f"debits, single calls, {what}", _load(single, 1), best),
        Figure("debits, single calls: share of the POST that does nothing", "", share),
        figure_of(f"debits, HTTP batches of {BATCH:,}", _load(batch, BATCH), best),
    ]


async def _nothing(place: Installation, secrets: Sequence[str]) -> HttpLoad:
    return await _send_in_turn(
        place, [request_bytes("POST", NOTHING, key, _DEBIT) for key in secrets]
    )


async def _single(place: Installation, secrets: Sequence[str]) -> HttpLoad:
    return await _send_in_turn(
        place, [request_bytes("POST", DEDUCT, key, _DEBIT) for key in secrets]
    )


async def _send_in_turn(place: Installation, calls: list[bytes]) -> HttpLoad:
    times = SINGLE_CALLS // len(calls)
    return await send_all(place.port, calls * times, connections=CONNECTIONS)


async def _batches(place: Installation, secrets: Sequence[str]) -> HttpLoad:
    items = msgspec.json.encode({"items": [msgspec.Raw(_DEBIT)] * BATCH})
    calls = [
        request_bytes("POST", f"{DEDUCT}/batch", secrets[number % len(secrets)], items)
        for number in range(BATCH_CALLS)
    ]
    return await send_all(place.port, calls, connections=BATCH_CONNECTIONS)


def _load(sent: HttpLoad, each: int) -> Load:
    """Return a run over HTTP in debits a second; each waits as long as its request."""
    return Load(sent.per_second * each, sent.latencies)


_DEBIT = msgspec.json.encode({"operation": "write", "model": "large", "credits": "1.5"})
