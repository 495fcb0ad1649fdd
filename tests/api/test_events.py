"""Usage over HTTP: three ways of writing events, each counted once, none half taken."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.api.conftest import Shop, Tenant

BILLING = "/api/v1/billing"
EVENTS = "/api/v1/events"
BATCH = "/api/v1/events/batch"
CLOUDEVENT = {"content-type": "application/cloudevents+json"}
CLOUDEVENTS = {"content-type": "application/cloudevents-batch+json"}
JSON = {"content-type": "application/json"}
Json = dict[str, Any]


@pytest.fixture
async def tenant(shop: "Shop") -> "Tenant":
    """An account on the plan, with no usage yet."""
    tenant = await shop.tenant()
    await shop.subscribe(tenant.account, ago=timedelta(minutes=1))
    return tenant


@pytest.fixture
def sender(shop: "Shop") -> httpx.AsyncClient:
    return shop.with_key(shop.house_keys["usage:write"])


def cloudevent(tenant: "Tenant", event_id: str = "e1", n: object = 1, **more: object) -> Json:
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": "test",
        "type": "api_calls",
        "subject": tenant.id,
        "data": {"n": n},
        **more,
    }


def lago(tenant: "Tenant", event_id: str = "l1", n: object = 1, **more: object) -> Json:
    return {
        "transaction_id": event_id,
        "external_subscription_id": tenant.account.external_id,
        "code": "api_calls",
        "properties": {"n": n},
        **more,
    }


def own(tenant: "Tenant", event_id: str = "o1", n: object = 1, **more: object) -> Json:
    return {
        "id": event_id,
        "meter": "api_calls",
        "subject": tenant.id,
        "properties": {"n": n},
        **more,
    }


async def usage(shop: "Shop", tenant: "Tenant") -> Json:
    answer = await shop.with_key(tenant.keys["billing:read"]).get(f"{BILLING}/usage/current")
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def calls(shop: "Shop", tenant: "Tenant") -> str:
    return str((await usage(shop, tenant))["current_period"]["api_calls"])


# -- what each way is answered --


async def test_a_cloudevent_is_204_and_in_the_total_at_once(
    shop: "Shop", sender: httpx.AsyncClient, tenant: "Tenant"
) -> None:
    for number in range(1, 4):
        event = cloudevent(tenant, f"e{number}", number)
        answer = await sender.post(EVENTS, json=event, headers=CLOUDEVENT)
        assert (answer.status_code, answer.content) == (204, b"")
        assert await calls(shop, tenant) == str(number * (number + 1) // 2)


@pytest.mark.parametrize("kind", [CLOUDEVENTS, JSON, {"content-type": "application/JSON; x=y"}])
async def test_a_batch_of_cloudevents_is_204(
    shop: "Shop", sender: httpx.AsyncClient, tenant: "Tenant", kind: Mapping[str, str]
) -> None:
    events = [cloudevent(tenant, f"e{n}", n) for n in range(100)]
    answer = await sender.post(EVENTS, json=events, headers=kind)
    assert answer.status_code == 204
    assert await calls(shop, tenant) == "4950"


async def test_lagos_event_is_echoed(
    shop: "Shop", sender: httpx.AsyncClient, tenant: "Tenant"
) -> None:
    body = {"event": lago(tenant, timestamp=int(datetime.now(UTC).timestamp()))}
    answer = await sender.post(EVENTS, json=body)
    assert (answer.status_code, answer.json()) == (200, body)
    assert await calls(shop, tenant) == "1"


@pytest.mark.parametrize("path", [BATCH, EVENTS])
async def test_lagos_batch_is_echoed(
    shop: "Shop", sender: httpx.AsyncClient, tenant: "Tenant", path: str
) -> None:
    body = {"events": [lago(tenant, "a", "1.5"), lago(tenant, "b", 2)]}
    answer = await sender.post(path, json=body)
    assert (answer.status_code, answer.json()) == (200, body)
    assert await calls(shop, tenant) == "3.5"


async def test_our_own_form_is_answered_event_by_event(
    shop: "Shop", sender: httpx.AsyncClient, tenant: "Tenant"
) -> None:
    assert (await sender.post(EVENTS, json={"events": [own(tenant, "a")]})).status_code == 200
    events = [
        own(tenant, "a"),
        own(tenant, "a", 2),
        own(tenant, "b", 5),
        own(tenant, "c", subject="nobody"),
        own(tenant, "d", meter="nothing"),
        own(tenant, "e", -1),
        {"id": "f"},
    ]
    answer = await sender.post(EVENTS, json={"events": events})
    assert answer.status_code == 200
    results = answer.json()["events"]
    assert [(one["id"], one["status"], one["detail"]) for one in results] == [
        ("a", "duplicate", None),
        ("a", "conflict", "other_content"),
        ("b", "accepted", None),
        ("c", "unmatched", "unknown_subject"),
        ("d", "unmatched", "unknown_type"),
        ("e", "invalid", "negative_quantity"),
        ("f", "invalid", "missing"),
    ]
    faults = [[(found["field"], found["code"]) for found in one["errors"]] for one in results]
    assert faults[:5] == [[]] * 5
    assert faults[5:] == [
        [("events[5].properties.n", "negative_quantity")], [("events[6].subject", "missing")],
    ]  # fmt: skip
    assert await calls(shop, tenant) == "6"


@pytest.mark.parametrize("preference", ["return=representation", "wait=1, Return=Representation"])
async def test_whoever_prefers_it_is_told_of_each_event(
    sender: httpx.AsyncClient, tenant: "Tenant", preference: str
) -> None:
    for status in ("accepted", "duplicate"):
        answer = await sender.post(
            EVENTS, json=cloudevent(tenant), headers={**CLOUDEVENT, "Prefer": preference}
        )
        assert answer.status_code == 200
        assert [event["status"] for event in answer.json()["events"]] == [status]


# -- once, and all or nothing --


async def test_a_resent_event_is_counted_once_in_whatever_form_it_comes(
    shop: "Shop", sender: httpx.AsyncClient, tenant: "Tenant"
) -> None:
    for _ in range(3):
        assert (await sender.post(EVENTS, json=cloudevent(tenant))).status_code == 204
        assert (await sender.post(EVENTS, json={"event": lago(tenant)})).status_code == 200
        assert (await sender.post(EVENTS, json={"events": [own(tenant)]})).status_code == 200
    assert await calls(shop, tenant) == "3"


async def test_the_same_event_twice_in_one_batch_is_counted_once(
    shop: "Shop", sender: httpx.AsyncClient, tenant: "Tenant"
) -> None:
    answer = await sender.post(EVENTS, json=[cloudevent(tenant)] * 5)
    assert answer.status_code == 204
    assert await calls(shop, tenant) == "1"


@pytest.mark.parametrize("form", ["single", "batch"])
async def test_an_event_that_changed_is_a_conflict_and_changes_nothing(
    shop: "Shop", sender: httpx.AsyncClient, tenant: "Tenant", form: str
) -> None:
    assert (await sender.post(EVENTS, json=cloudevent(tenant, n=1))).status_code == 204
    before = await shop.counts(but=["usage_conflicts", "usage_events"])
    changed: object = cloudevent(tenant, n=2)
    field = "id"
    if form == "batch":
        changed, field = [cloudevent(tenant, "e2"), changed], "[1].id"
    problem = shop.refused(await sender.post(EVENTS, json=changed), 409, "event_conflict")
    assert shop.fields(problem) == [(field, "event_conflict")]
    assert await shop.counts(but=["usage_conflicts", "usage_events"]) == before
    assert await calls(shop, tenant) == ("2" if form == "batch" else "1")


BAD_FIELDS: list[tuple[Json, str, str]] = [
    ({"data": {}}, "data.n", "missing"),
    ({"data": {"n": -1}}, "data.n", "negative_quantity"),
    ({"data": {"n": "-0.01"}}, "data.n", "negative_quantity"),
    ({"data": {"n": "NaN"}}, "data.n", "not_a_number"),
    ({"data": {"n": "Infinity"}}, "data.n", "not_a_number"),
    ({"data": {"n": "1e3"}}, "data.n", "not_a_number"),
    ({"data": {"n": "\u0661"}}, "data.n", "not_a_number"),
    ({"data": {"n": True}}, "data.n", "not_a_number"),
    ({"data": {"n": [1]}}, "data.n", "not_a_number"),
    ({"data": {"n": None}}, "data.n", "missing"),
    ({"data": {"n": 10**15}}, "data.n", "too_large"),
    ({"data": {"n": "0.0000000000001"}}, "data.n", "too_many_decimals"),
    ({"data": {"n": 1, "x": "\0"}}, "data.x", "control_character"),
    ({"id": "a\0b"}, "id", "control_character"),
    ({"id": ""}, "id", "invalid_length"),
    ({"id": "x" * 256}, "id", "invalid_length"),
    ({"source": ""}, "source", "invalid_length"),
    ({"time": "2020-01-01T00:00:00"}, "time", "timezone_missing"),
    ({"time": "yesterday"}, "time", "invalid_time"),
    ({"time": "1969-12-31T23:59:59Z"}, "time", "too_early"),
    ({"time": "9999-12-31T23:59:59Z"}, "time", "in_the_future"),
    ({"specversion": "0.3"}, "specversion", "malformed"),
    ({"data": [1]}, "data", "malformed"),
    ({"data_base64": "AAAA"}, "data_base64", "malformed"),
]


@pytest.mark.parametrize("case", BAD_FIELDS, ids=str)
async def test_a_bad_event_names_its_field_and_spoils_its_batch(
    shop: "Shop", sender: httpx.AsyncClient, tenant: "Tenant", case: tuple[Json, str, str]
) -> None:
    change, field, code = case
    bad = {**cloudevent(tenant), **change}
    before = await shop.counts()
    problem = shop.refused(await sender.post(EVENTS, json=bad), 422, "validation_failed")
    assert shop.fields(problem) == [(field, code)]
    batch = [cloudevent(tenant, "good"), bad]
    problem = shop.refused(await sender.post(EVENTS, json=batch), 422, "validation_failed")
    assert shop.fields(problem) == [(f"[1].{field}", code)]
    assert await shop.counts() == before
    assert await calls(shop, tenant) == "0"


@pytest.mark.parametrize(
    ("number", "code"),
    [
        ("NaN", "malformed_json"),
        ("1e400", "number_out_of_range"),
        ("-1e400", "number_out_of_range"),
        ("1E-400", "number_out_of_range"),
        ("9" * 5000, "number_out_of_range"),
        ("01", "malformed_json"),
    ],
)
async def test_a_number_that_json_can_write_and_nobody_can_count_is_refused(
    shop: "Shop", sender: httpx.AsyncClient, tenant: "Tenant", number: str, code: str
) -> None:
    body = (
        '{"specversion":"1.0","id":"1","source":"s","type":"api_calls",'
        f'"subject":"{tenant.id}","data":{{"n":{number}}}}}'
    )
    before = await shop.counts()
    answer = await sender.post(EVENTS, content=body, headers=JSON)
    is_json = code != "malformed_json"
    problem = shop.refused(
        answer, 422 if is_json else 400, "validation_failed" if is_json else code
    )
    assert [told for _, told in shop.fields(problem)] == [code]
    assert await shop.counts() == before


@pytest.mark.parametrize("number", ["0.1", "1e2", "1.50", "12345678901234.123456789012"])
async def test_a_number_is_counted_to_its_last_digit(
    shop: "Shop", sender: httpx.AsyncClient, tenant: "Tenant", number: str
) -> None:
    body = (
        '{"specversion":"1.0","id":"%s","source":"s","type":"storage","subject":"%s",'
        '"data":{"n":%s}}'
    )
    for event_id in ("a", "b", "c"):
        content = body % (event_id, tenant.id, number)
        assert (await sender.post(EVENTS, content=content, headers=JSON)).status_code == 204
    shown = (await usage(shop, tenant))["current_period"]["storage"]
    assert Decimal(shown) == 3 * Decimal(number)
    assert "E" not in shown.upper()


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[", b"nul", b"\xff", b"[" * 50_000, b'{"a":' * 50_000, b"\xef\xbb\xbf{}"],
    ids=lambda body: str(body[:8]),
)
@pytest.mark.parametrize("path", [EVENTS, BATCH])
@pytest.mark.parametrize("kind", [CLOUDEVENT, CLOUDEVENTS, JSON])
async def test_bytes_that_are_no_events_are_refused(
    shop: "Shop", sender: httpx.AsyncClient, body: bytes, path: str, kind: Mapping[str, str]
) -> None:
    answer = await sender.post(path, content=body, headers=kind)
    if path == BATCH and kind is not JSON:
        shop.refused(answer, 415, "unsupported_media_type")
    else:
        code = answer.json()["code"]
        assert (answer.status_code, code) in {(400, "malformed_json"), (422, "validation_failed")}
        shop.refused(answer, answer.status_code, code)


@pytest.mark.parametrize("body", ["[]", "{}", '{"events": []}', '{"event": {}}', '{"event": []}'])
async def test_a_body_without_events_is_refused(
    shop: "Shop", sender: httpx.AsyncClient, body: str
) -> None:
    shop.refused(await sender.post(EVENTS, content=body, headers=JSON), 422, "validation_failed")


@pytest.mark.parametrize("kind", ["", "text/plain", "application/cloudevents", "multipart/mixed"])
async def test_another_content_type_is_415(
    shop: "Shop", sender: httpx.AsyncClient, tenant: "Tenant", kind: str
) -> None:
    answer = await sender.post(EVENTS, json=cloudevent(tenant), headers={"content-type": kind})
    shop.refused(answer, 415, "unsupported_media_type")


async def test_ten_thousand_events_are_the_most(
    shop: "Shop", sender: httpx.AsyncClient, tenant: "Tenant"
) -> None:
    events = [cloudevent(tenant, str(n)) for n in range(10_001)]
    before = await shop.counts()
    problem = shop.refused(await sender.post(EVENTS, json=events), 422, "validation_failed")
    assert shop.fields(problem) == [("body", "too_many_events")]
    assert await shop.counts() == before
    assert (await sender.post(EVENTS, json=events[:-1])).status_code == 204
    assert await calls(shop, tenant) == "10000"


async def test_an_event_may_be_an_hour_ahead_and_no_more(
    sender: httpx.AsyncClient, tenant: "Tenant"
) -> None:
    for minutes, status in ((55, 204), (65, 422)):
        at = datetime.now(UTC) + timedelta(minutes=minutes)
        event = cloudevent(tenant, str(minutes), time=at.isoformat())
        assert (await sender.post(EVENTS, json=event)).status_code == status


async def test_an_event_counts_in_the_period_of_its_own_time(
    shop: "Shop", sender: httpx.AsyncClient, tenant: "Tenant"
) -> None:
    old = (datetime.now(UTC) - timedelta(days=3)).isoformat()
    for event_id, more in (("old", {"time": old}), ("new", {})):
        event = cloudevent(tenant, event_id, 7, **more)
        assert (await sender.post(EVENTS, json=event)).status_code == 204
    assert await calls(shop, tenant) == "7"


async def test_lagos_bad_events_name_lagos_fields(
    shop: "Shop", sender: httpx.AsyncClient, tenant: "Tenant"
) -> None:
    cases: list[tuple[Json, str]] = [
        ({"timestamp": "soon"}, "timestamp"),
        ({"properties": {"n": -1}}, "properties.n"),
        ({"transaction_id": ""}, "transaction_id"),
    ]
    for change, field in cases:
        body = {"event": {**lago(tenant), **change}}
        problem = shop.refused(await sender.post(EVENTS, json=body), 422, "validation_failed")
        assert [name for name, _ in shop.fields(problem)] == [f"event.{field}"]
        batch = {"events": [lago(tenant, "good"), body["event"]]}
        problem = shop.refused(await sender.post(BATCH, json=batch), 422, "validation_failed")
        assert [name for name, _ in shop.fields(problem)] == [f"events[1].{field}"]
    assert await calls(shop, tenant) == "0"


async def test_our_own_form_refuses_a_typo(
    shop: "Shop", sender: httpx.AsyncClient, tenant: "Tenant"
) -> None:
    body = {"events": [own(tenant, propertys={})]}
    problem = shop.refused(await sender.post(EVENTS, json=body), 422, "validation_failed")
    assert shop.fields(problem) == [("events[0].propertys", "unknown_field")]


async def test_who_may_read_may_not_report(shop: "Shop", tenant: "Tenant") -> None:
    for scope in ("billing:read", "billing:write", "credits:write"):
        client = shop.with_key(shop.house_keys[scope])
        answer = await client.post(EVENTS, json=cloudevent(tenant))
        shop.refused(answer, 403, "not_allowed")
    for person in (tenant.owner, tenant.member):
        answer = await shop.as_person(person).post(EVENTS, json=cloudevent(tenant))
        shop.refused(answer, 403, "not_allowed")


# -- what it comes to --


async def test_current_usage_tells_overage_and_its_cost_to_the_cent(
    shop: "Shop", sender: httpx.AsyncClient, tenant: "Tenant"
) -> None:
    """1,600 calls, 100 of them included: 1,000 at 0.02 + 5.00, 500 at 0.01; 12 of 10 GB at 0.10."""
    events = [
        cloudevent(tenant, "calls", 1600),
        cloudevent(tenant, "storage", "12", type="storage"),
    ]
    assert (await sender.post(EVENTS, json=events)).status_code == 204
    found = await usage(shop, tenant)
    assert found["current_period"]["plan"] == "pro"
    assert found["current_period"]["api_calls"] == "1600"
    assert found["limits"] == {"api_calls": "100", "storage": "10"}
    assert found["overages"] == {
        "api_calls": {"quantity": "1500", "cost": 30.0, "cost_cents": 3000},
        "storage": {"quantity": "2", "cost": 1.2, "cost_cents": 120},
        "total_overage_cost": 31.2,
        "total_overage_cost_cents": 3120,
    }
    assert found["currency"] == "usd"
    by_code = {meter["code"]: meter for meter in found["meters"]}
    assert by_code["storage"] == {
        "code": "storage",
        "name": "Storage",
        "unit": "unit",
        "quantity": "12",
        "limit": "10",
        "percent": 120,
        "overage": "2",
        "overage_cost": 1.2,
        "overage_cost_cents": 120,
    }


async def test_what_is_billed_is_what_the_running_usage_said(
    shop: "Shop", sender: httpx.AsyncClient
) -> None:
    tenant = await shop.tenant()
    await shop.subscribe(tenant.account, ago=timedelta(days=32))
    at = (datetime.now(UTC) - timedelta(days=20)).isoformat()
    events = [cloudevent(tenant, "calls", 1600, time=at)]
    assert (await sender.post(EVENTS, json=events)).status_code == 204
    await shop.work()
    client = shop.with_key(tenant.keys["billing:read"])
    (invoice,) = (await client.get(f"{BILLING}/invoices")).json()["invoices"]
    assert [(line["price"], line["amount_cents"]) for line in invoice["lines"]] == [
        ("fee", 4900),
        ("calls", 3000),
        ("storage", 0),
    ]
    assert await calls(shop, tenant) == "0"


async def test_meters_are_listed(shop: "Shop") -> None:
    answer = await shop.as_person(shop.acme.member).get("/api/v1/meters")
    assert [meter["code"] for meter in answer.json()["meters"]] == ["api_calls", "storage"]
