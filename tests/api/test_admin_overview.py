"""What staff see across all accounts, in Ops Center's words."""

from typing import TYPE_CHECKING, Any

import pytest

from tallystick.kernel.db import WRITER

if TYPE_CHECKING:
    from tests.api.conftest import Shop

Json = dict[str, Any]
BASE = "/api/v1/admin/billing"
MIRRORED = """
INSERT INTO mirrored_subscriptions (account_id, gateway, reference, status, tier, currency,
    amount_minor, monthly_minor, interval, interval_count, cancel_at_period_end, created_at,
    read_at)
VALUES ($1, 'stripe', 'sub_1', 'active', 'enterprise', 'EUR', 12000, 1000, 'year', 1, false, now(),
    now())
"""
CHARGED = """
INSERT INTO mirrored_charges (account_id, gateway, reference, status, currency, amount_minor,
    refunded_minor, description, is_paid, created_at, read_at)
VALUES ($1, 'stripe', 'ch_1', 'succeeded', 'EUR', 12000, 12000, 'Year', true, now(), now())
"""

INVOICED = """
INSERT INTO mirrored_invoices (account_id, gateway, reference, number, status, currency,
    total_minor, due_minor, paid_minor, created_at, read_at)
VALUES ($1, 'stripe', 'in_1', 'S-1', 'paid', 'EUR', 12000, 12000, 12000, now(), now())
"""


async def test_figures_of_all_accounts_are_by_currency(shop: "Shop") -> None:
    support = shop.as_person(shop.support)
    before = (await support.get(f"{BASE}/stats")).json()
    tenant, _invoice = await shop.billed()
    async with shop.db.transaction(WRITER) as conn:
        await conn.execute(MIRRORED, tenant.account.account_id)
    after = (await support.get(f"{BASE}/stats")).json()
    assert after["total_customers"] == before["total_customers"] + 1
    assert after["active_subscriptions"] == before["active_subscriptions"] + 2
    assert after["currency"] == "usd"
    euros = after["by_currency"]["eur"]
    assert (euros["monthly_revenue_cents"], euros["monthly_revenue"]) == (1000, 10.0)
    assert euros["tier_breakdown"]["enterprise"] == {
        "count": 1, "revenue": 10.0, "revenue_cents": 1000,
    }  # fmt: skip
    in_euros = (await support.get(f"{BASE}/stats", params={"currency": "eur"})).json()
    assert in_euros["monthly_revenue_cents"] == 1000
    assert "enterprise" not in after["tier_breakdown"]


async def test_lists_show_ours_and_what_lives_at_a_gateway(shop: "Shop") -> None:
    support = shop.as_person(shop.support)
    tenant, _invoice = await shop.billed()
    async with shop.db.transaction(WRITER) as conn:
        await conn.execute(MIRRORED, tenant.account.account_id)
        await conn.execute(CHARGED, tenant.account.account_id)
    found = (await support.get(f"{BASE}/subscriptions", params={"status": "active"})).json()
    mine = {one["source"]: one for one in found["subscriptions"] if one["customer"] == tenant.id}
    assert set(mine) == {"tallystick", "stripe"}
    lived = mine["stripe"]
    assert (lived["id"], lived["tier"], lived["amount_cents"]) == ("sub_1", "enterprise", 12000)
    assert mine["tallystick"]["interval"] == "month"
    assert found["total"] == found["pagination"]["total"] == len(found["subscriptions"])
    euros = (await support.get(f"{BASE}/subscriptions", params={"currency": "eur"})).json()
    assert {one["id"] for one in euros["subscriptions"]} == {"sub_1"}
    charges = (await support.get(f"{BASE}/recent-charges", params={"gateway": "stripe"})).json()
    (charge,) = [one for one in charges["charges"] if one["customer"] == tenant.id]
    assert (charge["id"], charge["status"], charge["refunded"]) == ("ch_1", "refunded", True)
    assert (charge["paid"], charge["description"]) == (True, "Year")
    wanted = {"search": tenant.account.name}
    customers = (await support.get(f"{BASE}/customers", params=wanted)).json()
    (customer,) = [one for one in customers["customers"] if one["id"] == tenant.id]
    assert customer["metadata"]["tier"] == mine["tallystick"]["tier"]
    assert customer["email"] == tenant.account.email


@pytest.mark.parametrize("name", ["stats", "customers", "subscriptions", "recent-charges"])
async def test_staff_alone_see_across_accounts(shop: "Shop", name: str) -> None:
    owner = shop.as_person(shop.acme.owner)
    shop.refused(await owner.get(f"{BASE}/{name}"), 403, "not_allowed")


async def test_a_part_of_a_list_is_asked_for_as_everywhere(shop: "Shop") -> None:
    support = shop.as_person(shop.support)
    for limit in (0, 101):
        answer = await support.get(f"{BASE}/customers", params={"limit": limit})
        assert answer.status_code == 422
    one = (await support.get(f"{BASE}/customers", params={"limit": 1})).json()
    assert (len(one["customers"]), one["pagination"]["limit"]) == (1, 1)


async def test_an_account_that_lives_at_a_gateway_sees_its_own_there(shop: "Shop") -> None:
    tenant, stranger = await shop.tenant(), await shop.tenant()
    async with shop.db.transaction(WRITER) as conn:
        await conn.execute(MIRRORED, tenant.account.account_id)
        await conn.execute(INVOICED, tenant.account.account_id)
    owner, other = shop.as_person(tenant.owner), shop.as_person(stranger.owner)
    seen = (await owner.get("/api/v1/billing/subscription")).json()
    assert (seen["id"], seen["tier"], seen["status"]) == ("sub_1", "enterprise", "active")
    assert (seen["amount_cents"], seen["interval"]) == (12000, "year")
    assert (await other.get("/api/v1/billing/subscription")).json()["tier"] == "free"
    found = (await owner.get("/api/v1/billing/gateway-invoices")).json()
    assert [(one["id"], one["amount_paid_cents"]) for one in found["invoices"]] == [("in_1", 12000)]
    unpaid = {"status": "open"}
    assert (await owner.get("/api/v1/billing/gateway-invoices", params=unpaid)).json()["total"] == 0
    assert (await other.get("/api/v1/billing/gateway-invoices")).json()["total"] == 0
