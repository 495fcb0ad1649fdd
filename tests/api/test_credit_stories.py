"""Credits over HTTP as a user meets them: explained, moved, taken back, topped up, ended."""

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.api.test_credits import ADMIN, BILLING, Teller

if TYPE_CHECKING:
    from tests.api.conftest import Shop

Json = dict[str, Any]
FAR = "2199-01-01T00:00:00Z"


@pytest.fixture
async def teller(shop: "Shop") -> Teller:
    return Teller(shop, await shop.tenant())


async def package(teller: Teller, **more: Any) -> Json:
    code = f"p{uuid4().hex[:12]}"
    body = {"code": code, "name": "Small", "credits": "500", "currency": "USD",
            "amount_cents": 900, **more}  # fmt: skip
    made = await teller.admin("/credit-packages", body)
    assert made.status_code == 201, made.text
    found: Json = made.json()
    return found


async def buy(teller: Teller, package_id: str) -> Json:
    path = f"{BILLING}/credit-packages/{package_id}/purchase"
    bought = await teller.owner.post(path, json={"payment_method": "manual"})
    assert bought.status_code == 201, bought.text
    invoice: Json = bought.json()["invoice"]
    return invoice


async def pay(teller: Teller, invoice: str) -> None:
    paid = {"invoice_id": invoice, "payment_method": "manual", "transaction_reference": "T1"}
    payment = (await teller.owner.post(f"{BILLING}/payments/manual", json=paid)).json()
    await teller.admin(f"/payments/{payment['id']}/approve", {"reason": "seen"})
    await teller.shop.work()


async def test_a_debit_is_explained_by_its_grants_in_burn_order(teller: Teller) -> None:
    later = await teller.give("5")
    sooner = await teller.give("2", expires_at=FAR)
    first = await teller.give("1", priority=10, source="promotion")
    debit = (await teller.post("/credits/deduct", {"operation": "write", "credits": "4"})).json()
    found = await teller.get(f"/credits/transactions/{debit['id']}")
    assert [(one["grant"], one["credits"]) for one in found["allocations"]] == [
        (first["id"], 1), (sooner["id"], 2), (later["id"], 1)
    ]  # fmt: skip
    assert (found["overdrawn"], found["cost"], found["grant"]) == (0, None, None)
    assert found["transaction"]["credits"] == -4
    assert found["steps"] == [
        "4 credits were asked for.",
        f"1 from {first['id']} (promotion, priority 10).",
        f"2 from {sooner['id']} (manual, priority 100, expires 2199-01-01T00:00:00Z).",
        f"1 from {later['id']} (manual, priority 100).",
    ]
    grants = (await teller.get("/credits/grants"))["grants"]
    assert [(one["id"], one["remaining"], one["status"]) for one in grants] == [
        (first["id"], 0, "spent"), (sooner["id"], 0, "spent"), (later["id"], 4, "active")
    ]  # fmt: skip


async def test_a_priced_debit_is_explained_by_its_cost_and_what_was_overdrawn(
    teller: Teller,
) -> None:
    operation = uuid4().hex
    cost = {"operation": operation, "unit": "token", "unit_size": "1000", "credits_per_unit": "2",
            "step": "1", "minimum": "1"}  # fmt: skip
    made = (await teller.admin("/credit-costs", cost)).json()
    settings = f"/accounts/{teller.tenant.id}/credits/settings"
    assert (await teller.admin(settings, {"overdraft": "5"})).json()["overdraft"] == 5
    await teller.give("1")
    use = {"operation": operation, "quantity": "1500"}
    debit = (await teller.post("/credits/deduct", use)).json()
    found = await teller.get(f"/credits/transactions/{debit['id']}")
    assert (found["cost"], found["overdrawn"]) == (made, 2)
    assert found["usage"]["cost"] == made["id"]
    assert found["steps"][0] == (
        "1500 token at 2 credits for each 1000 token, at least 1, rounded up to a multiple of 1: "
        "3 credits (version 1 of the cost)."
    )
    assert found["steps"][-1] == "2 were overdrawn: no grant had them."
    given = await teller.give("10")
    newest = (await teller.get("/credits/transactions"))["transactions"][0]
    repaid = await teller.get(f"/credits/transactions/{newest['id']}")
    assert (repaid["grant"]["id"], repaid["allocations"][0]["credits"]) == (given["id"], 2)
    assert repaid["steps"] == [
        "10 credits were given.", "2 of them paid back what was overdrawn."
    ]  # fmt: skip


