"""Payments through Stripe's simulator with 32 in flight, beside what the simulator itself can do.

Ours: invoice to paid invoice, with attempt, charge, books and outbox, in one process. The limit:
the same charges as bare requests, prepared beforehand, over as many connections.

Alone: `python -m bench --only payments`.
"""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode, urlsplit

from rich.console import Console

from bench.figures import Figure, Load
from bench.http_load import Load as HttpLoad
from bench.http_load import request_bytes, send_all
from bench.installation import Installation
from bench.payable import CURRENCY, KEY, MINOR, Payable, make_payable, simulator, stripe_at
from tallystick.kernel.clock import system_clock
from tallystick.kernel.db import open_database
from tallystick.kernel.ids import new_id
from tallystick.payments.attempts import Attempts
from tallystick.payments.collect import Collector
from tallystick.payments.gateway import Gateways
from tallystick.payments.model import PaymentStatus

IN_FLIGHT: Final = 32
CONNECTIONS_MAX: Final = 16
INTENTS: Final = "/v1/payment_intents"


def measure(place: Installation, count: int, console: Console) -> list[Figure]:
    """Collect so many invoices, then make as many charges bare."""
    console.print(f"payments: {count:,} through the simulator, {IN_FLIGHT} in flight …")
    with simulator() as base_url:
        ours, limit = asyncio.run(_both(place.dsn, base_url, count))
    told = f"{ours.per_second:,.0f}/s, p99 {ours.percentile_ms(99):.0f} ms"
    alone = f"{limit.per_second:,.0f}/s, p99 {limit.percentile_ms(99):.0f} ms"
    share = f"{ours.per_second / limit.per_second:.2f}"
    return [
        Figure(f"simulator's own limit, {IN_FLIGHT} connections", alone, "1.0", limit.per_second),
        Figure(f"payments, {IN_FLIGHT} in flight", told, share, ours.per_second),
    ]


async def _both(dsn: str, base_url: str, count: int) -> tuple[Load, HttpLoad]:
    db = await open_database(dsn, connections_max=CONNECTIONS_MAX)
    gateways = Gateways([stripe_at(base_url)])
    tries = Attempts(db, gateways, system_clock)
    collector = Collector(db, gateways, tries, system_clock)
    try:
        payable = await make_payable(db, base_url, count)
        await gateways.get("stripe").describe_method(payable[0].method_token)  # loads the SDK
        limit = await _bare(base_url, payable)
        return await _collected(collector, payable), limit
    finally:
        await gateways.close()
        await db.close()


async def _collected(collector: Collector, payable: Sequence[Payable]) -> Load:
    """Pay every invoice, as many at once as are in flight."""
    waiting = iter(payable)
    waited: list[float] = []

    async def payer() -> None:
        for one in waiting:
            began = time.perf_counter()
            view = await collector.pay_invoice(
                one.account_id, one.invoice_id, request_key=str(one.invoice_id)
            )
            waited.append(time.perf_counter() - began)
            if view.payment.status is not PaymentStatus.SUCCEEDED:
                raise RuntimeError(f"the payment is {view.payment.status}")

    began = time.perf_counter()
    await asyncio.gather(*(payer() for _ in range(IN_FLIGHT)))
    return Load(len(payable) / (time.perf_counter() - began), waited)


async def _bare(base_url: str, payable: Sequence[Payable]) -> HttpLoad:
    """Send the same charges as bare requests."""
    port = urlsplit(base_url).port
    assert port is not None
    return await send_all(port, [_request(one) for one in payable], connections=IN_FLIGHT)


def _request(one: Payable) -> bytes:
    form = {
        "amount": MINOR,
        "currency": CURRENCY.lower(),
        "customer": one.customer_token,
        "payment_method": one.method_token,
        "allowed_payment_method_types[0]": "card",
        "confirm": "true",
        "off_session": "true",
        "metadata[tallystick_account]": str(one.account_id),
        "metadata[tallystick_payment]": str(new_id()),
        "metadata[tallystick_attempt]": str(new_id()),
    }
    return request_bytes(
        "POST",
        INTENTS,
        KEY,
        urlencode(form).encode(),
        "application/x-www-form-urlencoded",
        headers={"Idempotency-Key": f"bare:{new_id()}:{datetime.now(UTC).isoformat()}"},
    )
