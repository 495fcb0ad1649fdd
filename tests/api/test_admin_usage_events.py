"""Staff see what is not counted, and decide of it; everybody else does not."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.api.conftest import Shop, Tenant

BILLING = "/api/v1/billing"
EVENTS = "/api/v1/events"
UNMATCHED = "/api/v1/admin/unmatched-events"
CONFLICTS = "/api/v1/admin/event-conflicts"
Json = dict[str, Any]


@pytest.fixture
async def tenant(shop: "Shop") -> "Tenant":
    tenant = await shop.tenant()
    await shop.subscribe(tenant.account, ago=timedelta(days=2))
    return tenant


@pytest.fixture
def sender(shop: "Shop") -> httpx.AsyncClient:
    return shop.with_key(shop.house_keys["usage:write"])


@pytest.fixture
def finance(shop: "Shop") -> httpx.AsyncClient:
    return shop.as_person(shop.finance)


def event(subject: str, event_id: str, **more: object) -> Json:
    told = {"id": event_id, "type": "api_calls", "subject": subject, "properties": {"n": 7}}
    return {**told, **more}


async def send(sender: httpx.AsyncClient, *events: Json) -> list[str]:
    answer = await sender.post(EVENTS, json={"events": list(events)})
    assert answer.status_code == 200, answer.text
    return [one["status"] for one in answer.json()["events"]]


async def calls(shop: "Shop", tenant: "Tenant") -> str:
    client = shop.with_key(tenant.keys["billing:read"])
    answer = await client.get(f"{BILLING}/usage/current")
    return str(answer.json()["current_period"]["api_calls"])


async def listed(client: httpx.AsyncClient, subject: str, status: str = "parked") -> list[Json]:
    answer = await client.get(UNMATCHED, params={"subject": subject, "status": status})
    assert answer.status_code == 200, answer.text
    found: list[Json] = answer.json()["events"]
    return found


async def test_a_claimed_event_counts_as_if_it_had_come_in_time(
    shop: "Shop", sender: httpx.AsyncClient, finance: httpx.AsyncClient, tenant: "Tenant"
) -> None:
    at = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    assert await send(sender, event("typo-1", "a", time=at)) == ["unmatched"]
    (parked,) = await listed(shop.as_person(shop.support), "typo-1")
    assert (parked["event_id"], parked["reason"]) == ("a", "unknown_subject")
    assert datetime.fromisoformat(parked["time"]) == datetime.fromisoformat(at)
    body = {
        "action": "claim", "events": [parked["id"]], "account": tenant.id, "reason": "typing error",
    }  # fmt: skip
    answer = await finance.post(UNMATCHED, json=body)
    assert answer.status_code == 200, answer.text
    assert [(one["status"], one["result"]) for one in answer.json()["events"]] == [
        ("claimed", "accepted")
    ]
    assert await calls(shop, tenant) == "7"
    assert await listed(finance, "typo-1") == []
    (claimed,) = await listed(finance, "typo-1", "claimed")
    assert claimed["claimed_account"] == tenant.id
    assert (await finance.post(UNMATCHED, json=body)).json() == {"events": [], "total": 0}
    (row,) = await shop.rows(
        "SELECT actor_kind, reason FROM billing_audit WHERE table_name = 'usage_unmatched'"
        " AND after ->> 'subject' = 'typo-1'"
    )
    assert tuple(row) == ("user", "typing error")


async def test_all_of_a_subject_are_claimed_to_a_meter_and_the_bad_one_says_why(
    sender: httpx.AsyncClient, finance: httpx.AsyncClient, tenant: "Tenant", shop: "Shop"
) -> None:
    sent = [event(tenant.id, "a", type="ghost"), event(tenant.id, "b", type="ghost", properties={})]
    assert await send(sender, *sent) == ["unmatched"] * 2
    body = {"action": "claim", "subject": tenant.id, "meter": "api_calls", "reason": "renamed"}
    answer = await finance.post(UNMATCHED, json=body)
    told = [(one["event_id"], one["status"], one["detail"]) for one in answer.json()["events"]]
    assert told == [("a", "claimed", None), ("b", "parked", "missing")]
    assert answer.json()["events"][1]["errors"][0]["field"].endswith("properties.n")
    assert await calls(shop, tenant) == "7"


async def test_a_discarded_event_is_never_counted(
    sender: httpx.AsyncClient, finance: httpx.AsyncClient
) -> None:
    assert await send(sender, event("typo-2", "a")) == ["unmatched"]
    body = {"action": "discard", "subject": "typo-2", "reason": "a test of theirs"}
    assert (await finance.post(UNMATCHED, json=body)).json()["events"][0]["status"] == "discarded"
    assert await send(sender, event("typo-2", "a")) == ["unmatched"]
    assert await listed(finance, "typo-2") == []


async def test_an_event_is_counted_by_itself_once_its_account_is_there(
    shop: "Shop", sender: httpx.AsyncClient, finance: httpx.AsyncClient
) -> None:
    assert await send(sender, event("to-come", "a")) == ["unmatched"]
    tenant = await shop.tenant(external_id="to-come")
    await shop.subscribe(tenant.account, ago=timedelta(minutes=1))
    await shop.work()
    assert await calls(shop, tenant) == "7"
    assert await listed(finance, "to-come") == []
    assert await send(sender, event("to-come", "a")) == ["duplicate"]


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"subject": "x"}, "events", "events_or_subject"),
        ({"events": None}, "events", "events_or_subject"),
        ({"events": []}, "events", "length"),
        ({"events": ["uev_" + "0" * 26] * 101}, "events", "length"),
        ({"reason": " "}, "reason", "length"),
        ({"action": "discard", "meter": "api_calls"}, "meter", "not_discarded_to"),
        ({"action": "forget"}, "action", "invalid"),
    ],
)
async def test_a_wrong_decision_names_its_field(
    shop: "Shop", finance: httpx.AsyncClient, change: Json, field: str, code: str
) -> None:
    body = {"action": "claim", "events": ["uev_" + "0" * 26], "reason": "r", **change}
    body = {name: value for name, value in body.items() if value is not None}
    problem = shop.refused(await finance.post(UNMATCHED, json=body), 422, "validation_failed")
    assert shop.fields(problem) == [(field, code)]


async def test_an_event_that_is_not_there_is_404(shop: "Shop", finance: httpx.AsyncClient) -> None:
    for name in ("uev_" + "0" * 26, "x"):
        body = {"action": "discard", "events": [name], "reason": "r"}
        shop.refused(await finance.post(UNMATCHED, json=body), 404, "unmatched_event_not_found")


async def test_a_conflict_is_shown_beside_what_is_stored_until_it_is_dismissed(
    shop: "Shop", sender: httpx.AsyncClient, finance: httpx.AsyncClient, tenant: "Tenant"
) -> None:
    assert await send(sender, event(tenant.id, "c")) == ["accepted"]
    assert await send(sender, event(tenant.id, "c", properties={"n": 8})) == ["conflict"]
    answer = await shop.as_person(shop.support).get(CONFLICTS, params={"account_id": tenant.id})
    (one,) = answer.json()["conflicts"]
    assert (one["event_id"], one["account"]) == ("c", tenant.id)
    assert one["sent"]["properties"] == {"n": 8}
    assert one["stored"]["properties"] == {"n": 7}
    path = f"{CONFLICTS}/{one['id']}/dismiss"
    assert (await finance.post(path, json={"reason": "told them"})).status_code == 200
    shop.refused(await finance.post(path, json={"reason": "r"}), 409, "event_conflict_settled")
    answer = await finance.get(CONFLICTS, params={"account_id": tenant.id})
    assert answer.json()["total"] == 0
    assert await calls(shop, tenant) == "7"


async def test_only_staff_read_and_only_finance_decides(shop: "Shop", tenant: "Tenant") -> None:
    body = {"action": "discard", "subject": "x", "reason": "r"}
    owner, support = shop.as_person(tenant.owner), shop.as_person(shop.support)
    for path in (UNMATCHED, CONFLICTS):
        shop.refused(await owner.get(path), 403, "not_allowed")
        assert (await support.get(path)).status_code == 200
    for client in (owner, support):
        shop.refused(await client.post(UNMATCHED, json=body), 403, "not_allowed")
