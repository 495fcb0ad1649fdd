"""Credit notes over HTTP: finance issues them, the account reads them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.api.conftest import Json, Shop

ADMIN = "/api/v1/admin/billing"
BILLING = "/api/v1/billing"


def finance(shop: "Shop") -> httpx.AsyncClient:
    return shop.with_key(shop.house_keys["admin"])


async def issued(shop: "Shop", invoice: "Json", **body: Any) -> "Json":
    path = f"{ADMIN}/invoices/{invoice['id']}/credit-notes"
    answer = await finance(shop).post(path, json={"reason": "order_change", **body})
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


async def test_a_note_is_previewed_issued_read_and_printed(shop: "Shop") -> None:
    tenant, invoice = await shop.billed()
    line = next(one for one in invoice["lines"] if one["amount_cents"] > 0)
    body = {"reason": "duplicate", "lines": [{"line": line["id"], "amount_cents": 100}]}
    path = f"{ADMIN}/invoices/{invoice['id']}/credit-notes"
    shown = (await finance(shop).post(f"{path}/preview", json=body)).json()
    note = (await finance(shop).post(path, json=body)).json()
    assert (shown["id"], shown["status"], note["status"]) == (None, "preview", "issued")
    assert shown["total_cents"] == note["total_cents"] >= 100
    account = shop.with_key(tenant.keys["billing:read"])
    assert (await account.get(f"{BILLING}/credit-notes/{note['id']}")).json() == note
    assert (await account.get(f"{BILLING}/credit-notes")).json()["credit_notes"] == [note]
    after = (await account.get(f"{BILLING}/invoices/{invoice['id']}")).json()
    assert after["amount_credited_cents"] == note["total_cents"]
    assert after["amount_due_cents"] == invoice["total_cents"] - note["total_cents"]
    pdf = await account.get(f"{BILLING}/credit-notes/{note['id']}/pdf")
    assert pdf.content.startswith(b"%PDF")
    again = await account.get(
        f"{BILLING}/credit-notes/{note['id']}/pdf", headers={"If-None-Match": pdf.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")


async def test_a_note_is_voided_and_then_all_is_due_again(shop: "Shop") -> None:
    tenant, invoice = await shop.billed()
    note = await issued(shop, invoice)
    for _ in range(2):
        answer = await finance(shop).post(f"{ADMIN}/credit-notes/{note['id']}/void")
        assert (answer.status_code, answer.json()["status"]) == (200, "void")
    account = shop.with_key(tenant.keys["billing:read"])
    after = (await account.get(f"{BILLING}/invoices/{invoice['id']}")).json()
    assert (after["status"], after["amount_due_cents"]) == ("open", invoice["total_cents"])


async def test_a_refund_waits_until_finance_made_it(shop: "Shop") -> None:
    tenant, invoice = await shop.billed()
    owner = shop.with_key(tenant.keys["billing:write"])
    manual = {
        "invoice_id": invoice["id"],
        "payment_method": "bank_transfer",
        "transaction_reference": "T-1",
        "amount_cents": invoice["total_cents"],
    }
    payment = (await owner.post(f"{BILLING}/payments/manual", json=manual)).json()
    approve = f"/api/v1/admin/payments/{payment['id']}/approve"
    await finance(shop).post(approve, json={"reason": "it came"})
    note = await issued(shop, invoice, rest="refund")
    assert note["refund_cents"] == invoice["total_cents"]
    waiting = await finance(shop).get(f"{ADMIN}/refunds", params={"account_id": tenant.id})
    (refund,) = waiting.json()["refunds"]
    assert (refund["credit_note"], refund["status"]) == (note["id"], "requested")
    made = await finance(shop).post(
        f"{ADMIN}/refunds/{refund['id']}/made", json={"reference": "SEPA-1"}
    )
    assert (made.json()["status"], made.json()["made_through"]) == ("made", "manual")
    refused = await finance(shop).post(f"{ADMIN}/credit-notes/{note['id']}/void")
    shop.refused(refused, 409, "refund_made")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"reason": "because"}, 422, "validation_failed"),
        ({"reason": "other", "lines": []}, 422, "validation_failed"),
        ({"reason": "other", "lines": [{"line": "il_x"}]}, 404, "invoice_line_not_found"),
        ({"reason": "other", "text": "x" * 501}, 422, "validation_failed"),
        ({"reason": "other", "offset_cents": 1}, 409, "credit_split_differs"),
        ({"reason": "other", "total_cents": 1}, 422, "validation_failed"),
    ],
)
async def test_what_can_not_be_is_refused_and_changes_nothing(
    shop: "Shop", body: Mapping[str, Any], status: int, code: str
) -> None:
    _, invoice = await shop.billed()
    before = await shop.counts()
    path = f"{ADMIN}/invoices/{invoice['id']}/credit-notes"
    shop.refused(await finance(shop).post(path, json=body), status, code)
    assert await shop.counts() == before


async def test_only_finance_issues_notes(shop: "Shop") -> None:
    tenant, invoice = await shop.billed()
    path = f"{ADMIN}/invoices/{invoice['id']}/credit-notes"
    owner = shop.with_key(tenant.keys["billing:write"])
    assert (await owner.post(path, json={"reason": "other"})).status_code == 403
