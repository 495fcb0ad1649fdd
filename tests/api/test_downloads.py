"""Documents as files over HTTP: e-invoices, receipts, and what is said when there is none."""

import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import pypdf
import pytest

from tallystick.issuers import service as issuers
from tallystick.issuers.model import Issuer
from tallystick.kernel.db import WRITER
from tallystick.kernel.ids import new_id

if TYPE_CHECKING:
    from tests.api.conftest import Shop, Tenant

Json = dict[str, Any]
BILLING = "/api/v1/billing"
XML_FORMS = ("xml", "xml?format=cii", "xml?format=ubl", "xml?format=peppol")


async def billed_from_france(shop: "Shop", **changes: Any) -> "tuple[httpx.AsyncClient, Json]":
    """Return who reads, and an invoice from Lyon to Hamburg: reverse charge."""
    issuer = Issuer(
        issuer_id=new_id(),
        code=f"FR{uuid4().hex[:8].upper()}",
        legal_name="Vent du Nord SARL",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        address=("1 rue du Port", "69001 Lyon"),
        city="Lyon",
        country="FR",
        vat_number="FR40303265045",
        email="factures@vent.example",
    )
    async with shop.db.transaction(WRITER) as conn:
        await issuers.create_issuer(conn, issuer)
    buyer = {
        "country": "DE",
        "address": ("Hafenstrasse 14", "20457 Hamburg"),
        "tax_number": "DE136695976",
        "purchase_order": "PO-7",
        "issuer_id": issuer.issuer_id,
        **changes,
    }
    tenant, invoice = await shop.billed(**buyer)
    return shop.with_key(tenant.keys["billing:read"]), invoice


async def paid(shop: "Shop") -> "tuple[Tenant, Json]":
    """Return an account and a payment by hand, of its invoice, that came in."""
    tenant, invoice = await shop.billed()
    told = {
        "invoice_id": invoice["id"],
        "payment_method": "bank_transfer",
        "transaction_reference": "SEPA 4711",
    }
    owner = shop.as_person(tenant.owner)
    payment = (await owner.post(f"{BILLING}/payments/manual", json=told)).json()
    finance = shop.as_person(shop.finance)
    path = f"/api/v1/admin/payments/{payment['id']}/approve"
    approved = await finance.post(path, json={"reason": "it came"})
    assert approved.status_code == 200, approved.text
    return tenant, payment


async def test_an_invoice_is_had_as_page_with_xml_and_as_xml(shop: "Shop") -> None:
    client, invoice = await billed_from_france(shop)
    path = f"{BILLING}/invoices/{invoice['id']}"
    hybrid = await client.get(f"{path}/pdf?format=facturx")
    assert hybrid.status_code == 200, hybrid.text
    assert hybrid.headers["content-type"] == "application/pdf"
    (inside,) = pypdf.PdfReader(io.BytesIO(hybrid.content)).attachments["factur-x.xml"]
    answers = [await client.get(f"{path}/{form}") for form in XML_FORMS]
    assert [answer.status_code for answer in answers] == [200] * 4
    assert answers[0].content == answers[1].content == inside
    assert b"CrossIndustryInvoice" in inside
    assert b'oasis:names:specification:ubl:schema:xsd:Invoice-2"' in answers[2].content
    assert b"poacc:billing:3.0</cbc:CustomizationID>" in answers[3].content
    assert answers[0].headers["content-type"].startswith("application/xml")
    name = f'inline; filename="{invoice["number"]}.xml"'
    assert answers[0].headers["content-disposition"] == name
    etags = {answer.headers["etag"] for answer in (hybrid, *answers[1:])}
    assert len(etags) == 4


