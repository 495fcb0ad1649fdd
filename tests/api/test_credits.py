"""Credits over HTTP: balances, deductions, reservations, costs, packages, and how they refuse."""

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import pytest

if TYPE_CHECKING:
    from tests.api.conftest import Shop, Tenant

BILLING = "/api/v1/billing"
ADMIN = "/api/v1/admin"
Json = dict[str, Any]


class Teller:
    """One account, as its owner, as its machine and as staff see it."""

    def __init__(self, shop: "Shop", tenant: "Tenant") -> None:
        self.shop = shop
        self.tenant = tenant
        self.reader = shop.with_key(tenant.keys["billing:read"])
        self.owner = shop.with_key(tenant.keys["billing:write"])
        self.machine = shop.with_key(tenant.keys["credits:write"])
        self.staff = shop.with_key(shop.house_keys["admin"])

    async def get(self, path: str, **params: Any) -> Json:
        answer = await self.reader.get(f"{BILLING}{path}", params=params)
        assert answer.status_code == 200, answer.text
        body: Json = answer.json()
        return body

    async def post(self, path: str, body: Json, key: str | None = None) -> httpx.Response:
        headers = {"Idempotency-Key": key or uuid4().hex}
        return await self.machine.post(f"{BILLING}{path}", json=body, headers=headers)

    async def admin(self, path: str, body: Json) -> httpx.Response:
        return await self.staff.post(f"{ADMIN}{path}", json=body)

    async def give(self, amount: str, **more: Any) -> Json:
        body = {"credits": amount, "reason": "a gift", **more}
        answer = await self.admin(f"/accounts/{self.tenant.id}/credits/grant", body)
        assert answer.status_code == 201, answer.text
        given: Json = answer.json()
        return given


@pytest.fixture
async def teller(shop: "Shop") -> Teller:
    return Teller(shop, await shop.tenant())


async def test_without_a_plan_everything_is_zero_and_empty(teller: Teller) -> None:
    balance = await teller.get("/credits/balance")
    assert set(balance.values()) == {0}
    assert {"credits", "plan_credits_per_month", "credits_used_this_month"} < set(balance)
    assert (await teller.get("/credits/usage"))["usage"] == []
    assert (await teller.get("/transactions"))["transactions"] == []
    assert (await teller.get("/credits/usage/summary"))["items"] == []
    limits = await teller.get("/credits/usage/limits")
    assert (limits["plan"], limits["limits"], limits["counts"]) == (None, [], {})


async def test_a_deduction_stands_in_balance_log_summary_and_transactions(teller: Teller) -> None:
    await teller.give("10")
    body = {"operation": "write", "model": "big", "credits": "2.5", "metadata": {"page": 7}}
    answer = await teller.post("/credits/deduct", body)
    assert answer.status_code == 200, answer.text
    assert (answer.json()["credits"], answer.json()["available"]) == (2.5, 7.5)
    balance = await teller.get("/credits/balance")
    assert (balance["credits"], balance["credits_used_this_month"]) == (7.5, 2.5)
    (line,) = (await teller.get("/credits/usage", operation="write", model="big"))["usage"]
    assert (line["id"], line["metadata"]) == (answer.json()["id"], {"page": 7})
    assert (await teller.get("/credits/usage", operation="read"))["usage"] == []
    summary = await teller.get("/credits/usage/summary")
    assert (summary["by_operation"], summary["by_model"]) == ({"write": 2.5}, {"big": 2.5})
    changes = (await teller.get("/credits/transactions"))["transactions"]
    assert [(one["type"], one["credits"]) for one in changes] == [("usage", -2.5), ("grant", 10)]
    assert (await teller.get("/credits/usage/limits"))["counts"] == {"write": 1}


async def test_too_few_credits_are_402_with_both_figures(teller: Teller) -> None:
    await teller.give("1.5")
    answer = await teller.post("/credits/deduct", {"operation": "write", "credits": "2"})
    problem = teller.shop.refused(answer, 402, "insufficient_credits")
    assert (problem["required"], problem["available"]) == ("2", "1.5")