async def test_another_accounts_change_is_not_explained(teller: Teller, shop: "Shop") -> None:
    await teller.give("1")
    (change,) = (await teller.get("/credits/transactions"))["transactions"]
    stranger = shop.with_key(shop.globex.keys["billing:read"])
    path = f"{BILLING}/credits/transactions/{change['id']}"
    shop.refused(await stranger.get(path), 404, "ledger_entry_not_found")
    entry = (await buy(teller, (await package(teller))["id"]))["id"]
    assert entry
    books = (await teller.get("/ledger"))["entries"]
    other = next(one for one in books if one["id"] != change["id"])
    path = f"{BILLING}/credits/transactions/{other['id']}"
    shop.refused(await teller.reader.get(path), 404, "ledger_entry_not_found")


async def test_a_refunded_purchase_loses_its_unspent_share_once(teller: Teller) -> None:
    invoice = await buy(teller, (await package(teller))["id"])
    path = f"/accounts/{teller.tenant.id}/credits/reverse"
    half = {"invoice": invoice["id"], "amount_cents": invoice["amount_due_cents"] // 2,
            "reason": "refund re_1"}  # fmt: skip
    teller.shop.refused(await teller.admin(path, half), 409, "purchase_not_granted")
    await pay(teller, invoice["id"])
    await teller.post("/credits/deduct", {"operation": "write", "credits": "100"})
    key = {"Idempotency-Key": uuid4().hex}
    for _ in range(2):
        taken = await teller.staff.post(f"{ADMIN}{path}", json=half, headers=key)
        assert (taken.json()["taken"], taken.json()["credits"]) == (250, 150), taken.text
    rest = await teller.admin(path, {"invoice": invoice["id"], "reason": "dispute dp_1"})
    assert (rest.json()["taken"], rest.json()["credits"]) == (150, 0)
    too_much = await teller.admin(path, half | {"amount_cents": 10**9})
    problem = teller.shop.refused(too_much, 422, "validation_failed")
    assert teller.shop.fields(problem)[0][0] == "amount_cents"