@pytest.mark.parametrize("form", ["pdf?format=facturx", "xml?format=ubl"])
async def test_a_form_that_is_known_is_304(
    shop: "Shop", form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, invoice = await billed_from_france(shop)
    path = f"{BILLING}/invoices/{invoice['id']}/{form}"
    first = await client.get(path)
    monkeypatch.setattr("tallystick.invoices.files.drawn", None)
    known = await client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
    assert (await client.get(path)).content == first.content


async def test_what_is_missing_is_named_and_the_page_is_there(shop: "Shop") -> None:
    tenant, invoice = await shop.billed()
    client = shop.with_key(tenant.keys["billing:read"])
    path = f"{BILLING}/invoices/{invoice['id']}"
    for form in ("pdf?format=facturx", *XML_FORMS):
        problem = shop.refused(await client.get(f"{path}/{form}"), 409, "einvoice_data_missing")
        assert {"seller.country", "customer.address"} <= {
            error["field"] for error in problem["errors"]
        }
    assert (await client.get(f"{path}/pdf")).status_code == 200


async def test_a_form_that_nobody_knows_is_refused(shop: "Shop") -> None:
    tenant, invoice = await shop.billed()
    client = shop.with_key(tenant.keys["billing:read"])
    answer = await client.get(f"{BILLING}/invoices/{invoice['id']}/xml?format=word")
    problem = shop.refused(answer, 422, "validation_failed")
    assert problem["errors"][0]["field"] == "format"


async def test_a_page_that_can_not_be_drawn_is_503_and_the_invoice_unaffected(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant, invoice = await shop.billed()
    client = shop.with_key(tenant.keys["billing:read"])
    path = f"{BILLING}/invoices/{invoice['id']}"
    monkeypatch.setattr("tallystick.documents.fonts.families", lambda *_: "no fonts")
    shop.refused(await client.get(f"{path}/pdf"), 503, "rendering_failed")
    before = (await client.get(path)).json()
    assert before["status"] == "open"
    monkeypatch.undo()
    assert (await client.get(f"{path}/pdf")).status_code == 200
    assert (await client.get(path)).json() == before


async def test_a_payment_that_came_has_a_receipt(shop: "Shop") -> None:
    tenant, payment = await paid(shop)
    client = shop.with_key(tenant.keys["billing:read"])
    path = f"{BILLING}/payments/{payment['id']}/receipt"
    receipt = await client.get(path)
    assert receipt.status_code == 200, receipt.text
    text = pypdf.PdfReader(io.BytesIO(receipt.content)).pages[0].extract_text()
    assert payment["id"] in text
    assert "Receipt" in text
    assert receipt.headers["content-disposition"] == f'inline; filename="{payment["id"]}.pdf"'
    known = await client.get(path, headers={"If-None-Match": receipt.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
    assert (await client.get(path)).content == receipt.content


async def test_a_payment_that_has_not_come_has_none(shop: "Shop") -> None:
    tenant, invoice = await shop.billed()
    told = {
        "invoice_id": invoice["id"],
        "payment_method": "bank_transfer",
        "transaction_reference": "SEPA 4711",
    }
    owner = shop.as_person(tenant.owner)
    payment = (await owner.post(f"{BILLING}/payments/manual", json=told)).json()
    answer = await owner.get(f"{BILLING}/payments/{payment['id']}/receipt")
    shop.refused(answer, 409, "payment_not_succeeded")


async def test_another_accounts_receipt_is_not_there(shop: "Shop") -> None:
    _, payment = await paid(shop)
    stranger = shop.with_key((await shop.tenant()).keys["billing:read"])
    answer = await stranger.get(f"{BILLING}/payments/{payment['id']}/receipt")
    shop.refused(answer, 404, "payment_not_found")


async def note_of(shop: "Shop", invoice: Json) -> Json:
    finance = shop.with_key(shop.house_keys["admin"])
    path = f"/api/v1/admin/billing/invoices/{invoice['id']}/credit-notes"
    answer = await finance.post(path, json={"reason": "order_change"})
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


async def test_a_credit_note_is_an_e_invoice_that_names_its_invoice(shop: "Shop") -> None:
    client, invoice = await billed_from_france(shop)
    note = await note_of(shop, invoice)
    for form in ("cii", "ubl"):
        path = f"{BILLING}/credit-notes/{note['id']}/xml?format={form}"
        answer = await client.get(path)
        assert answer.status_code == 200, answer.text
        assert b"TypeCode>381<" in answer.content
        assert f">{invoice['number']}<".encode() in answer.content
        known = await client.get(path, headers={"If-None-Match": answer.headers["etag"]})
        assert (known.status_code, known.content) == (304, b"")


async def test_a_note_says_what_it_lacks(shop: "Shop") -> None:
    tenant, invoice = await shop.billed()
    note = await note_of(shop, invoice)
    client = shop.with_key(tenant.keys["billing:read"])
    answer = await client.get(f"{BILLING}/credit-notes/{note['id']}/xml")
    problem = shop.refused(answer, 409, "einvoice_data_missing")
    assert "seller.country" in {error["field"] for error in problem["errors"]}


async def test_a_note_is_a_page_with_its_xml_in_it_and_kept(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch
) -> None:
    client, invoice = await billed_from_france(shop)
    note = await note_of(shop, invoice)
    path = f"{BILLING}/credit-notes/{note['id']}/pdf"
    hybrid = await client.get(f"{path}?format=facturx")
    assert hybrid.status_code == 200, hybrid.text
    (inside,) = pypdf.PdfReader(io.BytesIO(hybrid.content)).attachments["factur-x.xml"]
    assert b"TypeCode>381<" in inside
    assert b"BuyerReference>PO-7<" in inside
    page = await client.get(path)
    monkeypatch.setattr("tallystick.credit_notes.files.drawn", None)
    assert (await client.get(path)).content == page.content != hybrid.content
    assert (await client.get(f"{path}?format=facturx")).headers["etag"] == hybrid.headers["etag"]


async def test_a_void_note_bears_its_mark(shop: "Shop") -> None:
    client, invoice = await billed_from_france(shop)
    note = await note_of(shop, invoice)
    path = f"{BILLING}/credit-notes/{note['id']}/pdf"
    before = await client.get(path)
    finance = shop.with_key(shop.house_keys["admin"])
    await finance.post(f"/api/v1/admin/billing/credit-notes/{note['id']}/void")
    after = await client.get(path, headers={"If-None-Match": before.headers["etag"]})
    assert after.status_code == 200
    text = pypdf.PdfReader(io.BytesIO(after.content)).pages[0].extract_text()
    assert "VOID" in text
    assert "nothing to pay" not in text
    assert "VOID" not in pypdf.PdfReader(io.BytesIO(before.content)).pages[0].extract_text()


async def test_a_void_invoice_bears_its_mark(shop: "Shop") -> None:
    tenant, invoice = await shop.billed()
    finance = shop.with_key(shop.house_keys["admin"])
    path = f"/api/v1/admin/accounts/{tenant.id}/invoices/{invoice['id']}/void"
    voided = await finance.post(path, json={"reason": "billed by mistake", "rebill": False})
    assert voided.status_code == 200, voided.text
    client = shop.with_key(tenant.keys["billing:read"])
    page = await client.get(f"{BILLING}/invoices/{invoice['id']}/pdf")
    assert "VOID" in pypdf.PdfReader(io.BytesIO(page.content)).pages[0].extract_text()