async def test_the_same_key_gets_the_same_answer_and_another_body_a_conflict(
    teller: Teller,
) -> None:
    await teller.give("10")
    body = {"operation": "write", "credits": "1"}
    first = await teller.post("/credits/deduct", body, "k")
    again = await teller.post("/credits/deduct", body, "k")
    assert (again.json(), again.headers["Idempotent-Replayed"]) == (first.json(), "true")
    other = await teller.post("/credits/deduct", body | {"credits": "2"}, "k")
    teller.shop.refused(other, 409, "idempotency_conflict")
    assert (await teller.get("/credits/balance"))["credits"] == 9


async def test_a_batch_answers_for_each_item(teller: Teller) -> None:
    await teller.give("3")
    items = [
        {"operation": "write", "credits": "2", "idempotency_key": "a"},
        {"operation": "write", "credits": "2", "idempotency_key": "b"},
        {"operation": "write", "credits": "1"},
        {"operation": "write", "quantity": "1"},
    ]
    body = (await teller.post("/credits/deduct/batch", {"items": items}, "batch")).json()
    assert [one["status"] for one in body["results"]] == [
        "debited", "refused", "debited", "refused"
    ]  # fmt: skip
    assert body["results"][1]["error"]["available"] == "1"
    assert body["results"][3]["error"]["code"] == "credit_cost_not_found"
    again = (await teller.post("/credits/deduct/batch", {"items": items}, "batch")).json()
    assert [one["status"] for one in again["results"]][::2] == ["replayed", "replayed"]
    too_many = await teller.post("/credits/deduct/batch", {"items": items * 251})
    assert teller.shop.fields(teller.shop.refused(too_many, 422, "validation_failed"))


async def test_an_operation_is_priced_by_its_cost_and_at_once_by_a_new_version(
    teller: Teller,
) -> None:
    await teller.give("100")
    operation = uuid4().hex
    cost = {"operation": operation, "unit": "token", "unit_size": "1000", "credits_per_unit": "2"}
    made = await teller.admin("/credit-costs", cost | {"step": "1"})
    assert (made.status_code, made.json()["version"]) == (201, 1), made.text
    use = {"operation": operation, "quantity": "1500"}
    assert (await teller.post("/credits/deduct", use)).json()["credits"] == 3
    await teller.admin("/credit-costs", cost | {"credits_per_unit": "4"})
    assert (await teller.post("/credits/deduct", use)).json()["credits"] == 6
    await teller.admin("/credit-costs", cost | {"account": teller.tenant.id})
    assert (await teller.post("/credits/deduct", use)).json()["credits"] == 3
    costs = (await teller.staff.get(f"{ADMIN}/credit-costs")).json()["costs"]
    mine = [one for one in costs if one["operation"] == operation]
    assert sorted(one["version"] for one in mine) == [1, 1, 2]


async def test_credits_are_held_settled_and_released(teller: Teller) -> None:
    await teller.give("10")
    held = await teller.post("/credits/reserve", {"operation": "write", "credits": "6"})
    assert (held.status_code, held.json()["status"]) == (201, "active"), held.text
    assert (await teller.get("/credits/balance"))["credits"] == 4
    path = f"/credits/reservations/{held.json()['id']}"
    settled = await teller.post(f"{path}/settle", {"credits": "7.5"}, "s")
    assert settled.json()["credits"] == 7.5
    assert (await teller.post(f"{path}/settle", {"credits": "7.5"}, "s")).json() == settled.json()
    teller.shop.refused(await teller.post(f"{path}/release", {}), 409, "reservation_not_active")
    other = await teller.post("/credits/reserve", {"operation": "write", "credits": "2"})
    path = f"/credits/reservations/{other.json()['id']}"
    released = await teller.post(f"{path}/release", {})
    assert released.json()["status"] == "released"
    assert (await teller.get("/credits/balance"))["credits"] == 2.5
    short = await teller.post("/credits/reserve", {"operation": "write", "credits": "3"})
    teller.shop.refused(short, 402, "insufficient_credits")


