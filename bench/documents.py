"""Documents: a page drawn and read again, an e-invoice beside it, 304 answers, 500 lines.

Alone: `python -m bench --only documents`.
"""

import asyncio
import statistics
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial

import msgspec
from rich.console import Console

from bench.figures import Figure
from bench.http_load import request_bytes, send_all
from bench.installation import Installation
from tallystick.accounts import keys, service
from tallystick.accounts.model import NewAccount
from tallystick.catalog import service as catalog
from tallystick.demo_data import OFFERS
from tallystick.documents.document import (
    BankAccount,
    DocumentLine,
    InvoiceDocument,
    LineDetail,
    Party,
    PaymentState,
    TaxLine,
)
from tallystick.documents.einvoice.cii import cii
from tallystick.documents.einvoice.compose import einvoice_of
from tallystick.documents.pdf import render, render_facturx
from tallystick.invoices import service as invoices
from tallystick.invoices.files import invoice_file
from tallystick.invoices.model import Invoice
from tallystick.kernel.db import WRITER, Database, account_scope, open_database
from tallystick.kernel.ids import show
from tallystick.kernel.paging import page_request
from tallystick.subscriptions import service as subscriptions

DRAWN = 60
READS = 500
KNOWN = 5_000
CONNECTIONS = 16
LINES_MANY = 500
BILLED_SECONDS_MAX = 60
OPEN = PaymentState("open")
NOVEMBER = (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
_TIERS = (
    LineDetail("tier", Decimal(20), Decimal(1000), Decimal("0.02"), up_to=Decimal(1000)),
    LineDetail("tier", Decimal(115), Decimal(11500), Decimal("0.01"), from_=Decimal(1000)),
)


def measure(place: Installation, console: Console) -> list[Figure]:
    """Draw in this process, then read one invoice through the service and over HTTP."""
    return [*_drawn(), *asyncio.run(_served(place, console))]


def _document(line_count: int = 3) -> InvoiceDocument:
    """Return an invoice from Hamburg to Paris: tiers, 20%, bank details."""
    line = DocumentLine(
        "API calls", 13500, *NOVEMBER, quantity=Decimal(12500), unit="calls", details=_TIERS
    )
    net = 13500 * line_count
    return InvoiceDocument(
        number="INV-1",
        issued_on=date(2026, 12, 1),
        due_on=date(2026, 12, 15),
        currency="EUR",
        locale="en-GB",
        timezone="Europe/Paris",
        account_id="acct_01jd8xk2v3e7wr9q5t6y8m4n0p",
        seller=Party("Nordwind GmbH", ("Hafen 1", "Hamburg"), tax_id="DE123456789", country="DE"),
        customer=Party("Globex SARL", ("12 rue A", "Paris"), country="FR"),
        lines=(line,) * line_count,
        subtotal_minor=net,
        taxes=(TaxLine("VAT", Decimal(20), net, net // 5, "S"),),
        total_minor=net + net // 5,
        bank=BankAccount("DE89370400440532013000", "COBADEFFXXX"),
    )


def _drawn() -> list[Figure]:
    """Return a page, its e-invoice and a long one; each is another document, drawn anew.

    Page and e-invoice take turns, so that a busy moment slows both.
    """
    began = time.perf_counter()
    render(_document(), OPEN)
    cold = (time.perf_counter() - began) * 1000
    pages, hybrids = [], []
    for number in range(DRAWN):
        document = msgspec.structs.replace(_document(), number=f"INV-{number}")
        pages.append(_ms(partial(render, document, OPEN)))
        other = msgspec.structs.replace(document, number=f"HYB-{number}")
        hybrids.append(_ms(partial(render_facturx, other, OPEN)))
    page, hybrid = statistics.median(pages), statistics.median(hybrids)
    xml = statistics.median(_ms(lambda: cii(einvoice_of(_document()))) for _ in range(DRAWN))
    long = _ms(lambda: render(_document(LINES_MANY), OPEN))
    return [
        Figure("PDF: the very first (fonts read)", f"{cold:.0f} ms", ""),
        Figure("PDF, one page, drawn", f"{page:.1f} ms", "1.0"),
        Figure("Factur-X, the same page with XML", f"{hybrid:.1f} ms", f"{hybrid / page:.2f}"),
        Figure("XML alone (CII)", f"{xml:.2f} ms", f"{xml / page:.2f}"),
        Figure(f"PDF, {LINES_MANY} lines, drawn", f"{long:.0f} ms", f"{long / page:.1f}"),
    ]


def _ms(work: Callable[[], bytes]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


async def _served(place: Installation, console: Console) -> list[Figure]:
    """Return what reading a kept PDF costs in process, and 304 answers a second."""
    db = await open_database(place.dsn)
    try:
        invoice, secret = await _billed(db, console)
        account_id, invoice_id = invoice.account_id, invoice.invoice_id
        etag = (await invoice_file(db, account_id, invoice_id)).etag
        began = time.perf_counter()
        for _ in range(READS):
            await invoice_file(db, account_id, invoice_id)
        kept = (time.perf_counter() - began) * 1000 / READS
    finally:
        await db.close()
    path = f"/api/v1/billing/invoices/{show('invoice', invoice_id)}/pdf"
    asked = request_bytes("GET", path, secret, headers={"If-None-Match": etag})
    load = await send_all(place.port, [asked] * KNOWN, connections=CONNECTIONS, status=b"304")
    told = f"{load.per_second:,.0f}/s, p99 {load.percentile_ms(99):.1f} ms"
    return [
        Figure("PDF, kept, read in process", f"{kept:.2f} ms", ""),
        Figure("PDF, 304 over HTTP", told, "", load.per_second),
    ]


async def _billed(db: Database, console: Console) -> tuple[Invoice, str]:
    """Return an invoice that the worker makes, and the key of its account."""
    now = datetime.now(UTC)
    new = NewAccount(name="Paper", email="bench@example.com", currency="EUR", country="FR")
    async with db.transaction(WRITER) as conn:
        account = await service.create_account(conn, new, now)
        version = await catalog.current_plan_version(conn, OFFERS[1].code)
        await subscriptions.subscribe(conn, account, version, now - timedelta(days=40))
        _, secret = await keys.create_api_key(
            conn, account.account_id, name="read", scopes=["billing:read"], now=now
        )
    console.print("documents: waiting for the worker's invoice …")
    for _ in range(BILLED_SECONDS_MAX * 10):
        async with db.transaction(account_scope(account.account_id)) as conn:
            part = page_request(1, 1, None)
            found = await invoices.list_invoices(conn, account.account_id, None, part)
        if found.items:
            return found.items[0], secret
        await asyncio.sleep(0.1)
    raise TimeoutError("the worker made no invoice")
