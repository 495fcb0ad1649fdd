"""Payments by hand: told by the customer, seen by finance, booked once, and written down."""

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tallystick.kernel.db import account_scope
from tallystick.ledger import service as ledger
from tallystick.ledger.model import RECEIVABLE

if TYPE_CHECKING:
    from tests.api.conftest import Shop, Tenant

Json = dict[str, Any]
BILLING = "/api/v1/billing"
MANUAL = f"{BILLING}/payments/manual"
ADMIN = "/api/v1/admin/payments"


def transfer(invoice: Json, **changes: object) -> Json:
    body = {
        "invoice_id": invoice["id"],
        "payment_method": "bank_transfer",
        "transaction_reference": "SEPA 4711",
        **changes,
    }
    return {name: value for name, value in body.items() if value is not None}


async def decide(shop: "Shop", payment: Json, what: str, reason: str = "seen") -> httpx.Response:
    finance = shop.as_person(shop.finance)
    return await finance.post(f"{ADMIN}/{payment['id']}/{what}", json={"reason": reason})


async def owed(shop: "Shop", tenant: "Tenant") -> int:
    account_id = tenant.account.account_id
    async with shop.db.transaction(account_scope(account_id)) as conn:
        return await ledger.balance(conn, account_id, RECEIVABLE, "USD")


async def read(shop: "Shop", tenant: "Tenant", invoice: Json) -> Json:
    client = shop.with_key(tenant.keys["billing:read"])
    found: Json = (await client.get(f"{BILLING}/invoices/{invoice['id']}")).json()
    return found


async def test_a_transfer_waits_is_approved_and_settles_the_invoice(shop: "Shop") -> None:
    tenant, invoice = await shop.billed()
    owner = shop.as_person(tenant.owner)
    told = await owner.post(MANUAL, json=transfer(invoice))
    assert told.status_code == 201, told.text
    payment = told.json()
    assert payment["status"] == "pending_approval"
    assert (payment["amount"], payment["amount_cents"]) == (54.0, 5400)
    assert (payment["currency"], payment["gateway"]) == ("usd", "manual")
    assert payment["transaction_reference"] == "SEPA 4711"
    assert payment["settled_at"] is None
    assert await owed(shop, tenant) == 5400
    pending = (await shop.as_person(shop.finance).get(f"{ADMIN}/pending")).json()
    assert payment["id"] in [waiting["id"] for waiting in pending["payments"]]

    approved = await decide(shop, payment, "approve")
    assert approved.status_code == 200, approved.text
    assert approved.json()["status"] == "succeeded"
    paid = await read(shop, tenant, invoice)
    assert (paid["status"], paid["paid"], paid["amount_remaining_cents"]) == ("paid", True, 0)
    assert (paid["amount_paid_cents"], paid["amount_paid"]) == (5400, 54.0)
    assert await owed(shop, tenant) == 0
    pending = (await shop.as_person(shop.finance).get(f"{ADMIN}/pending")).json()
    assert payment["id"] not in [waiting["id"] for waiting in pending["payments"]]

    again = await decide(shop, payment, "approve")
    assert (again.status_code, again.json()["status"]) == (200, "succeeded")
    assert await owed(shop, tenant) == 0


async def test_part_of_an_invoice_can_be_paid(shop: "Shop") -> None:
    tenant, invoice = await shop.billed()
    owner = shop.as_person(tenant.owner)
    payment = (
        await owner.post(MANUAL, json=transfer(invoice, amount_cents=400, partial=True))
    ).json()
    assert (await decide(shop, payment, "approve")).status_code == 200
    after = await read(shop, tenant, invoice)
    assert (after["status"], after["amount_remaining_cents"]) == ("open", 5000)
    rest = (
        await owner.post(MANUAL, json=transfer(invoice, currency="usd", transaction_reference="B"))
    ).json()
    assert rest["amount_cents"] == 5000


@pytest.mark.parametrize("name", ["invoice_id", "payment_method", "transaction_reference"])
@pytest.mark.parametrize("value", [None, ""])
async def test_what_is_missing_is_400_and_named(shop: "Shop", name: str, value: str | None) -> None:
    tenant, invoice = await shop.billed()
    owner = shop.as_person(tenant.owner)
    before = await shop.counts()
    answer = await owner.post(MANUAL, json=transfer(invoice, **{name: value}))
    problem = shop.refused(answer, 400, "manual_payment_incomplete")
    assert shop.fields(problem) == [(name, "missing")]
    assert await shop.counts() == before