async def test_what_is_bought_comes_when_the_invoice_is_paid(teller: Teller) -> None:
    code = f"p{uuid4().hex[:12]}"
    package = {"code": code, "name": "Small", "credits": "500", "currency": "USD",
               "amount_cents": 900}  # fmt: skip
    made = (await teller.admin("/credit-packages", package)).json()
    listed = (await teller.get("/credit-packages"))["packages"]
    assert made in listed
    path = f"{BILLING}/credit-packages/{made['id']}/purchase"
    key = {"Idempotency-Key": uuid4().hex}
    bought = await teller.owner.post(path, json={"payment_method": "manual"}, headers=key)
    assert bought.status_code == 201, bought.text
    action, invoice = bought.json()["next_action"], bought.json()["invoice"]
    assert (action["type"], action["reference"]) == ("bank_transfer", invoice["number"])
    assert invoice["lines"][0]["kind"] == "credit_purchase"
    again = await teller.owner.post(path, json={"payment_method": "manual"}, headers=key)
    assert again.json() == bought.json()
    assert (await teller.get("/credits/balance"))["credits"] == 0
    paid = {"invoice_id": invoice["id"], "payment_method": "manual", "transaction_reference": "T1"}
    payment = (await teller.owner.post(f"{BILLING}/payments/manual", json=paid)).json()
    await teller.admin(f"/payments/{payment['id']}/approve", {"reason": "seen"})
    await teller.shop.work()
    assert (await teller.get("/credits/balance"))["credits"] == 500
    off = await teller.admin(f"/credit-packages/{made['id']}", package | {"is_active": False})
    assert off.json()["is_active"] is False
    gone = await teller.owner.post(path, json={})
    teller.shop.refused(gone, 404, "credit_package_not_found")


async def test_staff_adjust_with_a_reason_and_not_below_zero(teller: Teller) -> None:
    path = f"/accounts/{teller.tenant.id}/credits/adjust"
    assert (await teller.admin(path, {"credits": "5", "reason": "sorry"})).json()["credits"] == 5
    assert (await teller.admin(path, {"credits": "-2", "reason": "oops"})).json()["credits"] == 3
    short = await teller.admin(path, {"credits": "-4", "reason": "oops"})
    teller.shop.refused(short, 402, "insufficient_credits")


async def test_staff_give_a_deduction_back(teller: Teller) -> None:
    await teller.give("5")
    await teller.post("/credits/deduct", {"operation": "write", "credits": "4"}, "job-1")
    path = f"/accounts/{teller.tenant.id}/credits/refund"
    back = await teller.admin(path, {"idempotency_key": "job-1", "credits": "3", "reason": "r"})
    assert [one["source"] for one in back.json()["grants"]] == ["refund"]
    over = await teller.admin(path, {"idempotency_key": "job-1", "credits": "2", "reason": "r"})
    teller.shop.refused(over, 409, "refund_exceeds_debit")
    assert (await teller.get("/credits/balance"))["credits"] == 4


async def test_an_overdraft_that_was_allowed_can_be_used(teller: Teller) -> None:
    path = f"/accounts/{teller.tenant.id}/credits/settings"
    assert (await teller.admin(path, {"overdraft": "2"})).status_code == 200
    answer = await teller.post("/credits/deduct", {"operation": "write", "credits": "2"})
    assert answer.json()["available"] == -2
    less = await teller.admin(path, {"overdraft": "1"})
    teller.shop.refused(less, 409, "credits_below_floor")


