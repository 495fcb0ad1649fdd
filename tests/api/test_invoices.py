"""Invoices over HTTP: their fields, how each line came to its amount, the PDF."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from pypdf import PdfReader

from tallystick.kernel import ids
from tallystick.kernel.db import WRITER

if TYPE_CHECKING:
    from tests.api.conftest import Shop, Tenant

Json = dict[str, Any]
BILLING = "/api/v1/billing"


async def used_and_billed(shop: "Shop", **fields: Any) -> tuple["Tenant", Json]:
    """An account billed for a fee, 1,600 calls and 12.5 GB."""
    tenant = await shop.tenant(**fields)
    await shop.subscribe(tenant.account, ago=timedelta(days=32))
    at = (datetime.now(UTC) - timedelta(days=20)).isoformat()
    facts = {"specversion": "1.0", "source": "s", "subject": tenant.id, "time": at}
    events = [
        {**facts, "id": "1", "type": "api_calls", "data": {"n": 1600}},
        {**facts, "id": "2", "type": "storage", "data": {"n": "12.5"}},
    ]
    sent = await shop.with_key(tenant.keys["usage:write"]).post("/api/v1/events", json=events)
    assert sent.status_code == 204, sent.text
    await shop.work()
    client = shop.with_key(tenant.keys["billing:read"])
    (invoice,) = (await client.get(f"{BILLING}/invoices")).json()["invoices"]
    return tenant, invoice


async def test_an_invoice_says_what_it_asks_for_and_where_it_is(shop: "Shop") -> None:
    tenant, invoice = await used_and_billed(shop)
    assert (invoice["status"], invoice["paid"]) == ("open", False)
    assert invoice["total_cents"] == 4900 + 3000 + 125
    assert (invoice["subtotal_cents"], invoice["tax_cents"]) == (8025, 0)
    assert (invoice["amount_due"], invoice["amount_paid"]) == (80.25, 0.0)
    base = "http://127.0.0.1:8000"
    assert invoice["invoice_pdf"] == f"{base}{BILLING}/invoices/{invoice['id']}/pdf"
    assert invoice["hosted_invoice_url"] == f"{base}/billing/invoices/{invoice['id']}"
    created = datetime.fromisoformat(invoice["created"])
    assert datetime.fromisoformat(invoice["due_date"]) == created + timedelta(days=14)
    client = shop.as_person(tenant.member)
    assert (await client.get(f"{BILLING}/invoices/{invoice['id']}")).json() == invoice


async def test_amounts_are_written_with_the_decimals_of_their_currency(shop: "Shop") -> None:
    """Never through a float: 54.00 dollars are `54.00`, not `54.0`."""
    tenant, invoice = await shop.billed()
    answer = await shop.as_person(tenant.member).get(f"{BILLING}/invoices/{invoice['id']}")
    assert '"total":54.00,"total_cents":5400' in answer.text
    raw = json.loads(answer.text, parse_float=Decimal)
    for line in [raw, *raw["lines"]]:
        for name in line:
            if f"{name}_cents" in line:
                assert line[name] * 100 == line[f"{name}_cents"], name
                assert line[name].as_tuple().exponent == -2


async def test_lines_sum_to_the_invoice(shop: "Shop") -> None:
    _, invoice = await used_and_billed(shop)
    assert sum(line["amount_cents"] for line in invoice["lines"]) == invoice["subtotal_cents"]
    by_price = {line["price"]: line for line in invoice["lines"]}
    assert by_price["fee"]["kind"] == "subscription"
    assert by_price["calls"]["kind"] == by_price["storage"]["kind"] == "usage"
    assert (by_price["calls"]["quantity"], by_price["calls"]["meter"]) == ("1600", "api_calls")
    assert by_price["storage"]["quantity"] == "12.5"


async def test_tax_is_charged_where_an_account_has_it(shop: "Shop") -> None:
    admin = shop.with_key(shop.house_keys["admin"])
    tenant = await shop.tenant(tax_name="VAT", tax_percent=Decimal("8.1"))
    account = (await admin.get(f"/api/v1/admin/accounts/{tenant.id}")).json()
    assert (account["tax_name"], account["tax_percent"]) == ("VAT", "8.1")
    await shop.subscribe(tenant.account, ago=timedelta(days=32))
    await shop.work()
    client = shop.with_key(tenant.keys["billing:read"])
    (invoice,) = (await client.get(f"{BILLING}/invoices")).json()["invoices"]
    assert (invoice["subtotal_cents"], invoice["tax_cents"]) == (5400, 437)  # 437.4
    assert invoice["total_cents"] == 5837


async def test_every_line_says_how_it_came_to_its_amount_and_it_is_true(shop: "Shop") -> None:
    tenant, invoice = await used_and_billed(shop)
    client = shop.as_person(tenant.member)
    for line in invoice["lines"]:
        at = f"{BILLING}/invoices/{invoice['id']}/lines/{line['id']}/explanation"
        answer = await client.get(at)
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert told["line"] == line
        assert told["matches"] is True
        assert told["recomputed_cents"] == line["amount_cents"]
        assert told["steps"]
        assert told["derivation"]
    calls = next(line for line in invoice["lines"] if line["price"] == "calls")
    answer = await client.get(f"{BILLING}/invoices/{invoice['id']}/lines/{calls['id']}/explanation")
    assert "1000" in " ".join(answer.json()["steps"]).replace(",", "")


async def test_a_line_of_another_invoice_is_not_this_ones(shop: "Shop") -> None:
    tenant, invoice = await shop.billed()
    _, other = await shop.billed()
    client = shop.as_person(tenant.member)
    for line in (other["lines"][0]["id"], f"il_{'0' * 26}", invoice["id"], "x"):
        answer = await client.get(f"{BILLING}/invoices/{invoice['id']}/lines/{line}/explanation")
        assert shop.refused(answer, 404, answer.json()["code"])["code"].endswith("_not_found")


@pytest.mark.parametrize("name", ["pdf", "download_pdf"])
async def test_the_pdf_says_what_the_invoice_says(shop: "Shop", name: str) -> None:
    tenant, invoice = await used_and_billed(shop, name="Zoë's Überlieferung GmbH")
    answer = await shop.as_person(tenant.member).get(f"{BILLING}/invoices/{invoice['id']}/{name}/")
    assert answer.status_code == 200
    assert int(answer.headers["content-length"]) == len(answer.content)
    text = " ".join(page.extract_text() for page in PdfReader(BytesIO(answer.content)).pages)
    for wanted in (invoice["number"], "Tallystick GmbH", "Überlieferung", "80.25"):
        assert wanted in text, wanted


async def test_a_draft_has_no_pdf_yet(shop: "Shop") -> None:
    tenant, _ = await shop.billed()
    draft = ids.new_id()
    async with shop.db.transaction(WRITER) as conn:
        await conn.execute(
            """INSERT INTO invoices (account_id, invoice_id, status, currency, subtotal_minor,
                   tax_minor, total_minor, created_at)
               VALUES ($1, $2, 'draft', 'USD', 0, 0, 0, now())""",
            tenant.account.account_id,
            draft,
        )
    client = shop.as_person(tenant.member)
    answer = await client.get(f"{BILLING}/invoices/{ids.show('invoice', draft)}/pdf")
    shop.refused(answer, 409, "invoice_not_final")
    shown = (await client.get(f"{BILLING}/invoices/{ids.show('invoice', draft)}")).json()
    assert (shown["invoice_pdf"], shown["hosted_invoice_url"], shown["number"]) == (None,) * 3
