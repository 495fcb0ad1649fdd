"""What the seeds read of invoices, field by field, and which of our fields answers it."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest

if TYPE_CHECKING:
    from tests.api.conftest import Shop, Tenant

Json = dict[str, Any]
BASES: Final = ("/api/v1/billing", "/api/billing")
BILLING: Final = BASES[0]
ADMIN: Final = "/api/v1/admin/payments"
# Seed, its field or fact, our field (a dot: in each line), the type in JSON where it has a value.
FIELDS: Final = (
    ("Ops Center", "id", "id", str),
    ("Ops Center", "number", "number", str),
    ("Ops Center", "amount_due", "amount_due", float),
    ("Ops Center", "amount_paid", "amount_paid", float),
    ("Ops Center", "currency", "currency", str),
    ("Ops Center", "status", "status", str),
    ("Ops Center", "created", "created", str),
    ("Ops Center", "due_date", "due_date", str),
    ("Ops Center", "paid", "paid", bool),
    ("Ops Center", "invoice_pdf", "invoice_pdf", str),
    ("Ops Center", "hosted_invoice_url", "hosted_invoice_url", str),
    ("ApexMediation", "line item breakdown", "lines", list),
    ("ApexMediation", "line item: what", "lines.description", str),
    ("ApexMediation", "line item: how many", "lines.quantity", str),
    ("ApexMediation", "line item: amount", "lines.amount", float),
    ("ApexMediation", "payment status", "status", str),
    ("ApexMediation", "payment status: when", "paid_at", str),
    ("ApexMediation", "payment status: how far", "amount_remaining", float),
    ("IGNY8", "invoice_id of POST /payments/manual", "id", str),
    ("IGNY8", "status", "status", str),
    ("CCBill", "owed, which /pay-balance pays", "amount_remaining", float),
    ("Stripe", "owed, which /pay-balance pays", "amount_remaining", float),
    ("contract", "amount_due_cents", "amount_due_cents", int),
    ("contract", "amount_paid_cents", "amount_paid_cents", int),
)
IGNY8_STATUSES: Final = ("draft", "pending", "paid", "void", "uncollectible")


async def settled(shop: "Shop") -> "tuple[Tenant, Json]":
    """Return an account and its invoice over 54.00, paid by transfer."""
    tenant, invoice = await shop.billed()
    told = {
        "invoice_id": invoice["id"],
        "payment_method": "bank_transfer",
        "transaction_reference": "SEPA 4711",
    }
    payment = (
        await shop.as_person(tenant.owner).post(f"{BILLING}/payments/manual", json=told)
    ).json()
    approve = f"{ADMIN}/{payment['id']}/approve"
    await shop.as_person(shop.finance).post(approve, json={"reason": "it came"})
    answer = await reader(shop, tenant).get(f"{BILLING}/invoices/{invoice['id']}")
    return tenant, answer.json()


def reader(shop: "Shop", tenant: "Tenant") -> httpx.AsyncClient:
    return shop.with_key(tenant.keys["billing:read"])


def values(invoice: Json, field: str) -> list[Any]:
    head, _, rest = field.partition(".")
    return [line[rest] for line in invoice[head]] if rest else [invoice[head]]


async def test_each_field_of_a_seed_has_a_field_of_ours(shop: "Shop") -> None:
    _, invoice = await settled(shop)
    for seed, theirs, ours, kind in FIELDS:
        for value in values(invoice, ours):
            assert type(value) is kind, (seed, theirs, ours, value)
    assert invoice["lines"]


async def test_a_paid_invoice_says_what_it_asked_for_as_the_example_of_ops_center(
    shop: "Shop",
) -> None:
    """There amount_due and amount_paid are both 49.00 once it is paid."""
    _, invoice = await settled(shop)
    assert (invoice["amount_due"], invoice["amount_paid"], invoice["paid"]) == (54.0, 54.0, True)
    assert (invoice["amount_remaining_cents"], invoice["status"]) == (0, "paid")
    for name in ("created", "due_date", "paid_at"):
        assert invoice[name].endswith("Z")
        assert datetime.fromisoformat(invoice[name]).tzinfo is not None


@pytest.mark.parametrize("base", BASES)
async def test_the_list_has_the_parts_of_every_seed_at_both_bases(shop: "Shop", base: str) -> None:
    """ApexMediation reads `invoices` and `pagination`, Ops Center sends `limit` alone."""
    tenant, invoice = await settled(shop)
    client = reader(shop, tenant)
    for path in (f"{base}/invoices?page=1&limit=20&status=paid", f"{base}/invoices/?limit=10"):
        listed = (await client.get(path)).json()
        assert (listed["invoices"], listed["total"]) == ([invoice], 1)
        assert {"page", "limit", "total", "total_pages"} <= set(listed["pagination"])
    assert (await client.get(f"{base}/invoices/{invoice['id']}/")).json() == invoice


async def test_each_status_of_igny8_filters(shop: "Shop") -> None:
    tenant, invoice = await settled(shop)
    client = reader(shop, tenant)
    found = {
        status: (await client.get(f"{BILLING}/invoices?status={status}")).json()["total"]
        for status in IGNY8_STATUSES
    }
    assert found == dict.fromkeys(IGNY8_STATUSES, 0) | {"paid": 1}
    _, other = await shop.billed()
    assert (invoice["status"], other["status"]) == ("paid", "open")
    for query in ("status=unpaid", "limit=0", "limit=101", "page=0"):
        shop.refused(await client.get(f"{BILLING}/invoices?{query}"), 422, "validation_failed")


async def test_pending_reads_as_open(shop: "Shop") -> None:
    tenant, invoice = await shop.billed()
    listed = (await reader(shop, tenant).get(f"{BILLING}/invoices?status=pending")).json()
    assert [one["id"] for one in listed["invoices"]] == [invoice["id"]]


async def test_an_account_without_invoices_has_an_empty_list(shop: "Shop") -> None:
    listed = (await reader(shop, await shop.tenant()).get(f"{BILLING}/invoices")).json()
    assert (listed["invoices"], listed["total"]) == ([], 0)


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("name", ["pdf", "download_pdf", "download_pdf/"])
async def test_the_pdf_has_both_names_an_etag_and_304(shop: "Shop", base: str, name: str) -> None:
    tenant, invoice = await shop.billed()
    client, path = reader(shop, tenant), f"{base}/invoices/{invoice['id']}/{name}"
    answer = await client.get(path)
    etag = answer.headers["etag"]
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF")
    assert etag.startswith('"')
    for known in (etag, f'W/{etag}, "x"', "*"):
        again = await client.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    other = await client.get(path, headers={"If-None-Match": '"x"'})
    assert (other.status_code, other.content) == (200, answer.content)


async def test_another_accounts_invoice_is_not_there(shop: "Shop") -> None:
    _, invoice = await shop.billed()
    client = reader(shop, await shop.tenant())
    for name in ("", "/pdf", "/download_pdf", "/xml"):
        answer = await client.get(f"{BILLING}/invoices/{invoice['id']}{name}")
        shop.refused(answer, 404, "invoice_not_found")