WRONG: list[tuple[str, Json, str]] = [
    ("/credits/deduct", {"credits": "1"}, "operation"),
    ("/credits/deduct", {"operation": "w"}, "quantity"),
    ("/credits/deduct", {"operation": "", "credits": "1"}, "operation"),
    ("/credits/deduct", {"operation": "w", "credits": "0"}, "credits"),
    ("/credits/deduct", {"operation": "w", "credits": "-1"}, "credits"),
    ("/credits/deduct", {"operation": "w", "credits": "0.000001"}, "credits"),
    ("/credits/deduct", {"operation": "w", "credits": "NaN"}, "credits"),
    ("/credits/deduct", {"operation": "w", "credits": "9" * 30}, "credits"),
    ("/credits/deduct", {"operation": "w", "credits": "1", "quantity": "1e-999999"}, "quantity"),
    ("/credits/deduct", {"operation": "w", "credits": "1", "model": "a\nb"}, "model"),
    ("/credits/deduct", {"operation": "w", "credits": "1", "colour": "red"}, "colour"),
    ("/credits/deduct", {"operation": "w", "credits": "1", "metadata": [1]}, "metadata"),
    ("/credits/deduct", {"operation": "w", "credits": "1", "metadata": {"a": "b" * 5000}},
     "metadata"),
    ("/credits/deduct/batch", {"items": []}, "items"),
    ("/credits/deduct/batch", {"items": [{"operation": 1}]}, "items[0].operation"),
    ("/credits/deduct/batch", {"items": [{"operation": "w", "credits": "1"},
                                         {"operation": "w", "credits": "1e5"}]},
     "items[1].credits"),
    ("/credits/reserve", {"operation": "w", "credits": "1", "ttl_seconds": 0}, "ttl_seconds"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "field"), WRONG, ids=str)
async def test_a_field_that_can_not_be_taken_is_named(
    teller: Teller, path: str, body: Json, field: str
) -> None:
    problem = teller.shop.refused(await teller.post(path, body), 422, "validation_failed")
    assert [name for name, _ in teller.shop.fields(problem)] == [field]


WRONG_FOR_STAFF: list[tuple[str, Json, str]] = [
    ("/accounts/{}/credits/grant", {"credits": "1e30", "reason": "r"}, "credits"),
    ("/accounts/{}/credits/grant", {"credits": "1", "reason": "r", "priority": 10**6}, "priority"),
    ("/accounts/{}/credits/grant",
     {"credits": "1", "reason": "r", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
    ("/accounts/{}/credits/adjust", {"credits": "0", "reason": "r"}, "credits"),
    ("/credit-costs", {"operation": "w", "credits_per_unit": "-1"}, "credits_per_unit"),
    ("/credit-costs", {"operation": "w", "credits_per_unit": "1", "unit_size": "0"}, "unit_size"),
    ("/credit-costs", {"operation": "w", "credits_per_unit": "1", "step": "0.000001"}, "step"),
    ("/credit-costs",
     {"operation": "w", "credits_per_unit": "1", "effective_at": "2020-01-01T00:00:00Z"},
     "effective_at"),
    ("/credit-packages",
     {"code": "A b", "name": "x", "credits": "1", "currency": "USD", "amount_cents": 1}, "code"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "field"), WRONG_FOR_STAFF, ids=str)
async def test_a_field_of_staff_that_can_not_be_taken_is_named(
    teller: Teller, path: str, body: Json, field: str
) -> None:
    answer = await teller.admin(path.format(teller.tenant.id), body)
    problem = teller.shop.refused(answer, 422, "validation_failed")
    assert [name for name, _ in teller.shop.fields(problem)] == [field]


async def test_who_may_not_is_refused(teller: Teller) -> None:
    body = {"operation": "write", "credits": "1"}
    teller.shop.refused(
        await teller.reader.post(f"{BILLING}/credits/deduct", json=body), 403, "not_allowed"
    )
    teller.shop.refused(await teller.machine.get(f"{BILLING}/credits/balance"), 403, "not_allowed")
    path = f"{ADMIN}/accounts/{teller.tenant.id}/credits/adjust"
    own = await teller.owner.post(path, json={"credits": "5", "reason": "mine"})
    teller.shop.refused(own, 403, "not_allowed")


async def test_another_accounts_reservation_does_not_exist(teller: Teller, shop: "Shop") -> None:
    await teller.give("10")
    held = await teller.post("/credits/reserve", {"operation": "write", "credits": "6"})
    stranger = shop.with_key(shop.globex.keys["credits:write"])
    path = f"{BILLING}/credits/reservations/{held.json()['id']}/release"
    shop.refused(await stranger.post(path), 404, "credit_reservation_not_found")