async def test_everything_missing_is_named_at_once(shop: "Shop") -> None:
    owner = shop.as_person(shop.acme.owner)
    problem = shop.refused(await owner.post(MANUAL, json={}), 400, "manual_payment_incomplete")
    assert [name for name, _ in shop.fields(problem)] == [
        "invoice_id",
        "payment_method",
        "transaction_reference",
    ]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"amount_cents": 0}, "amount_cents"),
        ({"amount_cents": -1}, "amount_cents"),
        ({"amount_cents": 10**18}, "amount_cents"),
        ({"amount_cents": 10**30}, "amount_cents"),
        ({"transaction_reference": "x" * 201}, "transaction_reference"),
        ({"transaction_reference": "  \n"}, "transaction_reference"),
        ({"transaction_reference": "a\0b"}, "transaction_reference"),
    ],
    ids=str,
)
async def test_what_can_not_be_is_422_and_named_as_it_was_sent(
    shop: "Shop", changes: Json, field: str
) -> None:
    tenant, invoice = await shop.billed()
    owner = shop.as_person(tenant.owner)
    before = await shop.counts()
    answer = await owner.post(MANUAL, json=transfer(invoice, **changes))
    problem = shop.refused(answer, 422, "validation_failed")
    assert [name for name, _ in shop.fields(problem)] == [field]
    assert await shop.counts() == before


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"amount_cents": 5401}, "amount_cents"),
        ({"amount_cents": 5399}, "amount_cents"),
        ({"amount_cents": 5401, "partial": True}, "amount_cents"),
        ({"currency": "eur"}, "currency"),
    ],
    ids=str,
)
async def test_another_amount_or_currency_than_is_due_is_400(
    shop: "Shop", changes: Json, field: str
) -> None:
    tenant, invoice = await shop.billed()
    owner = shop.as_person(tenant.owner)
    before = await shop.counts()
    answer = await owner.post(MANUAL, json=transfer(invoice, **changes))
    problem = shop.refused(answer, 400, "manual_payment_differs")
    assert [name for name, _ in shop.fields(problem)] == [field]
    assert await shop.counts() == before


async def test_a_way_of_paying_has_to_be_one_that_is_offered(shop: "Shop") -> None:
    tenant, invoice = await shop.billed()
    owner, admin = shop.as_person(tenant.owner), shop.as_person(shop.admin)
    wire = {"gateway": "manual", "type": "bank_transfer", "name": "Wire", "currencies": ["usd"]}
    await admin.put("/api/v1/admin/payment-method-configs/wire", json=wire)
    answer = await owner.post(MANUAL, json=transfer(invoice))
    problem = shop.refused(answer, 400, "payment_method_not_available")
    assert [name for name, _ in shop.fields(problem)] == ["payment_method"]
    told = transfer(invoice, payment_method="wire", proof_note="receipt 12 of Monday")
    payment = (await owner.post(MANUAL, json=told)).json()
    assert (payment["method_code"], payment["proof_note"]) == ("wire", "receipt 12 of Monday")
    await admin.delete("/api/v1/admin/payment-method-configs/wire")


async def test_finance_books_what_came_and_more_is_prepaid(shop: "Shop") -> None:
    tenant, invoice = await shop.billed()
    payment = (await shop.as_person(tenant.owner).post(MANUAL, json=transfer(invoice))).json()
    finance = shop.as_person(shop.finance)
    body = {"reason": "statement of Friday", "amount_cents": 6000}
    answer = await finance.post(f"{ADMIN}/{payment['id']}/approve", json=body)
    assert answer.status_code == 200, answer.text
    done = answer.json()
    assert (done["amount_received_cents"], done["amount_over_cents"]) == (6000, 600)
    assert (await read(shop, tenant, invoice))["paid"] is True


async def test_a_currency_that_is_none_is_422(shop: "Shop") -> None:
    tenant, invoice = await shop.billed()
    owner = shop.as_person(tenant.owner)
    answer = await owner.post(MANUAL, json=transfer(invoice, currency="xyz"))
    shop.refused(answer, 422, "unknown_currency")


async def test_a_paid_invoice_is_400(shop: "Shop") -> None:
    tenant, invoice = await shop.billed()
    owner = shop.as_person(tenant.owner)
    payment = (await owner.post(MANUAL, json=transfer(invoice))).json()
    await decide(shop, payment, "approve")
    before = await shop.counts()
    shop.refused(await owner.post(MANUAL, json=transfer(invoice)), 400, "already_paid")
    answer = await owner.post(f"{BILLING}/invoices/{invoice['id']}/pay")
    shop.refused(answer, 400, "already_paid")
    assert await shop.counts() == before


