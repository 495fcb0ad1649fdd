"""Webhooks: accepted over HTTP (signature checked, stored), then processed to booked payments.

Each tells of another charge of ours that nobody answered yet, so each ends a payment: attempt,
payment, invoice, books and outbox. Accepting is held against a POST that does nothing (serve.py).

Alone: `python -m bench --only webhooks`.
"""

import asyncio
import hashlib
import hmac
import time
from datetime import UTC, datetime
from typing import Final

import msgspec
from rich.console import Console

from bench.credit_accounts import make_keys, open_accounts
from bench.figures import Figure
from bench.http_load import Load, request_bytes, send_all
from bench.installation import Installation, another_server
from bench.payable import KEY, SECRET, Payable, make_payable, simulator, stripe_at
from bench.serve import NOTHING
from tallystick.invoices import service as invoices
from tallystick.kernel.clock import system_clock
from tallystick.kernel.db import WRITER, Database, open_database
from tallystick.payments import attempts, methods, store
from tallystick.payments.attempts import Attempts, Started
from tallystick.payments.gateway import Gateways
from tallystick.payments.news import GatewayNews
from tallystick.payments.wishes import wish
from tallystick.webhooks.jobs import InboxWorker

CONNECTIONS: Final = 32
CONNECTIONS_MAX: Final = 16
PATH: Final = "/api/v1/webhooks/stripe"


def measure(place: Installation, count: int, console: Console) -> list[Figure]:
    """Send so many webhooks to a server of their own, and process them."""
    console.print(f"webhooks: {count:,}, {CONNECTIONS} connections …")
    with simulator() as base_url:
        settings = {
            "STRIPE_SECRET_KEY": KEY,
            "STRIPE_PUBLISHABLE_KEY": "pk_test_bench",
            "STRIPE_WEBHOOK_SECRET": SECRET,
            "STRIPE_BASE_URL": base_url,
        }
        with another_server(place.dsn, settings) as port:
            return asyncio.run(_figures(place, base_url, port, count))


async def _figures(place: Installation, base_url: str, port: int, count: int) -> list[Figure]:
    db = await open_database(place.dsn, connections_max=CONNECTIONS_MAX)
    gateways = Gateways([stripe_at(base_url)])
    try:
        bodies = [
            _event(one, await _unanswered(db, one))
            for one in await make_payable(db, base_url, count)
        ]
        (key,) = await make_keys(db, await open_accounts(db, 1))
        idle = request_bytes("POST", NOTHING, key, bodies[0])
        nothing = await send_all(port, [idle] * count, connections=CONNECTIONS)
        accepted = await send_all(port, [_signed(body) for body in bodies], connections=CONNECTIONS)
        seconds = await _process(db, gateways, count)
    finally:
        await gateways.close()
        await db.close()
    return [
        _figure(f"a POST that does nothing, {CONNECTIONS} connections", nothing, nothing),
        _figure(f"webhooks accepted, {CONNECTIONS} connections", accepted, nothing),
        Figure(
            "webhooks processed to booked payments, one worker",
            f"{count / seconds:,.0f}/s",
            f"{count / seconds / accepted.per_second:.2f} of accepted",
            count / seconds,
        ),
    ]


def _figure(what: str, load: Load, measure: Load) -> Figure:
    value = f"{load.per_second:,.0f}/s, p99 {load.percentile_ms(99):.1f} ms"
    return Figure(what, value, f"{load.per_second / measure.per_second:.2f}", load.per_second)


async def _unanswered(db: Database, one: Payable) -> Started:
    """Return a charge that was written down and whose answer never came."""
    now = system_clock()
    async with db.transaction(WRITER) as conn:
        invoice = await invoices.get_invoice(conn, one.account_id, one.invoice_id)
        method = await methods.default_method(conn, one.account_id)
        assert method is not None
        payment = wish([invoice], method, str(one.invoice_id), created_at=now)
        await store.insert(conn, payment)
        started = await attempts.begin(conn, payment, now)
    assert started is not None
    return started


def _event(one: Payable, started: Started) -> bytes:
    """Return Stripe's word that the charge went through."""
    charge = started.charge
    intent = {
        "id": f"pi_{charge.attempt_id.hex}",
        "object": "payment_intent",
        "status": "succeeded",
        "amount": charge.amount.minor,
        "amount_received": charge.amount.minor,
        "currency": charge.amount.currency.lower(),
        "customer": one.customer_token,
        "metadata": {
            "tallystick_account": str(charge.account_id),
            "tallystick_payment": str(charge.payment_id),
            "tallystick_attempt": str(charge.attempt_id),
        },
    }
    event = {
        "id": f"evt_{charge.attempt_id.hex}",
        "object": "event",
        "type": "payment_intent.succeeded",
        "created": int(datetime.now(UTC).timestamp()),
        "livemode": False,
        "data": {"object": intent},
    }
    return msgspec.json.encode(event)


def _signed(body: bytes) -> bytes:
    stamp = str(int(time.time()))
    said = hmac.new(SECRET.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    headers = {"Stripe-Signature": f"t={stamp},v1={said}"}
    return request_bytes("POST", PATH, "none", body, headers=headers)


async def _process(db: Database, gateways: Gateways, count: int) -> float:
    """Handle all that came, as one worker does; return the seconds that took."""
    tries = Attempts(db, gateways, system_clock)
    worker = InboxWorker(db, gateways, GatewayNews(db, gateways, tries, system_clock))
    began, done = time.perf_counter(), 0
    while handled := await worker.run_due(system_clock()):
        done += handled
    seconds = time.perf_counter() - began
    async with db.transaction(WRITER) as conn:
        paid = await conn.fetchval(
            "SELECT count(*) FROM payments WHERE status = 'succeeded' AND gateway = 'stripe'"
        )
    if done < count or paid < count:
        raise RuntimeError(f"{done} webhooks were handled, {paid} payments were booked")
    return seconds
