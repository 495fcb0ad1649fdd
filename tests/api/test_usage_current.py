"""`GET /usage/current`: the account's own period, and corrections seen at once."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from tests.api.conftest import Shop, Tenant

PATH = "/api/v1/billing/usage/current"
EVENTS = "/api/v1/events"


async def send(shop: "Shop", tenant: "Tenant", at: datetime, n: int, key: str) -> None:
    event = {
        "id": key, "meter": "api_calls", "subject": tenant.id, "time": at.isoformat(),
        "properties": {"n": n},
    }  # fmt: skip
    sender = shop.with_key(tenant.keys["usage:write"])
    answer = await sender.post(EVENTS, json={"events": [event]})
    assert answer.json()["events"][0]["status"] == "accepted", answer.text


async def test_the_period_begins_at_midnight_of_the_accounts_time_zone(shop: "Shop") -> None:
    """Half an hour off the hours of UTC, so that the edge is not that of a roll-up."""
    tenant = await shop.tenant(timezone="Asia/Kolkata")
    await shop.subscribe(tenant.account, ago=timedelta(days=40))
    client = shop.with_key(tenant.keys["billing:read"])
    found: dict[str, Any] = (await client.get(PATH)).json()["current_period"]
    began = datetime.fromisoformat(found["start"])
    assert began.astimezone(ZoneInfo("Asia/Kolkata")).time().isoformat() == "00:00:00"
    await send(shop, tenant, began.astimezone(UTC), 2, "first")
    await send(shop, tenant, began - timedelta(microseconds=1), 3, "of the period before")
    assert (await client.get(PATH)).json()["current_period"]["api_calls"] == "2"


async def test_a_correction_gives_another_etag_and_another_quantity(shop: "Shop") -> None:
    tenant = await shop.tenant()
    await shop.subscribe(tenant.account, ago=timedelta(minutes=1))
    client = shop.with_key(tenant.keys["billing:read"])
    await send(shop, tenant, shop.wall(), 7, "e")
    first = await client.get(PATH)
    same = {"If-None-Match": first.headers["etag"]}
    assert (await client.get(PATH, headers=same)).status_code == 304
    sender = shop.with_key(tenant.keys["usage:write"])
    done = await sender.post(f"{EVENTS}/e/reverse", json={"reason": "sent twice"})
    assert done.status_code == 200, done.text
    second = await client.get(PATH, headers=same)
    assert second.status_code == 200
    assert second.json()["current_period"]["api_calls"] == "0"