async def test_one_transfer_at_a_time(shop: "Shop") -> None:
    tenant, invoice = await shop.billed()
    owner = shop.as_person(tenant.owner)
    assert (await owner.post(MANUAL, json=transfer(invoice))).status_code == 201
    before = await shop.counts()
    another = transfer(invoice, transaction_reference="SEPA 4712")
    shop.refused(await owner.post(MANUAL, json=another), 409, "payment_in_progress")
    again = await owner.post(MANUAL, json=transfer(invoice))
    shop.refused(again, 409, "transaction_reference_used")
    assert await shop.counts() == before


async def test_a_transfer_that_never_came_is_rejected_with_a_reason(shop: "Shop") -> None:
    tenant, invoice = await shop.billed()
    owner = shop.as_person(tenant.owner)
    payment = (await owner.post(MANUAL, json=transfer(invoice))).json()
    for _ in range(2):
        rejected = await decide(shop, payment, "reject", "nothing on the statement")
        assert rejected.status_code == 200
        told = rejected.json()
        assert (told["status"], told["failure_code"]) == ("failed", "rejected")
        assert told["note"] == "nothing on the statement"
        assert told["failure_message"]
    assert (await read(shop, tenant, invoice))["amount_due_cents"] == 5400
    answer = await decide(shop, payment, "approve")
    shop.refused(answer, 409, "payment_not_awaiting_approval")
    assert (await owner.post(MANUAL, json=transfer(invoice))).status_code == 201


async def test_an_approved_transfer_can_not_be_rejected(shop: "Shop") -> None:
    tenant, invoice = await shop.billed()
    owner = shop.as_person(tenant.owner)
    payment = (await owner.post(MANUAL, json=transfer(invoice))).json()
    await decide(shop, payment, "approve")
    answer = await decide(shop, payment, "reject")
    shop.refused(answer, 409, "payment_not_awaiting_approval")
    assert (await read(shop, tenant, invoice))["paid"] is True


async def test_finance_and_admins_decide_and_nobody_else(shop: "Shop") -> None:
    tenant, invoice = await shop.billed()
    owner = shop.as_person(tenant.owner)
    payment = (await owner.post(MANUAL, json=transfer(invoice))).json()
    before = await shop.counts()
    others = [
        owner,
        shop.as_person(tenant.member),
        shop.as_person(shop.support),
        shop.with_key(tenant.keys["billing:write"]),
        shop.with_key(shop.house_keys["billing:write"]),
    ]
    for client in others:
        for what in ("approve", "reject"):
            answer = await client.post(f"{ADMIN}/{payment['id']}/{what}", json={"reason": "x"})
            shop.refused(answer, 403, "not_allowed")
        shop.refused(await client.get(f"{ADMIN}/pending"), 403, "not_allowed")
    assert await shop.counts() == before
    admin = shop.as_person(shop.admin)
    answer = await admin.post(f"{ADMIN}/{payment['id']}/approve", json={"reason": "x"})
    assert answer.status_code == 200


@pytest.mark.parametrize("what", ["approve", "reject"])
@pytest.mark.parametrize("reason", ["", "  \n", "x" * 501, "a\0b"])
async def test_a_decision_needs_a_reason(shop: "Shop", what: str, reason: str) -> None:
    tenant, invoice = await shop.billed()
    payment = (await shop.as_person(tenant.owner).post(MANUAL, json=transfer(invoice))).json()
    before = await shop.counts()
    answer = await decide(shop, payment, what, reason)
    problem = shop.refused(answer, 422, "validation_failed")
    assert [name for name, _ in shop.fields(problem)] == ["reason"]
    finance = shop.as_person(shop.finance)
    answer = await finance.post(f"{ADMIN}/{payment['id']}/{what}", json={})
    assert shop.fields(shop.refused(answer, 422, "validation_failed")) == [("reason", "missing")]
    assert await shop.counts() == before


async def test_who_decided_when_and_why_is_in_the_audit(shop: "Shop") -> None:
    tenant, invoice = await shop.billed()
    payment = (await shop.as_person(tenant.owner).post(MANUAL, json=transfer(invoice))).json()
    decided = await decide(shop, payment, "approve", "statement of Friday, line 3")
    support = shop.as_person(shop.support)
    audit = (
        await support.get("/api/v1/admin/audit", params={"account_id": tenant.id, "limit": 100})
    ).json()
    entries = [entry for entry in audit["entries"] if entry["table"] == "payments"]
    newest = entries[0]
    assert newest["action"] == "UPDATE"
    assert newest["reason"] == "statement of Friday, line 3"
    assert (newest["actor_kind"], newest["actor"]) == ("user", shop.finance.id)
    assert newest["request_id"] == decided.headers["x-request-id"]
    assert newest["account"] == tenant.id
    assert newest["before"]["status"] == "pending_approval"
    assert newest["after"]["status"] == "succeeded"
    by_owner = entries[-1]
    assert (by_owner["action"], by_owner["actor"]) == ("INSERT", tenant.owner.id)
    assert {entry["account"] for entry in audit["entries"]} == {tenant.id}


