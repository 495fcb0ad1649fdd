"""Issuers, and what becomes of invoices that are not paid, over HTTP."""

import base64
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.api.conftest import Shop

Json = dict[str, Any]
ISSUERS = "/api/v1/admin/issuers"
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M0 0"/>{}</svg>'
FULL: Json = {
    "code": "ACME",
    "legal_name": "Acme GmbH",
    "address": ["1 Platz", "10115 Berlin"],
    "city": "Berlin",
    "postal_code": "10115",
    "country": "DE",
    "vat_number": "DE136695976",
    "tax_registrations": [{"country": "FR", "number": "FR123", "region": None}],
    "registration_number": "HRB 1",
    "email": "billing@acme.example",
    "bank_name": "Bank",
    "iban": "DE89370400440532013000",
    "bic": "COBADEFFXXX",
    "payment_instructions": "Please pay\nto our bank.",
    "locale": "de-DE",
    "payment_due_days": 30,
    "grace_hours": 48,
    "invoice_format": "A{year}-{number:04}",
    "credit_note_format": "N{year}-{number:04}",
    "number_reset": "yearly",
    "minimum_amounts": {"eur": "5.00"},
    "zero_rule": "skip",
    "is_default": False,
}


async def test_the_first_issuer_is_made_of_the_settings(shop: "Shop") -> None:
    found = (await shop.as_person(shop.support).get(ISSUERS)).json()
    (one,) = found["issuers"]
    assert (one["legal_name"], one["is_default"], one["follows_settings"]) == (
        "Tallystick GmbH", True, True,
    )  # fmt: skip
    assert "country" in one["missing"]


async def test_an_issuer_is_made_changed_used_and_retired(shop: "Shop") -> None:
    admin = shop.as_person(shop.admin)
    made = await admin.post(ISSUERS, json=FULL)
    assert made.status_code == 201, made.text
    issuer = made.json()
    assert {name: issuer[name] for name in FULL} == {
        **FULL,
        "minimum_amounts": {"eur": "5"},
        "tax_registrations": [{"country": "FR", "number": "FR123"}],
    }
    assert issuer["missing"] == []
    at = f"{ISSUERS}/{issuer['id']}"
    changed = (await admin.patch(at, json={"city": None, "region": "be"})).json()
    assert changed == {**issuer, "city": None, "region": "BE"}
    assert (await shop.as_person(shop.support).get(at)).json() == changed

    tenant = await shop.tenant()
    account = f"/api/v1/admin/accounts/{tenant.id}"
    asked = {"issuer": issuer["id"], "purchase_order": "PO-1", "memo": "Thank\nyou",
             "custom_fields": [{"label": "Cost centre", "value": "4711"}]}  # fmt: skip
    told = (await admin.patch(account, json=asked)).json()
    assert {name: told[name] for name in asked} == asked
    shop.refused(await admin.post(f"{at}/retire"), 409, "issuer_in_use")
    await admin.patch(account, json={"issuer": None})
    assert (await admin.post(f"{at}/retire")).json()["retired_at"]
    shop.refused(await admin.patch(account, json={"issuer": issuer["id"]}), 409, "issuer_retired")


async def test_only_an_admin_writes_issuers(shop: "Shop") -> None:
    shop.refused(await shop.as_person(shop.support).post(ISSUERS, json=FULL), 403, "not_allowed")


async def test_a_logo_is_kept_without_what_it_might_do(shop: "Shop") -> None:
    admin = shop.as_person(shop.admin)
    issuer = (await admin.post(ISSUERS, json={"code": "L1", "legal_name": "L"})).json()
    at = f"{ISSUERS}/{issuer['id']}/logo"
    shop.refused(await admin.get(at), 404, "logo_not_found")
    picture = SVG.format("<script>alert(1)</script>").encode()
    put = await admin.put(at, json={"content": base64.b64encode(picture).decode()})
    assert put.json()["logo"] == at
    shown = await admin.get(at)
    assert shown.headers["content-type"] == "image/svg+xml"
    assert "sandbox" in shown.headers["content-security-policy"]
    assert b"path" in shown.content
    assert b"alert" not in shown.content
    refused = await admin.put(at, json={"content": base64.b64encode(b"GIF").decode()})
    assert shop.fields(shop.refused(refused, 422, "validation_failed")) == [
        ("logo", "invalid_logo")
    ]
    assert (await admin.delete(at)).json()["logo"] is None


@pytest.mark.parametrize(("change", "field", "code"), [
    ({"iban": "DE00"}, "iban", "invalid_iban"),
    ({"invoice_format": "X"}, "invoice_format", "number_once"),
    ({"minimum_amounts": {"eur": "1.005"}}, "minimum_amounts.EUR", "too_many_decimals"),
    ({"code": "acme"}, "code", "invalid_code"),
])  # fmt: skip
async def test_a_bad_field_is_named(shop: "Shop", change: Json, field: str, code: str) -> None:
    answer = await shop.as_person(shop.admin).post(ISSUERS, json={**FULL, "code": "BAD", **change})
    assert shop.fields(shop.refused(answer, 422, "validation_failed")) == [(field, code)]


