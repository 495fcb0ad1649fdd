"""`GET /usage`: today and this month by meter, and what the plan includes (Ops Center's shape)."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.api.conftest import Shop, Tenant

BILLING = "/api/v1/billing"


async def send(shop: "Shop", tenant: "Tenant", at: datetime, n: int, key: str) -> None:
    event = {
        "id": key, "meter": "api_calls", "subject": tenant.id, "time": at.isoformat(),
        "properties": {"n": n},
    }  # fmt: skip
    sender = shop.with_key(shop.house_keys["usage:write"])
    answer = await sender.post("/api/v1/events", json={"events": [event]})
    assert answer.json()["events"][0]["status"] == "accepted", answer.text


async def read(shop: "Shop", tenant: "Tenant") -> dict[str, Any]:
    answer = await shop.with_key(tenant.keys["billing:read"]).get(f"{BILLING}/usage")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_an_account_without_a_plan_reads_zeros(shop: "Shop") -> None:
    assert await read(shop, await shop.tenant()) == {
        "usage": {"today": {}, "month": {}},
        "credits": {
            "tier": "free", "included_credits": 0, "used": 0, "remaining": 0, "overage": 0,
            "overage_cost": 0.0, "overage_cost_cents": 0, "price_per_1k": None,
        },
        "tier": "free",
        "currency": "usd",
    }  # fmt: skip


async def test_used_units_are_told_against_what_the_plan_includes(shop: "Shop") -> None:
    tenant = await shop.tenant()
    await shop.subscribe(tenant.account, ago=timedelta(minutes=1))
    await send(shop, tenant, shop.wall(), 150, "one")
    found = await read(shop, tenant)
    assert found["usage"]["month"] == {"api_calls": 150, "storage": 0}
    assert found["tier"] == found["credits"]["tier"] == "pro"
    # 100 of api_calls are free; entering the first tier costs 5.00, and 50 times 0.02 is 1.00.
    credits_ = found["credits"]
    assert (credits_["used"], credits_["overage"], credits_["overage_cost_cents"]) == (150, 50, 600)


async def test_the_day_begins_at_midnight_of_the_accounts_time_zone(shop: "Shop") -> None:
    tenant = await shop.tenant(timezone="Pacific/Kiritimati")  # UTC+14: its day began at 10:00 UTC
    now = datetime.now(UTC)
    midnight = (now + timedelta(hours=14)).replace(hour=0, minute=0, second=0, microsecond=0)
    began = midnight - timedelta(hours=14)
    await send(shop, tenant, began, 2, "today")
    await send(shop, tenant, began - timedelta(microseconds=1), 3, "yesterday")
    found = await read(shop, tenant)
    assert found["usage"]["today"] == {"api_calls": 2}
    first_of_month = midnight.day == 1
    assert found["usage"]["month"] == {"api_calls": 2 if first_of_month else 5}


async def test_what_did_not_change_is_304(shop: "Shop") -> None:
    tenant = await shop.tenant()
    client = shop.with_key(tenant.keys["billing:read"])
    etag = (await client.get(f"{BILLING}/usage")).headers["etag"]
    same = {"If-None-Match": etag}
    assert (await client.get(f"{BILLING}/usage", headers=same)).status_code == 304
    await send(shop, tenant, shop.wall(), 1, "new")
    assert (await client.get(f"{BILLING}/usage", headers=same)).status_code == 200