async def test_a_retry_without_an_idempotency_key_meets_the_first_transfer(shop: "Shop") -> None:
    """Nothing is paid twice: one transfer of an invoice waits at a time."""
    tenant, invoice = await shop.billed()
    owner = shop.as_person(tenant.owner)
    headers = {"Idempotency-Key": "transfer-1"}
    first = await owner.post(MANUAL, json=transfer(invoice), headers=headers)
    second = await owner.post(MANUAL, json=transfer(invoice), headers=headers)
    assert first.json() == second.json()
    payments = (await owner.get(f"{BILLING}/payments")).json()
    assert [payment["id"] for payment in payments["payments"]] == [first.json()["id"]]
    one = await owner.get(f"{BILLING}/payments/{first.json()['id']}")
    assert one.json() == first.json()


@pytest.mark.parametrize(
    ("currency", "minor", "major"),
    [("JPY", 4900, "4900"), ("KWD", 4900, "4.900"), ("EUR", 4900, "49.00")],
)
async def test_amounts_have_the_decimals_of_their_currency(
    shop: "Shop", currency: str, minor: int, major: str
) -> None:
    admin = shop.with_key(shop.house_keys["admin"])
    amount = {"JPY": "4900", "KWD": "4.9", "EUR": "49"}[currency]
    plan = {
        "code": f"in-{currency.lower()}",
        "name": "Plan",
        "currency": currency.lower(),
        "interval": "month",
        "prices": [{"model": "flat", "currency": currency, "code": "fee", "amount": amount}],
    }
    made = await admin.post("/api/v1/admin/plans", json=plan)
    assert made.status_code == 201, made.text
    assert made.json()["amount_cents"] == minor
    assert f'"amount":{major},' in made.text
    tenant = await shop.tenant(currency=currency)
    owner = shop.with_key(tenant.keys["billing:write"])
    subscribed = await owner.post(f"{BILLING}/subscriptions", json={"plan": plan["code"]})
    assert subscribed.status_code == 201
    assert (subscribed.json()["currency"], subscribed.json()["amount_cents"]) == (
        currency.lower(),
        minor,
    )
    assert f'"amount":{major},' in subscribed.text


async def test_an_open_invoice_says_how_to_pay_it_by_hand(shop: "Shop") -> None:
    admin = shop.as_person(shop.admin)
    (issuer,) = (await admin.get("/api/v1/admin/issuers")).json()["issuers"]
    bank = {"iban": "DE89370400440532013000", "bank_name": "Musterbank",
            "payment_instructions": "Name the invoice."}  # fmt: skip
    changed = await admin.patch(f"/api/v1/admin/issuers/{issuer['id']}", json=bank)
    assert changed.status_code == 200, changed.text
    wire = {"gateway": "manual", "type": "cheque", "name": "Cheque", "instructions": "To our desk."}
    await admin.put("/api/v1/admin/payment-method-configs/cheque", json=wire)
    tenant, invoice = await shop.billed()
    owner = shop.as_person(tenant.owner)
    path = f"{BILLING}/invoices/{invoice['id']}/payment-instructions"
    told = (await owner.get(path)).json()
    assert (told["reference"], told["amount_due_cents"]) == (invoice["number"], 5400)
    assert (told["bank"]["iban"], told["bank"]["bank_name"]) == (bank["iban"], "Musterbank")
    assert told["instructions"] == "Name the invoice."
    assert [way["instructions"] for way in told["payment_methods"]] == ["To our desk."]
    page = await owner.get(f"/billing/invoices/{invoice['id']}")
    assert "DE89 3704 0044 0532 0130 00" in page.text
    assert "To our desk." in page.text
    sent = transfer(invoice, payment_method="cheque")
    await decide(shop, (await owner.post(MANUAL, json=sent)).json(), "approve")
    paid = (await owner.get(path)).json()
    assert (paid["amount_due_cents"], paid["bank"], paid["reference"]) == (0, None, None)
    await admin.delete("/api/v1/admin/payment-method-configs/cheque")
