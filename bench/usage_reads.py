"""`GET /usage/current`, read by many accounts at once while their totals are exact."""

from bench.figures import Figure
from bench.http_load import request_bytes, send_all
from bench.installation import Installation

CONNECTIONS = 8


async def measure(place: Installation, reads: int) -> list[Figure]:
    """Read so many times, each account in turn."""
    path = "/api/v1/billing/usage/current"
    each = [request_bytes("GET", path, key) for key in place.account_keys]
    requests = [each[number % len(each)] for number in range(reads)]
    await send_all(place.port, requests[: len(each)], connections=CONNECTIONS)
    load = await send_all(place.port, requests, connections=CONNECTIONS)
    value = f"{load.per_second:,.0f}/s, p50 {load.percentile_ms(50):.1f} ms, "
    value += f"p99 {load.percentile_ms(99):.1f} ms"
    return [Figure("usage/current", value, "")]
