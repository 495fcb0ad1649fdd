"""Coupons, add-ons and exchange rates over HTTP."""

from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.api.conftest import Shop

Json = dict[str, Any]
ADMIN = "/api/v1/admin"
COUPON: Json = {"code": "Spring", "name": "Spring", "amounts": {"USD": "10.00"}, "plans": ["pro"]}
ADD_ON: Json = {"code": "help", "name": "Help", "charge": "per_period", "amounts": {"usd": "49"}}
RATE: Json = {
    "base": "eur", "quote": "USD", "rate_on": "2026-01-02", "rate": "1.0842", "source": "bank",
}  # fmt: skip


@pytest.fixture
async def admin(shop: "Shop") -> httpx.AsyncClient:
    return shop.as_person(shop.admin)


async def test_an_account_redeems_a_coupon_once(shop: "Shop", admin: httpx.AsyncClient) -> None:
    made = await admin.post(f"{ADMIN}/coupons", json=COUPON)
    assert made.status_code == 201, made.text
    assert (made.json()["code"], made.json()["amounts"]) == ("SPRING", {"usd": "10"})
    tenant = await shop.tenant()
    owner = shop.with_key(tenant.keys["billing:write"])
    has = await owner.post("/api/v1/billing/coupons", json={"code": "sPRING"})
    assert has.status_code == 201, has.text
    assert (has.json()["amount_left"], has.json()["amount_left_cents"]) == (10, 1000)
    again = await owner.post("/api/v1/billing/coupons", json={"code": "SPRING"})
    shop.refused(again, 409, "coupon_redeemed")
    path = f"{ADMIN}/accounts/{tenant.id}/coupons/{has.json()['id']}"
    assert (await admin.delete(path, params={"reason": "a mistake"})).status_code == 204
    listed = (await owner.get("/api/billing/coupons")).json()
    assert [one["ended_at"] is None for one in listed["coupons"]] == [False]


async def test_staff_give_a_coupon_until_it_is_retired(
    shop: "Shop", admin: httpx.AsyncClient
) -> None:
    await admin.post(f"{ADMIN}/coupons", json={**COUPON, "code": "gift"})
    tenant = await shop.tenant()
    path = f"{ADMIN}/accounts/{tenant.id}/coupons"
    given = await admin.post(path, json={"code": "gift", "reason": "sorry"})
    assert given.status_code == 201, given.text
    listed = (await admin.get(f"{ADMIN}/coupons")).json()["coupons"]
    assert "GIFT" in {one["code"] for one in listed}
    retired = await admin.post(f"{ADMIN}/coupons/gift/retire")
    assert retired.json()["status"] == "retired"
    again = await admin.post(path, json={"code": "gift", "reason": "x"})
    shop.refused(again, 404, "coupon_not_found")


async def test_an_add_on_is_sold_and_retired(shop: "Shop", admin: httpx.AsyncClient) -> None:
    made = await admin.post(f"{ADMIN}/add-ons", json=ADD_ON)
    assert made.status_code == 201, made.text
    assert (made.json()["amounts"], made.json()["version"]) == ({"usd": "49"}, 1)
    assert (await admin.get(f"{ADMIN}/add-ons")).json()["total"] == 1
    assert (await admin.post(f"{ADMIN}/add-ons/help/retire")).json()["status"] == "retired"
    shop.refused(await admin.post(f"{ADMIN}/add-ons/help/retire"), 404, "add_on_not_found")


async def test_a_rate_of_a_day_is_set_and_listed(admin: httpx.AsyncClient) -> None:
    for rate in ("1.0842", "1.0850"):
        answer = await admin.put(f"{ADMIN}/exchange-rates", json={**RATE, "rate": rate})
        assert answer.status_code == 200, answer.text
    listed = (await admin.get(f"{ADMIN}/exchange-rates", params={"base": "eur"})).json()
    assert [one["rate"] for one in listed["exchange_rates"]] == ["1.085"]
    assert (await admin.get(f"{ADMIN}/exchange-rates", params={"base": "JPY"})).json()["total"] == 0


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("coupons", {**COUPON, "percent": "5"}, "percent"),
        ("coupons", {**COUPON, "amounts": None, "percent": "1e1"}, "percent"),
        ("coupons", {**COUPON, "amounts": {"USD": "0"}}, "amounts.USD"),
        ("coupons", {**COUPON, "valid_until": "1999-01-01T00:00:00Z"}, "valid_until"),
        ("coupons", {**COUPON, "periods": 3}, "periods"),
        ("add-ons", {**ADD_ON, "amounts": {}}, "amounts"),
        ("add-ons", {**ADD_ON, "amounts": {"USD": "1.001"}}, "amounts.USD"),
        ("exchange-rates", {**RATE, "quote": "EUR"}, "quote"),
        ("exchange-rates", {**RATE, "rate": "0"}, "rate"),
        ("exchange-rates", {**RATE, "rate": "-1"}, "rate"),
        ("exchange-rates", {**RATE, "rate_on": "2026-02-30"}, "rate_on"),
    ],
)
async def test_what_can_not_be_is_refused_by_its_path(
    shop: "Shop", admin: httpx.AsyncClient, path: str, body: Json, field: str
) -> None:
    before = await shop.counts()
    method = "PUT" if path == "exchange-rates" else "POST"
    answer = await admin.request(method, f"{ADMIN}/{path}", json=body)
    problem = shop.refused(answer, 422, "validation_failed")
    assert field in {name for name, _ in shop.fields(problem)}
    assert await shop.counts() == before
