import hashlib
import threading
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
from pypdf import PdfReader

from tallystick.documents import files as document_files
from tallystick.documents.files import DocumentFile, Form
from tallystick.invoices import file_store, files, service
from tallystick.invoices.files import invoice_file, invoice_file_etag
from tallystick.invoices.model import Invoice
from tallystick.kernel.db import WRITER
from tallystick.kernel.errors import Conflict, NotFound, Unavailable
from tallystick.kernel.ids import new_id
from tallystick.money.amount import Money

PAID_AT = datetime(2026, 3, 5, tzinfo=UTC)
World = Any  # the fixture's class stands in conftest.py, which tests can not import


async def read(world: World, invoice: Invoice, form: Form = "pdf") -> DocumentFile:
    return await invoice_file(world.db, invoice.account_id, invoice.invoice_id, form)


async def read_etag(world: World, invoice: Invoice) -> str:
    return await invoice_file_etag(world.db, invoice.account_id, invoice.invoice_id)


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
    monkeypatch.setattr(files, "drawn", no_rendering)
    assert await read(world, invoice) == first
    assert await read_etag(world, invoice) == first.etag


async def test_the_etag_alone_does_not_read_the_content(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, invoice = await world.billed_account()
    first = await read(world, invoice)
    monkeypatch.setattr(files, "drawn", no_rendering)
    monkeypatch.setattr(file_store, "FIND", "SELECT the content was read")
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
    assert len(await world.rows("SELECT 1 FROM invoice_files")) == 1


async def test_a_new_look_renders_old_invoices_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, invoice = await world.billed_account()
    await read(world, invoice)
    (before,) = await world.rows("SELECT source FROM invoice_files")
    monkeypatch.setattr(document_files, "look_version", lambda: b"another template")
    await read(world, invoice)
    (after,) = await world.rows("SELECT source FROM invoice_files")
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
        await invoice_file(world.db, account.account_id, draft_id)
    assert caught.value.code == "invoice_not_final"
    with pytest.raises(NotFound):
        await invoice_file_etag(world.db, account.account_id, new_id())


async def test_a_drawing_that_fails_leaves_the_invoice_and_is_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, invoice = await world.billed_account()

    def broken(*_: object) -> bytes:
        raise OSError("the disk is gone")

    monkeypatch.setattr(document_files, "render", broken)
    for read_it in (read, read_etag):
        with pytest.raises(Unavailable) as caught:
            await read_it(world, invoice)
        assert caught.value.code == "rendering_failed"
    assert not await world.rows("SELECT 1 FROM invoice_files")
    monkeypatch.undo()
    assert (await read(world, invoice)).content.startswith(b"%PDF")


async def test_no_connection_waits_while_a_page_is_drawn(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, invoice = await world.billed_account()
    main = threading.get_ident()
    seen: list[tuple[bool, int]] = []

    def watched(*_: object) -> bytes:
        in_use = world.db.pool.get_size() - world.db.pool.get_idle_size()
        seen.append((threading.get_ident() == main, in_use))
        return b"%PDF"

    monkeypatch.setattr(document_files, "render", watched)
    before = world.db.pool.get_size() - world.db.pool.get_idle_size()
    await read(world, invoice)
    assert seen == [(False, before)]


async def test_forms_are_kept_beside_each_other(world: World) -> None:
    _, invoice = await world.billed_account()
    with pytest.raises(Conflict) as caught:
        await read(world, invoice, "cii")
    assert caught.value.code == "einvoice_data_missing"
    assert (await read(world, invoice)).content.startswith(b"%PDF")
    assert len(await world.rows("SELECT 1 FROM invoice_files")) == 1
