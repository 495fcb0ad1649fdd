"""The balance in the seeds' sense, the entries that made it, and the charge of development."""

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tallystick.credits import grants
from tallystick.credits.model import NewGrant
from tallystick.credits.service import Deduct
from tallystick.kernel import ids
from tallystick.kernel.db import WRITER
from tallystick.ledger import service
from tallystick.ledger.model import (
    CHARGEBACKS,
    CREDIT,
    CREDITS,
    CREDITS_ISSUED,
    PREPAID,
    RECEIVABLE,
    REVENUE,
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


async def pay_by_hand(shop: Shop, tenant: Tenant, invoice: dict[str, Any]) -> None:
    writer = shop.with_key(tenant.keys["billing:write"])
    told = {
        "invoice_id": invoice["id"],
        "payment_method": "bank_transfer",
        "transaction_reference": "T-1",
    }
    paid = await writer.post(f"{BILLING}/payments/manual", json=told)
    approve = f"/api/v1/admin/payments/{paid.json()['id']}/approve"
    done = await shop.as_person(shop.finance).post(approve, json={"reason": "seen"})
    assert done.status_code == 200, done.text


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


async def test_what_a_lost_dispute_took_back_is_no_payment_any_more(shop: Shop) -> None:
    tenant, invoice = await shop.billed()
    total = invoice["total_cents"]
    paid = (Posting(clearing("stripe"), "USD", total), Posting(RECEIVABLE, "USD", -total))
    await book(shop, tenant, "paid", *paid)
    opened = (Posting(CHARGEBACKS, "USD", total), Posting(clearing("stripe"), "USD", -total))
    await book(shop, tenant, "opened", *opened)
    assert cents(await balance(shop, tenant)) == (total, 0, total, 0, 0, 0, 0)
    lost = (Posting(RECEIVABLE, "USD", total), Posting(CHARGEBACKS, "USD", -total))
    await book(shop, tenant, "lost", *lost)
    assert cents(await balance(shop, tenant)) == (total, 0, 0, 0, total, total, 0)


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
    assert (granted["cause"], part["cause"]) == ("other", "other")
    (moved,) = granted["postings"]
    assert moved["sequence"] == 1
    assert (moved["unit"], moved["amount"], moved["balance"]) == ("credit", 1.5, 1.5)
    assert moved["amount_cents"] is None
    assert [(p["amount_cents"], p["balance_cents"]) for p in part["postings"]] == [
        (-900, invoice["total_cents"] - 900)
    ]
    cursor = answer["pagination"]["next_cursor"]
    rest = (await reader.get(f"{BILLING}/ledger", params={"cursor": cursor})).json()
    (issued,) = rest["entries"]
    assert (issued["kind"], issued["cause"]) == ("invoice_issued", "invoice")
    assert issued["reference"] == invoice["id"]
    assert issued["invoice_number"] == invoice["number"]
    assert issued["postings"][0]["balance"] == invoice["total"]
    assert ids.parse("ledger_entry", issued["id"])


async def test_the_ledger_tells_what_caused_an_entry_and_runs_its_balance_by_currency(
    shop: Shop,
) -> None:
    tenant, invoice = await shop.billed()
    account_id = tenant.account.account_id
    at, credits_ = shop.wall(), shop.services.credits
    await pay_by_hand(shop, tenant, invoice)
    yen = (Posting(RECEIVABLE, "JPY", 500), Posting(REVENUE, "JPY", -500))
    await book(shop, tenant, "yen", *yen)
    async with shop.db.transaction(WRITER) as conn:
        given = NewGrant(source="promotion", units=500_000, reason="Welcome")
        grant = await grants.grant(conn, account_id, given, key="g", at=at)
    wanted = Deduct(account_id=account_id, key="d", at=at, operation="write", credits=Decimal(2))
    await credits_.deduct(wanted)
    reader = shop.with_key(tenant.keys["billing:read"])
    entries = (await reader.get(f"{BILLING}/ledger")).json()["entries"]
    assert [(one["kind"], one["cause"]) for one in entries] == [
        ("credit_usage", "operation"),
        ("credit_grant", "credit_grant"),
        ("test_move", "other"),
        ("payment_settled", "payment"),
        ("invoice_issued", "invoice"),
    ]
    assert entries[0]["reference"] == "write"
    assert ids.parse("credit_grant", entries[1]["reference"]) == grant.credit_grant_id
    assert ids.parse("payment", entries[3]["reference"])
    moved = [
        (one["unit"], one["sequence"], one["amount"], one["balance"])
        for entry in entries
        for one in entry["postings"]
    ]
    total = invoice["total"]
    assert moved == [
        ("credit", 2, -2, 3),
        ("credit", 1, 5, 5),
        ("jpy", 1, 500, 500),
        ("usd", 2, -total, 0),
        ("usd", 1, total, total),
    ]


async def test_entries_of_one_moment_are_listed_in_the_order_of_posting(shop: Shop) -> None:
    tenant = await shop.tenant()
    ledger = shop.services.ledger

    async def owe(number: int) -> None:
        postings = (Posting(RECEIVABLE, "USD", 1), Posting(REVENUE, "USD", -1))
        entry = Entry(f"k{number}", "test_move", "ref", "A test", shop.wall(), postings)
        await ledger.post(tenant.account.account_id, entry)

    await asyncio.gather(*(owe(number) for number in range(25)))
    reader = shop.with_key(tenant.keys["billing:read"])
    found: list[int] = []
    asked: dict[str, str] = {"limit": "10"}
    while asked:
        answer = (await reader.get(f"{BILLING}/ledger", params=asked)).json()
        found += [one["postings"][0]["balance_cents"] for one in answer["entries"]]
        cursor = answer["pagination"]["next_cursor"]
        asked = {"limit": "10", "cursor": cursor} if cursor else {}
    assert found == list(range(25, 0, -1))


async def test_a_charge_can_be_added_in_development_only(
    shop: Shop, again: Callable[..., Shop]
) -> None:
    tenant = await shop.tenant()
    path, charge = f"{BILLING}/_dev/add-charge", {"amount_cents": 1250, "description": "A try"}
    for dev, status in ((shop, 404), (again(dev=True), 201)):
        writer = dev.with_key(tenant.keys["billing:write"])
        answer = await writer.post(path, json=charge, headers={"Idempotency-Key": f"k{status}"})
        assert answer.status_code == status, answer.text
    entry = answer.json()
    assert (entry["postings"][0]["balance_cents"], entry["cause"]) == (1250, "invoice")
    shown = (await writer.get(f"{BILLING}/invoices/{entry['reference']}")).json()
    assert [(line["kind"], line["amount_cents"]) for line in shown["lines"]] == [("one_off", 1250)]
    assert cents(await balance(shop, tenant)) == (1250, 0, 0, 0, 1250, 1250, 0)
    for wrong in (0, -1, 2**63):
        refused = await writer.post(path, json={**charge, "amount_cents": wrong})
        assert Shop.fields(Shop.refused(refused, 422, "validation_failed")) == [
            ("amount_cents", "out_of_range")
        ]


async def test_an_entry_is_added_once_for_a_key(shop: Shop, again: Callable[..., Shop]) -> None:
    tenant, path = await shop.tenant(), f"{BILLING}/_dev/add-entry"
    charge = {"amount_cents": 100, "description": "A try"}
    writer = again(dev=True).with_key(tenant.keys["billing:write"])
    key = {"Idempotency-Key": "once"}
    answers = await asyncio.gather(*(writer.post(path, json=charge, headers=key) for _ in "abcde"))
    assert {one.status_code for one in answers} == {201}
    assert len({one.text for one in answers}) == 1
    assert [one.headers.get("idempotent-replayed") for one in answers].count("true") == 4
    for other in ({"amount_cents": 101}, {"description": "Another"}, {"currency": "eur"}):
        refused = await writer.post(path, json={**charge, **other}, headers=key)
        Shop.refused(refused, 409, "idempotency_conflict")
    long = await writer.post(path, json=charge, headers={"Idempotency-Key": "k" * 256})
    Shop.refused(long, 422, "validation_failed")
    assert cents(await balance(shop, tenant))[0] == 100


async def test_charges_stand_in_the_currency_they_were_made_in(
    shop: Shop, again: Callable[..., Shop]
) -> None:
    tenant, path = await shop.tenant(currency="USD"), f"{BILLING}/_dev/add-charge"
    writer = again(dev=True).with_key(tenant.keys["billing:write"])
    for currency, amount in (("jpy", 700), ("usd", 250), ("kwd", 1500), ("jpy", 1)):
        charge = {"amount_cents": amount, "description": "A try", "currency": currency}
        assert (await writer.post(path, json=charge)).status_code == 201
    found = await balance(shop, tenant)
    assert cents(found) == (250, 0, 0, 0, 250, 250, 0)
    owed = {one["currency"]: one["due_settled"] for one in found["balances"]}
    assert owed == {"usd": 2.5, "jpy": 701, "kwd": 1.5}
