import hashlib
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
from pypdf import PdfReader

from tallystick.invoices import pdf_cache, pdf_store, service
from tallystick.invoices.model import Invoice
from tallystick.invoices.pdf_cache import invoice_pdf, invoice_pdf_etag
from tallystick.invoices.pdf_store import InvoicePdf
from tallystick.kernel.db import WRITER, account_scope
from tallystick.kernel.errors import Conflict, NotFound
from tallystick.kernel.ids import new_id
from tallystick.money.amount import Money

PAID_AT = datetime(2026, 3, 5, tzinfo=UTC)
World = Any  # the fixture's class stands in conftest.py, which tests can not import


async def read(world: World, invoice: Invoice) -> InvoicePdf:
    async with world.db.transaction(account_scope(invoice.account_id)) as conn:
        return await invoice_pdf(conn, invoice.account_id, invoice.invoice_id)


async def read_etag(world: World, invoice: Invoice) -> str:
    async with world.db.transaction(account_scope(invoice.account_id)) as conn:
        return await invoice_pdf_etag(conn, invoice.account_id, invoice.invoice_id)


def no_rendering(*_: object) -> bytes:
    raise AssertionError("it was rendered already")


async def test_a_pdf_says_what_the_invoice_says(world: World) -> None:
    _, invoice = await world.billed_account()
    pdf = await read(world, invoice)
    text = PdfReader(BytesIO(pdf.content)).pages[0].extract_text()
    assert "INV-2026-000001" in text
    assert "79.00" in text
    assert pdf.etag == f'"{hashlib.sha256(pdf.content).hexdigest()}"'


async def test_it_is_rendered_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    _, invoice = await world.billed_account()
    first = await read(world, invoice)
    monkeypatch.setattr(pdf_cache, "render", no_rendering)
    assert await read(world, invoice) == first
    assert await read_etag(world, invoice) == first.etag


async def test_the_etag_alone_does_not_read_the_content(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, invoice = await world.billed_account()
    first = await read(world, invoice)
    monkeypatch.setattr(pdf_cache, "render", no_rendering)
    monkeypatch.setattr(pdf_store, "FIND", "SELECT the content was read")
    assert await read_etag(world, invoice) == first.etag


async def test_the_etag_of_what_was_never_read_is_that_of_the_first_read(world: World) -> None:
    _, invoice = await world.billed_account()
    etag = await read_etag(world, invoice)
    assert (await read(world, invoice)).etag == etag


async def test_a_payment_makes_another_pdf(world: World) -> None:
    _, invoice = await world.billed_account()
    first = await read(world, invoice)
    async with world.db.transaction(WRITER) as conn:
        await service.settle(
            conn, invoice.account_id, invoice.invoice_id, Money(7900, "EUR"), PAID_AT
        )
    paid = await read(world, invoice)
    assert paid.etag != first.etag
    assert "PAID" in PdfReader(BytesIO(paid.content)).pages[0].extract_text()
    assert len(await world.rows("SELECT 1 FROM invoice_pdfs")) == 1


async def test_a_new_look_renders_old_invoices_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, invoice = await world.billed_account()
    await read(world, invoice)
    (before,) = await world.rows("SELECT source FROM invoice_pdfs")
    monkeypatch.setattr(pdf_cache, "look_version", lambda: b"another template")
    await read(world, invoice)
    (after,) = await world.rows("SELECT source FROM invoice_pdfs")
    assert after["source"] != before["source"]


async def test_a_draft_has_no_pdf(world: World) -> None:
    account = await world.account()
    draft_id = new_id()
    async with world.db.transaction(WRITER) as conn:
        await conn.execute(
            "INSERT INTO invoices (account_id, invoice_id, status, currency, subtotal_minor,"
            " tax_minor, total_minor, created_at) VALUES ($1, $2, 'draft', 'EUR', 0, 0, 0, $3)",
            account.account_id,
            draft_id,
            PAID_AT,
        )
        with pytest.raises(Conflict) as caught:
            await invoice_pdf(conn, account.account_id, draft_id)
        assert caught.value.code == "invoice_not_final"
        with pytest.raises(NotFound):
            await invoice_pdf_etag(conn, account.account_id, new_id())
