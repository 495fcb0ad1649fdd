"""Money that is received before anything is invoiced: booked by finance, once, and shown."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.api.conftest import Shop


async def test_prepaid_money_is_booked_once_and_pays_the_next_invoice(shop: "Shop") -> None:
    tenant = await shop.tenant(currency="USD")
    finance = shop.with_key(shop.house_keys["admin"])
    path = f"/api/v1/admin/accounts/{tenant.id}/prepaid"
    body = {"amount_cents": 123456, "reason": "Bank transfer of 3 May"}
    headers = {"Idempotency-Key": "transfer-1"}
    for _ in range(2):
        made = await finance.post(path, json=body, headers=headers)
        assert made.status_code == 201, made.text
        assert made.json() == {"currency": "usd", "amount": 1234.56, "amount_cents": 123456}
    assert (await finance.get(path)).json()["amount_cents"] == 123456
    owner = shop.with_key(tenant.keys["billing:read"])
    balance = (await owner.get("/api/v1/billing/balance")).json()
    assert balance["credit_balance_cents"] == 123456


async def test_only_finance_books_it_and_nothing_else_is_taken(shop: "Shop") -> None:
    tenant = await shop.tenant()
    path = f"/api/v1/admin/accounts/{tenant.id}/prepaid"
    body = {"amount_cents": 100, "reason": "Cash"}
    owner = shop.with_key(tenant.keys["billing:write"])
    shop.refused(await owner.post(path, json=body), 403, "not_allowed")
    finance = shop.with_key(shop.house_keys["admin"])
    refused = await finance.post(path, json={**body, "amount_cents": 0})
    assert refused.status_code == 422
