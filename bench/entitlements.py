"""`GET /entitlements/{code}`: may the account use a feature now; a switch, and a metered one.

Alone: `python -m bench --only entitlements`.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

from bench.figures import Figure
from bench.http_load import Load, request_bytes, send_all
from bench.installation import Installation
from bench.serve import NOTHING
from tallystick.accounts import keys, service
from tallystick.accounts.model import NewAccount
from tallystick.catalog import features
from tallystick.catalog import service as catalog
from tallystick.catalog.feature_model import NewFeature
from tallystick.catalog.model import NewPlanVersion
from tallystick.demo_data import METERS
from tallystick.kernel.db import WRITER, open_database
from tallystick.pricing.model import FlatPrice
from tallystick.subscriptions import service as subscriptions

ACCOUNTS = 256
CONNECTIONS = 64
PLACE = "/api/v1/billing/entitlements/"
SWITCH, METERED = "bench_switch", "bench_metered"


def measure(place: Installation, check_count: int) -> list[Figure]:
    """Check from many accounts at once, beside a route that does nothing."""
    secrets = asyncio.run(_accounts(place.dsn))
    return asyncio.run(_checks(place.port, secrets, check_count))


async def _checks(port: int, secrets: Sequence[str], check_count: int) -> list[Figure]:
    nothing = _times([request_bytes("POST", NOTHING, one, b"{}") for one in secrets], check_count)
    idle = await send_all(port, nothing, connections=CONNECTIONS)
    found = []
    for code, what in ((SWITCH, "a switch"), (METERED, "a metered feature")):
        asked = [request_bytes("GET", PLACE + code, one) for one in secrets]
        load = await send_all(port, _times(asked, check_count), connections=CONNECTIONS)
        found.append(_figure(f"entitlements: {what}, {ACCOUNTS} accounts", load, idle))
    return found


def _figure(what: str, load: Load, idle: Load) -> Figure:
    value = f"{load.per_second:,.0f}/s, p50 {load.percentile_ms(50):.1f} ms, "
    value += f"p99 {load.percentile_ms(99):.1f} ms"
    return Figure(what, value, f"{load.per_second / idle.per_second:.2f}", load.per_second)


def _times(requests: Sequence[bytes], count: int) -> list[bytes]:
    return [requests[number % len(requests)] for number in range(count)]


async def _accounts(dsn: str) -> list[str]:
    """Make accounts on a plan that gives both features."""
    db, secrets, now = await open_database(dsn), [], datetime.now(UTC)
    new = NewAccount(name="A", email="a@example.com", currency="EUR", country="FR")
    fee = FlatPrice(currency="EUR", code="fee", amount=Decimal(10))
    async with db.transaction(WRITER) as conn:
        await features.create_feature(conn, NewFeature(code=SWITCH, kind="boolean"), now)
        metered = NewFeature(code=METERED, kind="metered", meter=METERS[0].code)
        await features.create_feature(conn, metered, now)
        sold = NewPlanVersion(
            plan_code="bench", plan_name="Bench", currency="EUR", interval="month", prices=(fee,),
            features={SWITCH: True, METERED: "1000000"},
        )  # fmt: skip
        plan = await catalog.create_plan_version(conn, sold, now)
        for _ in range(ACCOUNTS):
            account = await service.create_account(conn, new, now)
            await subscriptions.subscribe(conn, account, plan, now)
            _, secret = await keys.create_api_key(
                conn, account.account_id, name="bench", scopes=["billing:read", "credits:write"],
                now=now,
            )  # fmt: skip
            secrets.append(secret)
    await db.close()
    return secrets