async def test_staff_write_off_collect_again_and_void_with_a_reason(shop: "Shop") -> None:
    tenant, invoice = await shop.billed()
    finance = shop.as_person(shop.finance)
    at = f"/api/v1/admin/accounts/{tenant.id}/invoices/{invoice['id']}"
    why = {"reason": "the address was wrong"}
    off = (await finance.post(f"{at}/write-off", json=why)).json()
    assert off["status"] == "uncollectible"
    assert (await finance.post(f"{at}/reopen", json=why)).json()["status"] == "open"
    void = await finance.post(f"{at}/void", json={**why, "rebill": True})
    assert void.status_code == 200, void.text
    body = void.json()
    assert (body["invoice"]["status"], body["invoice"]["amount_due_cents"]) == ("void", 0)
    assert body["replacement"]["status"] == "open"
    assert body["replacement"]["total_cents"] == invoice["total_cents"]
    told = (await finance.get(f"{at}/closings")).json()["closings"]
    assert [one["kind"] for one in told] == ["write_off", "reopen", "void"]
    assert told[2]["replaced_by"] == body["replacement"]["id"]
    assert {one["reason"] for one in told} == {"the address was wrong"}
    again = await finance.post(f"{at}/void", json={**why, "rebill": False})
    shop.refused(again, 409, "invoice_not_open")
    support = await shop.as_person(shop.support).post(f"{at}/write-off", json=why)
    shop.refused(support, 403, "not_allowed")


async def test_finance_writes_an_invoice_and_what_is_final_stays(shop: "Shop") -> None:
    tenant = await shop.tenant()
    finance = shop.as_person(shop.finance)
    base = f"/api/v1/admin/accounts/{tenant.id}/invoices"
    lines = [
        {"description": "Work", "quantity": "2.5", "unit_price": "99.99"},
        {"description": "Setup", "amount_cents": 5000},
    ]
    body = {"lines": lines, "memo": "Thanks", "purchase_order": "PO-1"}
    key = {"Idempotency-Key": "written-once"}
    made = await finance.post(base, json=body, headers=key)
    assert made.status_code == 201, made.text
    draft = made.json()
    assert (await finance.post(base, json=body, headers=key)).json() == draft
    assert (draft["status"], draft["number"], draft["total_cents"]) == ("draft", None, 29998)
    assert (draft["invoice_pdf"], draft["amount_due_cents"]) == (None, 0)
    at = f"{base}/{draft['id']}"
    more = (await finance.post(f"{at}/lines", json={"lines": [lines[1]]})).json()
    assert (more["total_cents"], len(more["lines"])) == (34998, 3)
    fields = [{"label": "Cost centre", "value": "4711"}]
    told = (await finance.patch(at, json={"memo": None, "custom_fields": fields})).json()
    assert (told["memo"], told["purchase_order"], told["custom_fields"]) == (None, "PO-1", fields)
    final = (await finance.post(f"{at}/finalize")).json()
    assert (final["status"], final["total_cents"]) == ("open", 34998)
    seen = await shop.with_key(tenant.keys["billing:read"]).get(
        f"/api/v1/billing/invoices/{draft['id']}"
    )
    assert seen.json() == final
    for refused in (
        await finance.post(f"{at}/finalize"),
        await finance.post(f"{at}/lines", json={"lines": lines}),
        await finance.patch(at, json={"memo": "x"}),
        await finance.delete(at),
    ):
        shop.refused(refused, 409, "invoice_not_draft")
    other = (await finance.post(base, json=body)).json()
    assert (await finance.delete(f"{base}/{other['id']}")).status_code == 204
    gone = await finance.post(f"{base}/{other['id']}/finalize")
    shop.refused(gone, 404, "invoice_not_found")


@pytest.mark.parametrize(("line", "field", "code"), [
    ({"amount_cents": 1, "unit_price": "1"}, "lines[0].unit_price", "one_of"),
    ({"unit_price": "1.0.0"}, "lines[0].unit_price", "not_a_decimal_string"),
    ({"unit_price": "1", "quantity": "-1"}, "lines[0].quantity", "not_a_decimal_string"),
])  # fmt: skip
async def test_a_line_that_can_not_be_billed_is_named(
    shop: "Shop", line: Json, field: str, code: str
) -> None:
    tenant = await shop.tenant()
    answer = await shop.as_person(shop.finance).post(
        f"/api/v1/admin/accounts/{tenant.id}/invoices",
        json={"lines": [{"description": "x", **line}]},
    )
    assert shop.fields(shop.refused(answer, 422, "validation_failed")) == [(field, code)]
