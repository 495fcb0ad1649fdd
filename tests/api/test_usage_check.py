"""Usage checked against limits, over HTTP."""

from datetime import timedelta
from typing import Any

import pytest

from tests.api.conftest import Shop, Tenant

CHECK = "/api/v1/usage/check"
RECORD = "/api/v1/usage/check-and-record"
Json = dict[str, Any]


@pytest.fixture
async def tenant(shop: Shop) -> Tenant:
    made = await shop.tenant()
    await shop.subscribe(made.account, ago=timedelta(days=1))
    return made


async def limit(shop: Shop, tenant: Tenant, meter: str, per: str, **body: Any) -> None:
    url = f"/api/v1/admin/accounts/{tenant.id}/limits/{meter}/{per}"
    admin = shop.with_key(shop.house_keys["admin"])
    answer = await admin.put(url, json={"reason": "as agreed", **body})
    assert answer.status_code == 200, answer.text


def event(number: int, n: Any = 1, **more: Any) -> Json:
    return {"id": f"e{number}", "meter": "api_calls", "properties": {"n": n}, **more}


async def test_a_plans_limit_is_soft_and_tells(shop: Shop, tenant: Tenant) -> None:
    client = shop.with_key(tenant.keys["usage:write"])
    answer = await client.post(CHECK, json={"meter": "storage", "quantity": "10.5"})
    told = answer.json()
    assert answer.status_code == 200
    assert (told["allowed"], told["limit"], told["used"], told["remaining"]) == (
        True, "10", "0", "10"
    )  # fmt: skip
    assert [(one["kind"], one["origin"], one["allowed"]) for one in told["limits"]] == [
        ("soft", "plan", False)
    ]
    assert told["resets_at"] == told["limits"][0]["resets_at"]


async def test_without_limits_all_is_allowed(shop: Shop, tenant: Tenant) -> None:
    client = shop.with_key(tenant.keys["usage:write"])
    told = (await client.post(CHECK, json={"meter": "api_calls", "quantity": 5})).json()
    assert (told["allowed"], told["limit"], told["remaining"], told["limits"]) == (
        True, None, None, []
    )  # fmt: skip


async def test_an_accounts_own_limit_wins_until_it_is_taken_away(
    shop: Shop, tenant: Tenant
) -> None:
    client = shop.with_key(tenant.keys["usage:write"])
    await limit(shop, tenant, "storage", "period", limit="2", kind="hard")
    own = (await client.post(CHECK, json={"meter": "storage", "quantity": 3})).json()
    assert (own["allowed"], own["limit"], own["limits"][0]["origin"]) == (False, "2", "account")
    await limit(shop, tenant, "storage", "period", limit=None)
    none = (await client.post(CHECK, json={"meter": "storage", "quantity": 3})).json()
    assert (none["allowed"], none["limits"]) == (True, [])
    admin = shop.with_key(shop.house_keys["admin"])
    url = f"/api/v1/admin/accounts/{tenant.id}/limits"
    listed = (await admin.get(url)).json()
    assert [(one["meter"], one["limit"], one["reason"]) for one in listed["limits"]] == [
        ("storage", None, "as agreed")
    ]
    gone = await admin.delete(f"{url}/storage/period", params={"reason": "ended"})
    assert gone.status_code == 204
    again = (await client.post(CHECK, json={"meter": "storage", "quantity": 3})).json()
    assert again["limits"][0]["origin"] == "plan"
    reasons = await shop.rows(
        "SELECT reason, action FROM billing_audit WHERE table_name = 'account_limits'"
        " AND account_id = $1 ORDER BY audit_id", tenant.account.account_id
    )  # fmt: skip
    assert [tuple(row) for row in reasons] == [
        ("as agreed", "INSERT"), ("as agreed", "UPDATE"), ("ended", "DELETE")
    ]  # fmt: skip


async def test_an_event_is_recorded_only_if_it_fits(shop: Shop, tenant: Tenant) -> None:
    client = shop.with_key(tenant.keys["usage:write"])
    await limit(shop, tenant, "api_calls", "day", limit="10", kind="hard")
    first = (await client.post(RECORD, json=event(1, 8))).json()
    refused = (await client.post(RECORD, json=event(2, 3))).json()
    assert (first["allowed"], first["event"], first["used"], first["remaining"]) == (
        True, {"id": "e1", "status": "accepted"}, "8", "2"
    )  # fmt: skip
    assert (refused["allowed"], refused["event"]["status"], refused["used"]) == (
        False, "refused", "8"
    )  # fmt: skip
    assert (await client.post(RECORD, json=event(1, 8))).json() == first
    assert (await client.post(RECORD, json=event(2, 3))).json() == refused
    conflict = await client.post(RECORD, json=event(1, 7))
    shop.refused(conflict, 409, "event_conflict")
    reader = shop.with_key(tenant.keys["billing:read"])
    usage = (await reader.get("/api/v1/billing/usage/current")).json()
    assert usage["current_period"]["api_calls"] == "8"