async def test_a_note_of_a_paid_purchase_takes_unspent_credits_back_once(teller: Teller) -> None:
    invoice = await buy(teller, (await package(teller))["id"])
    path = f"{ADMIN}/billing/invoices/{invoice['id']}/credit-notes"
    whole = {"reason": "order_change", "rest": "refund"}
    teller.shop.refused(await teller.staff.post(path, json=whole), 409, "credit_purchase_unpaid")
    await pay(teller, invoice["id"])
    await teller.post("/credits/deduct", {"operation": "write", "credits": "100"})
    line = (await teller.get(f"/invoices/{invoice['id']}"))["lines"][0]["id"]
    half = whole | {"lines": [{"line": line, "amount_cents": invoice["amount_due_cents"] // 2}]}
    key = {"Idempotency-Key": uuid4().hex}
    made = [await teller.staff.post(path, json=half, headers=key) for _ in range(2)]
    assert made[0].status_code == 201, made[0].text
    assert made[0].json() == made[1].json()
    assert (await teller.get("/credits/balance"))["credits"] == 150
    rest = await teller.staff.post(path, json=whole)
    assert rest.json()["refund_cents"] == made[0].json()["refund_cents"]
    assert (await teller.get("/credits/balance"))["credits"] == 0
    teller.shop.refused(await teller.staff.post(path, json=whole), 409, "credit_note_empty")
    void = f"{ADMIN}/billing/credit-notes/{rest.json()['id']}/void"
    teller.shop.refused(await teller.staff.post(void), 409, "credit_note_used")


async def test_staff_move_credits_to_another_account(teller: Teller, shop: "Shop") -> None:
    other = Teller(shop, await shop.tenant())
    await teller.give("3", expires_at=FAR)
    path = f"/accounts/{teller.tenant.id}/credits/transfer"
    body = {"to_account": other.tenant.id, "credits": "2", "reason": "merged"}
    key = {"Idempotency-Key": uuid4().hex}
    for _ in range(2):
        moved = (await teller.staff.post(f"{ADMIN}{path}", json=body, headers=key)).json()
        assert [(one["source"], one["credits"]) for one in moved["grants"]] == [("transfer", 2)]
    assert (await teller.get("/credits/balance"))["credits"] == 1
    assert (await other.get("/credits/balance"))["credits"] == 2
    short = await teller.admin(path, body)
    shop.refused(short, 402, "insufficient_credits")
    own = await teller.admin(path, body | {"to_account": teller.tenant.id})
    problem = shop.refused(own, 422, "validation_failed")
    assert [name for name, _ in shop.fields(problem)] == ["to_account"]


async def test_an_owner_sets_alert_and_top_up_but_no_overdraft(teller: Teller) -> None:
    nothing = await teller.get("/credits/settings")
    assert (nothing["overdraft"], nothing["top_up_package"]) == (0, None)
    staff = f"/accounts/{teller.tenant.id}/credits/settings"
    await teller.admin(staff, {"overdraft": "7"})
    small = await package(teller)
    wanted = {"alert_below": "20", "top_up_below": "10", "top_up_package": small["id"],
              "top_up_month_max_cents": 2000}  # fmt: skip
    done = await teller.owner.post(f"{BILLING}/credits/settings", json=wanted)
    assert done.status_code == 200, done.text
    found = await teller.get("/credits/settings")
    assert found == done.json()
    assert (found["overdraft"], found["top_up_month_max"]) == (7, 20)
    greedy = await teller.owner.post(f"{BILLING}/credits/settings", json={"overdraft": "9"})
    problem = teller.shop.refused(greedy, 422, "validation_failed")
    assert [name for name, _ in teller.shop.fields(problem)] == ["overdraft"]
    half = await teller.owner.post(f"{BILLING}/credits/settings", json={"top_up_below": "1"})
    assert len(teller.shop.fields(teller.shop.refused(half, 422, "validation_failed"))) == 2
    foreign = await package(teller, currency="EUR")
    wrong = wanted | {"top_up_package": foreign["id"]}
    refused = await teller.owner.post(f"{BILLING}/credits/settings", json=wrong)
    teller.shop.refused(refused, 409, "package_currency_differs")
    reader = await teller.reader.post(f"{BILLING}/credits/settings", json={})
    teller.shop.refused(reader, 403, "not_allowed")


async def test_falling_low_buys_once_while_the_invoice_is_unpaid(teller: Teller) -> None:
    small = await package(teller)
    wanted = {"top_up_below": "10", "top_up_package": small["id"], "top_up_month_max_cents": 900}
    await teller.give("12")
    await teller.owner.post(f"{BILLING}/credits/settings", json=wanted)
    for _ in range(4):
        await teller.post("/credits/deduct", {"operation": "write", "credits": "3"})
        await teller.shop.work()
    invoices = (await teller.get("/invoices"))["invoices"]
    assert [one["lines"][0]["kind"] for one in invoices] == ["credit_purchase"]
    await pay(teller, invoices[0]["id"])
    assert (await teller.get("/credits/balance"))["credits"] == 500


async def test_a_cost_is_read_changed_and_ended(teller: Teller) -> None:
    await teller.give("100")
    operation = uuid4().hex
    general = {"operation": operation, "credits_per_unit": "2"}
    first = (await teller.admin("/credit-costs", general)).json()
    own = general | {"account": teller.tenant.id, "credits_per_unit": "1", "model": "big"}
    override = (await teller.admin("/credit-costs", own)).json()
    assert (await teller.staff.get(f"{ADMIN}/credit-costs/{override['id']}")).json() == override
    listed = await teller.staff.get(
        f"{ADMIN}/credit-costs",
        params={"operation": operation, "account_id": teller.tenant.id},
    )
    assert listed.json()["costs"] == [override]
    use = {"operation": operation, "model": "big", "quantity": "3"}
    assert (await teller.post("/credits/deduct", use)).json()["credits"] == 3
    ended = await teller.admin(f"/credit-costs/{override['id']}/end", {})
    assert (ended.json()["version"], ended.json()["is_active"]) == (2, False), ended.text
    assert (await teller.post("/credits/deduct", use)).json()["credits"] == 6
    await teller.admin(f"/credit-costs/{first['id']}/end", {})
    refused = await teller.post("/credits/deduct", use)
    teller.shop.refused(refused, 404, "credit_cost_not_found")
    old = await teller.admin(
        f"/credit-costs/{first['id']}/end", {"effective_at": "2020-01-01T00:00:00Z"}
    )
    teller.shop.refused(old, 422, "validation_failed")
    missing = await teller.staff.get(f"{ADMIN}/credit-costs/cc_{'0' * 26}")
    teller.shop.refused(missing, 404, "credit_cost_not_found")
