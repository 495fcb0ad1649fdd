"""Features over HTTP: made by staff, given by a plan or to one account, asked for by it."""

from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.api.conftest import Shop

Json = dict[str, Any]
ADMIN = "/api/v1/admin"
PLAN: Json = {
    "code": "suite", "name": "Suite", "currency": "USD", "interval": "month", "prices": [],
    "features": {"sso": True, "seats": "5", "stored": "2"},
}  # fmt: skip


@pytest.fixture
async def admin(shop: "Shop") -> httpx.AsyncClient:
    """An administrator, with a plan that gives three features."""
    found = shop.as_person(shop.admin)
    for body in (
        {"code": "sso", "kind": "boolean"},
        {"code": "seats", "kind": "number", "name": "Seats"},
        {"code": "stored", "kind": "metered", "meter": "storage"},
    ):
        await found.post(f"{ADMIN}/features", json=body)
    made = await found.post(f"{ADMIN}/plans", json=PLAN)
    assert made.status_code == 201, made.text
    assert made.json()["features"] == PLAN["features"]
    return found


async def test_an_account_learns_what_it_may_do_and_why(
    shop: "Shop", admin: httpx.AsyncClient
) -> None:
    tenant = await shop.tenant()
    owner = shop.with_key(tenant.keys["billing:write"])
    before = (await owner.get("/api/v1/billing/entitlements/sso")).json()
    assert (before["allowed"], before["reason"]) == (False, "no_plan")
    made = await owner.post("/api/v1/billing/subscriptions", json={"plan": "suite"})
    assert made.status_code == 201, made.text
    after = (await owner.get("/api/billing/entitlements/sso")).json()
    assert (after["allowed"], after["reason"], after["plan"]) == (True, "plan_gives", "suite")
    answer = (await owner.get("/api/v1/billing/entitlements")).json()
    found = {one["feature"]: one for one in answer["entitlements"]}
    assert (found["seats"]["name"], found["seats"]["value"]) == ("Seats", "5")
    assert (found["stored"]["used"], found["stored"]["remaining"]) == ("0", "2")
    assert (await admin.get(f"{ADMIN}/features")).json()["total"] == answer["total"]


async def test_staff_give_an_account_more_and_take_it_back(
    shop: "Shop", admin: httpx.AsyncClient
) -> None:
    tenant = await shop.tenant()
    path = f"{ADMIN}/accounts/{tenant.id}/entitlements"
    given = {"value": "50", "reason": "a deal", "until": "2190-01-01T00:00:00Z"}
    answer = await admin.put(f"{path}/seats", json=given)
    assert answer.status_code == 200, answer.text
    assert {name: answer.json()[name] for name in given} == given
    shown = (await admin.get(path)).json()
    assert [one["feature"] for one in shown["overrides"]] == ["seats"]
    reader = shop.with_key(tenant.keys["billing:read"])
    seats = (await reader.get("/api/v1/billing/entitlements/seats")).json()
    assert (seats["allowed"], seats["origin"], seats["until"]) == (True, "account", given["until"])
    gone = await admin.delete(f"{path}/seats", params={"reason": "over"})
    assert gone.status_code == 204
    again = await admin.delete(f"{path}/seats", params={"reason": "over"})
    shop.refused(again, 404, "feature_override_not_found")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"features": {"nothing": True}}, "features.nothing"),
        ({"features": {"sso": "yes"}}, "features.sso"),
        ({"features": {"seats": 5}}, "features"),
        ({"features": {"seats": "x"}}, "features.seats"),
        ({"trial_days": -1}, "trial_days"),
        ({"usage_interval": "week"}, "usage_interval"),
        ({"minimum_commitment": {"USD": "x"}}, "minimum_commitment.USD"),
        ({"minimum_commitment": {"EUR": "1"}}, "minimum_commitment.EUR"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_terms_that_can_not_be_are_refused_by_their_path(
    shop: "Shop", admin: httpx.AsyncClient, change: Json, field: str
) -> None:
    answer = await admin.post(f"{ADMIN}/plans", json={**PLAN, **change})
    problem = shop.refused(answer, 422, "validation_failed")
    assert shop.fields(problem)[0][0].startswith(field)


async def test_a_draft_is_activated_and_what_it_replaces_is_kept(
    shop: "Shop", admin: httpx.AsyncClient
) -> None:
    draft = {**PLAN, "code": "later", "draft": True, "tier": "professional"}
    made = (await admin.post(f"{ADMIN}/plans", json=draft)).json()
    assert (made["status"], made["tier"]) == ("draft", "professional")
    owner = shop.with_key((await shop.tenant()).keys["billing:write"])
    refused = await owner.post("/api/v1/billing/subscriptions", json={"plan": "later"})
    shop.refused(refused, 404, "plan_not_found")
    active = await admin.post(f"{ADMIN}/plan-versions/{made['id']}/activate")
    assert (active.status_code, active.json()["status"]) == (200, "active")
    again = await admin.post(f"{ADMIN}/plan-versions/{made['id']}/activate")
    shop.refused(again, 409, "plan_version_not_draft")
    listed = (await admin.get(f"{ADMIN}/plans/later/versions")).json()
    assert [one["status"] for one in listed["versions"]] == ["active"]
    retired = await admin.post(f"{ADMIN}/plan-versions/{made['id']}/retire")
    assert retired.json()["status"] == "retired"