async def test_an_event_that_came_another_way_is_a_duplicate(shop: Shop, tenant: Tenant) -> None:
    client = shop.with_key(tenant.keys["usage:write"])
    await limit(shop, tenant, "api_calls", "day", limit="10", kind="hard")
    sent = event(1, 8, subject=tenant.id)
    await client.post("/api/v1/events", json={"events": [sent]})
    told = (await client.post(RECORD, json=sent)).json()
    assert (told["allowed"], told["event"]["status"], told["used"]) == (True, "duplicate", "8")


async def test_a_full_minute_is_answered_with_when_to_come_back(shop: Shop, tenant: Tenant) -> None:
    client = shop.with_key(tenant.keys["usage:write"])
    await limit(shop, tenant, "api_calls", "minute", limit="2", kind="hard")
    assert (await client.post(RECORD, json=event(1, 2))).json()["allowed"]
    answer = await client.post(RECORD, json=event(2))
    problem = shop.refused(answer, 429, "usage_throttled")
    wait = int(answer.headers["retry-after"])
    assert 1 <= wait <= 60
    assert answer.headers.get_list("ratelimit-limit") == ["2"]
    assert answer.headers["ratelimit-remaining"] == "0"
    assert answer.headers["ratelimit-reset"] == str(wait)
    assert problem["limits"][0]["per"] == "minute"
    checked = (await client.post(CHECK, json={"meter": "api_calls"})).json()
    assert (checked["allowed"], checked["remaining"]) == (False, "0")


async def test_usage_now_shows_the_limit_that_holds(shop: Shop, tenant: Tenant) -> None:
    await limit(shop, tenant, "storage", "period", limit="20", kind="hard")
    reader = shop.with_key(tenant.keys["billing:read"])
    usage = (await reader.get("/api/v1/billing/usage/current")).json()
    assert usage["limits"]["storage"] == "20"


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"meter": "storage", "quantity": "-1"}, "quantity", "not_a_decimal_string"),
        ({"meter": "storage", "quantity": -1}, "quantity", "out_of_range"),
        ({"meter": "storage", "quantity": "1e400"}, "quantity", "not_a_decimal_string"),
        ({"meter": "storage", "quantity": 10**18}, "quantity", "out_of_range"),
        ({"meter": "storage", "subject": "nobody"}, "subject", "unknown_subject"),
        ({"meter": "storage", "much": 1}, "much", "unknown_field"),
        ({"quantity": 1}, "meter", "missing"),
    ],
)
async def test_a_bad_check_names_its_field(
    shop: Shop, tenant: Tenant, body: Json, field: str, code: str
) -> None:
    answer = await shop.with_key(tenant.keys["usage:write"]).post(CHECK, json=body)
    assert shop.fields(shop.refused(answer, 422, "validation_failed")) == [(field, code)]


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        (event(1, -1), "properties.n", "negative_quantity"),
        (event(1, "x"), "properties.n", "not_a_number"),
        ({**event(1), "id": ""}, "id", "invalid_length"),
        ({**event(1), "meter": "nothing"}, "meter", "unknown_type"),
        (event(1, time="9999-01-01T00:00:00Z"), "time", "in_the_future"),
        (event(1, subject="nobody"), "subject", "unknown_subject"),
        ({"meter": "api_calls"}, "id", "missing"),
    ],
)
async def test_a_bad_event_names_its_field(
    shop: Shop, tenant: Tenant, body: Json, field: str, code: str
) -> None:
    answer = await shop.with_key(tenant.keys["usage:write"]).post(RECORD, json=body)
    found = shop.fields(shop.refused(answer, 422, "validation_failed"))
    assert [name for name, _ in found] == [field]
    assert found[0][1] == code


async def test_another_accounts_subject_is_unknown_and_the_houses_key_names_any(
    shop: Shop, tenant: Tenant
) -> None:
    body = {"meter": "storage", "subject": tenant.id}
    other = await shop.with_key(shop.acme.keys["usage:write"]).post(CHECK, json=body)
    shop.refused(other, 422, "validation_failed")
    house = shop.with_key(shop.house_keys["usage:write"])
    assert (await house.post(CHECK, json=body)).status_code == 200
    nobody = await house.post(CHECK, json={"meter": "storage"})
    shop.refused(nobody, 400, "account_required")


async def test_a_plan_may_have_several_limits_for_a_meter(shop: Shop) -> None:
    admin = shop.with_key(shop.house_keys["admin"])
    terms = [{"limit": "100", "per": "period", "kind": "hard"}, {"limit": "5", "per": "minute"}]
    plan = {
        "code": "limited", "name": "Limited", "currency": "USD", "interval": "month",
        "prices": [], "limits": {"api_calls": terms, "storage": "7"},
    }  # fmt: skip
    made = (await admin.post("/api/v1/admin/plans", json=plan)).json()
    assert made["limits"] == {
        "storage": "7",
        "api_calls": [
            {"limit": "100", "per": "period", "kind": "hard"},
            {"limit": "5", "per": "minute", "kind": "soft"},
        ],
    }
    bad = {**plan, "limits": {"api_calls": [{"limit": "1", "per": "week"}]}}
    answer = await admin.post("/api/v1/admin/plans", json=bad)
    assert shop.fields(shop.refused(answer, 422, "validation_failed")) == [
        ("limits.api_calls[0].per", "invalid")
    ]
