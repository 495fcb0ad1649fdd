"""The balance in the seeds' sense, the entries that made it, and the charge of development."""

from collections.abc import Callable
from typing import Any

from tallystick.kernel import ids
from tallystick.kernel.db import WRITER
from tallystick.ledger import service
from tallystick.ledger.model import (
    CREDIT,
    CREDITS,
    CREDITS_ISSUED,
    PREPAID,
    RECEIVABLE,
    Entry,
    Posting,
    clearing,
)
from tests.api.conftest import BILLING, Shop, Tenant

AMOUNTS = (
    "owed_settled",
    "owed_pending",
    "payments_settled",
    "payments_pending",
    "due_settled",
    "due_if_all_settles",
    "credit_balance",
)


async def balance(shop: Shop, tenant: Tenant) -> dict[str, Any]:
    answer = await shop.with_key(tenant.keys["billing:read"]).get(f"{BILLING}/balance")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def cents(answer: dict[str, Any]) -> tuple[int, ...]:
    return tuple(answer[f"{name}_cents"] for name in AMOUNTS)


async def book(shop: Shop, tenant: Tenant, key: str, *postings: Posting) -> None:
    entry = Entry(key, "test_move", "ref", f"because of {key}", shop.wall(), postings)
    async with shop.db.transaction(WRITER) as conn:
        await service.post(conn, tenant.account.account_id, entry)


async def test_a_new_account_owes_and_holds_nothing(shop: Shop) -> None:
    found = await balance(shop, await shop.tenant(currency="JPY"))
    assert cents(found) == (0,) * 7
    assert found["currency"] == "jpy"
    assert [one["currency"] for one in found["balances"]] == ["jpy"]


async def test_an_invoice_is_owed_until_its_payment_settles(shop: Shop) -> None:
    tenant, invoice = await shop.billed()
    total = invoice["total_cents"]
    assert cents(await balance(shop, tenant)) == (total, 0, 0, 0, total, total, 0)
    writer = shop.with_key(tenant.keys["billing:write"])
    told = {
        "invoice_id": invoice["id"],
        "payment_method": "bank_transfer",
        "transaction_reference": "T-1",
    }
    paid = await writer.post(f"{BILLING}/payments/manual", json=told)
    assert cents(await balance(shop, tenant)) == (total, 0, 0, total, total, 0, 0)
    approve = f"/api/v1/admin/payments/{paid.json()['id']}/approve"
    done = await shop.as_person(shop.finance).post(approve, json={"reason": "seen"})
    assert done.status_code == 200, done.text
    found = await balance(shop, tenant)
    assert cents(found) == (total, 0, total, 0, 0, 0, 0)
    assert (found["owed_settled"], found["due_settled"]) == (total / 100, 0)


async def test_a_charge_back_is_owed_again_and_prepaid_money_pays(shop: Shop) -> None:
    tenant, invoice = await shop.billed()
    total = invoice["total_cents"]
    paid = (Posting(clearing("stripe"), "USD", total), Posting(RECEIVABLE, "USD", -total))
    await book(shop, tenant, "paid", *paid)
    back = (Posting(RECEIVABLE, "USD", total), Posting(clearing("stripe"), "USD", -total))
    await book(shop, tenant, "charged back", *back)
    top_up = (Posting(clearing("stripe"), "USD", 1000), Posting(PREPAID, "USD", -1000))
    await book(shop, tenant, "top-up", *top_up)
    assert cents(await balance(shop, tenant)) == (total, 0, 0, 0, total, total, 1000)
    used = (Posting(PREPAID, "USD", 400), Posting(RECEIVABLE, "USD", -400))
    await book(shop, tenant, "used", *used)
    assert cents(await balance(shop, tenant)) == (total, 0, 400, 0, total - 400, total - 400, 600)


async def test_each_currency_stands_for_itself(shop: Shop) -> None:
    tenant = await shop.tenant(currency="USD")
    yen = (Posting(clearing("stripe"), "JPY", 500), Posting(PREPAID, "JPY", -500))
    await book(shop, tenant, "yen", *yen)
    found = await balance(shop, tenant)
    assert cents(found) == (0,) * 7
    own, other = found["balances"]
    assert (own["currency"], other["currency"]) == ("usd", "jpy")
    assert (other["credit_balance"], other["credit_balance_cents"]) == (500, 500)


async def test_the_ledger_is_listed_newest_first_with_its_cause_and_running_balance(
    shop: Shop,
) -> None:
    tenant, invoice = await shop.billed()
    paid = (Posting(clearing("stripe"), "USD", 900), Posting(RECEIVABLE, "USD", -900))
    await book(shop, tenant, "part", *paid)
    grant = (Posting(CREDITS_ISSUED, CREDIT, 150_000), Posting(CREDITS, CREDIT, -150_000))
    await book(shop, tenant, "grant", *grant)
    reader = shop.with_key(tenant.keys["billing:read"])
    answer = (await reader.get(f"{BILLING}/ledger", params={"limit": 2})).json()
    assert (answer["total"], answer["pagination"]["total_pages"]) == (3, 2)
    granted, part = answer["entries"]
    (moved,) = granted["postings"]
    assert (moved["unit"], moved["amount"], moved["balance"]) == ("credit", 1.5, 1.5)
    assert moved["amount_cents"] is None
    assert [(p["amount_cents"], p["balance_cents"]) for p in part["postings"]] == [
        (-900, invoice["total_cents"] - 900)
    ]
    cursor = answer["pagination"]["next_cursor"]
    rest = (await reader.get(f"{BILLING}/ledger", params={"cursor": cursor})).json()
    (issued,) = rest["entries"]
    assert (issued["kind"], issued["reference"]) == ("invoice_issued", invoice["id"])
    assert issued["invoice_number"] == invoice["number"]
    assert issued["postings"][0]["balance"] == invoice["total"]
    assert ids.parse("ledger_entry", issued["id"])


async def test_a_charge_can_be_added_in_development_only(
    shop: Shop, again: Callable[..., Shop]
) -> None:
    tenant = await shop.tenant()
    path, charge = f"{BILLING}/_dev/add-charge", {"amount_cents": 1250, "description": "A try"}
    for dev, status in ((shop, 404), (again(dev=True), 201)):
        writer = dev.with_key(tenant.keys["billing:write"])
        answer = await writer.post(path, json=charge, headers={"Idempotency-Key": f"k{status}"})
        assert answer.status_code == status, answer.text
    assert answer.json()["postings"][0]["balance_cents"] == 1250
    assert cents(await balance(shop, tenant)) == (1250, 0, 0, 0, 1250, 1250, 0)
    wrong = await writer.post(path, json={**charge, "amount_cents": 0})
    assert Shop.fields(Shop.refused(wrong, 422, "validation_failed")) == [
        ("amount_cents", "out_of_range")
    ]
