"""Corrections over HTTP: senders correct their own usage, staff also what was billed."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.api.conftest import Shop, Tenant

BILLING = "/api/v1/billing"
EVENTS = "/api/v1/events"
BACKFILL = f"{EVENTS}/backfill"
LIST = "/api/v1/admin/billing/usage-corrections"
HISTORY = "/api/v1/admin/billing/event-history"
Json = dict[str, Any]


@pytest.fixture
async def tenant(shop: "Shop") -> "Tenant":
    tenant = await shop.tenant()
    await shop.subscribe(tenant.account, ago=timedelta(days=2))
    return tenant


@pytest.fixture
def sender(shop: "Shop", tenant: "Tenant") -> httpx.AsyncClient:
    return shop.with_key(tenant.keys["usage:write"])


@pytest.fixture
def finance(shop: "Shop") -> httpx.AsyncClient:
    return shop.as_person(shop.finance)


async def send(client: httpx.AsyncClient, subject: str, event_id: str, **more: Any) -> None:
    told = {"id": event_id, "type": "api_calls", "subject": subject, "properties": {"n": 7}}
    answer = await client.post(EVENTS, json={"events": [told | more]})
    assert answer.json()["events"][0]["status"] == "accepted", answer.text


async def calls(shop: "Shop", tenant: "Tenant") -> str:
    client = shop.with_key(tenant.keys["billing:read"])
    answer = await client.get(f"{BILLING}/usage/current")
    return str(answer.json()["current_period"]["api_calls"])


async def billed_usage(shop: "Shop") -> tuple["Tenant", Json]:
    """1,100 calls of which 100 are included, invoiced: 1,000 at 0.02 and 5.00 are 25.00."""
    tenant = await shop.tenant()
    await shop.subscribe(tenant.account, ago=timedelta(days=32))
    client = shop.with_key(tenant.keys["usage:write"])
    at = (datetime.now(UTC) - timedelta(days=31, hours=12)).isoformat()
    await send(client, tenant.id, "old", properties={"n": 1100}, time=at)
    await shop.work()
    listed = await shop.with_key(tenant.keys["billing:read"]).get(f"{BILLING}/invoices")
    (invoice,) = listed.json()["invoices"]
    return tenant, invoice


async def test_a_sender_takes_an_event_of_its_own_out(
    shop: "Shop", tenant: "Tenant", sender: httpx.AsyncClient
) -> None:
    await send(sender, tenant.id, "a")
    answer = await sender.post(f"{EVENTS}/a/reverse", json={"reason": "sent twice"})
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["status"] == "applied"
    assert told["effect"]["invoices"] == []
    assert [(one["meter"], one["old_quantity"], one["new_quantity"]) for one in
            told["effect"]["current"]] == [("api_calls", "7", "0")]  # fmt: skip
    made = told["correction"]
    assert (made["kind"], made["event_id"], made["source"]) == ("reverse", "a", "api")
    assert made["before"]["properties"] == {"n": 7}
    assert made["after"] is None
    assert (made["by"]["kind"], made["reason"]) == ("api_key", "sent twice")
    assert made["request_id"] == answer.headers["x-request-id"]
    assert await calls(shop, tenant) == "0"
    again = await sender.post(f"{EVENTS}/a/reverse", json={"reason": "to be sure"})
    assert (again.json()["status"], again.json()["correction"]) == ("unchanged", made)
    problem = await sender.post(f"{EVENTS}/a/amend", json={"reason": "r", "type": "storage"})
    shop.refused(problem, 409, "event_reversed")


async def test_an_amended_event_keeps_every_digit(
    shop: "Shop", tenant: "Tenant", sender: httpx.AsyncClient
) -> None:
    await send(sender, tenant.id, "id/with slash".replace("/", "-"), source="app")
    body = (
        '{"reason": "typing error", "source": "app",'
        ' "properties": {"n": 123456789012345.123456789012, "by": "hand"}}'
    )
    answer = await sender.post(
        f"{EVENTS}/id-with%20slash/amend",
        content=body,
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code == 200, answer.text
    assert '"n":123456789012345.123456789012' in answer.text
    assert await calls(shop, tenant) == "123456789012345.123456789012"
    name = answer.json()["correction"]["id"]
    answer = await sender.post(
        f"{EVENTS}/{name}/amend", json={"reason": "r", "properties": {"n": "2"}}
    )
    assert answer.json()["correction"]["event_id"] == "id-with slash"
    assert await calls(shop, tenant) == "2"


async def test_the_same_key_gives_the_same_answer(
    shop: "Shop", tenant: "Tenant", sender: httpx.AsyncClient
) -> None:
    await send(sender, tenant.id, "a")
    body = {"reason": "r", "properties": {"n": 8}}
    headers = {"Idempotency-Key": "amend-a"}
    first = await sender.post(f"{EVENTS}/a/amend", json=body, headers=headers)
    await sender.post(f"{EVENTS}/a/amend", json={"reason": "r", "properties": {"n": 9}})
    again = await sender.post(f"{EVENTS}/a/amend", json=body, headers=headers)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json() == first.json()
    assert await calls(shop, tenant) == "9"
    other = await sender.post(f"{EVENTS}/a/amend", json=body | {"preview": True}, headers=headers)
    shop.refused(other, 409, "idempotency_conflict")


async def test_what_was_billed_is_shown_then_confirmed_by_finance(
    shop: "Shop", finance: httpx.AsyncClient
) -> None:
    tenant, invoice = await billed_usage(shop)
    own = shop.with_key(tenant.keys["usage:write"])
    body = {"reason": "counted twice", "properties": {"n": "600.5"}}
    shop.refused(await own.post(f"{EVENTS}/old/amend", json=body), 403, "billed_usage")
    looked = await own.post(f"{EVENTS}/old/amend", json=body | {"preview": True})
    assert looked.json()["status"] == "previewed"
    body["subject"] = tenant.id
    key = {"Idempotency-Key": "k1"}
    shown = (await finance.post(f"{EVENTS}/old/amend", json=body, headers=key)).json()
    assert (shown["status"], shown["correction"]) == ("to_confirm", None)
    (line,) = shown["effect"]["invoices"]
    assert (line["invoice"], line["number"]) == (invoice["id"], invoice["number"])
    assert line["line"] == invoice["lines"][1]["id"]
    assert (line["old_quantity"], line["new_quantity"]) == ("1100", "600.5")
    assert (line["old_amount_cents"], line["new_amount_cents"]) == (2500, 1501)
    assert (line["difference_cents"], line["difference"]) == (-999, -9.99)
    assert line["currency"] == "usd"
    assert line["in_correction_window"] is True
    assert shown == (await finance.post(f"{EVENTS}/old/amend", json=body, headers=key)).json()
    wrong = await finance.post(f"{EVENTS}/old/amend", json=body | {"confirm": "ucc_1"})
    shop.refused(wrong, 409, "correction_changed")
    confirmed = body | {"confirm": shown["confirmation"]}
    done = (await finance.post(f"{EVENTS}/old/amend", json=confirmed)).json()
    assert done["status"] == "applied"
    assert done["effect"] == shown["effect"]
    assert done["correction"]["invoices"] == shown["effect"]["invoices"]
    assert done["correction"]["by"] == {"kind": "user", "id": shop.finance.id}
    reader = shop.with_key(tenant.keys["billing:read"])
    assert (await reader.get(f"{BILLING}/invoices/{invoice['id']}")).json() == invoice
    (row,) = await shop.rows(
        "SELECT meter_code FROM invoice_usage_changes WHERE account_id = $1",
        tenant.account.account_id,
    )
    assert row["meter_code"] == "api_calls"


async def test_staff_store_events_of_any_age(
    shop: "Shop", tenant: "Tenant", finance: httpx.AsyncClient
) -> None:
    event = {
        "id": "x", "type": "api_calls", "subject": tenant.id, "properties": {"n": 7},
        "time": "1999-01-01T00:00:00Z",
    }  # fmt: skip
    now = {**event, "id": "y", "time": shop.wall().isoformat()}
    bad = {**event, "id": "z", "properties": {"n": -1}}
    body = {"reason": "found in a log", "events": [event, now, bad, event]}
    preview = (await finance.post(BACKFILL, json=body | {"preview": True})).json()
    assert preview["status"] == "previewed"
    assert await calls(shop, tenant) == "0"
    answer = await finance.post(BACKFILL, json=body)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert [(one["id"], one["status"]) for one in told["events"]] == [
        ("x", "accepted"), ("y", "accepted"), ("z", "invalid"), ("x", "duplicate"),
    ]  # fmt: skip
    assert told["events"][2]["errors"][0]["field"] == "events[2].properties.n"
    assert [one["event_id"] for one in told["corrections"]] == ["x", "y"]
    assert await calls(shop, tenant) == "7"


async def test_staff_see_who_corrected_what_and_why(
    shop: "Shop", tenant: "Tenant", sender: httpx.AsyncClient
) -> None:
    await send(sender, tenant.id, "a")
    await sender.post(f"{EVENTS}/a/amend", json={"reason": "one", "properties": {"n": 8}})
    await sender.post(f"{EVENTS}/a/reverse", json={"reason": "two"})
    support = shop.as_person(shop.support)
    params: Json = {"account_id": tenant.id, "limit": 1}
    listed = (await support.get(LIST, params=params)).json()
    assert [one["reason"] for one in listed["corrections"]] == ["two"]
    assert listed["total"] == listed["pagination"]["total"] == 2
    params["cursor"] = listed["pagination"]["next_cursor"]
    rest = (await support.get(LIST, params=params)).json()
    assert [one["reason"] for one in rest["corrections"]] == ["one"]
    only = await support.get(LIST, params={"account_id": tenant.id, "kind": "amend"})
    assert only.json()["total"] == 1
    history = (await support.get(HISTORY, params={"account_id": tenant.id, "event_id": "a"})).json()
    assert history["original"]["properties"] == {"n": 7}
    assert history["current"] is None
    assert [one["reason"] for one in history["corrections"]] == ["one", "two"]
    missing = await support.get(HISTORY, params={"account_id": tenant.id, "event_id": "b"})
    shop.refused(missing, 404, "event_not_found")
    for client in (sender, shop.as_person(tenant.owner)):
        shop.refused(await client.get(LIST), 403, "not_allowed")
        answer = await client.get(HISTORY, params={"account_id": tenant.id, "event_id": "a"})
        shop.refused(answer, 403, "not_allowed")


async def test_another_accounts_event_does_not_exist(
    shop: "Shop", tenant: "Tenant", sender: httpx.AsyncClient
) -> None:
    await send(shop.with_key(shop.acme.keys["usage:write"]), shop.acme.id, "theirs")
    before = await shop.counts()
    for name, more in (("amend", {"properties": {"n": 1}}), ("reverse", {})):
        body: Json = {"reason": "r", **more}
        shop.refused(
            await sender.post(f"{EVENTS}/theirs/{name}", json=body), 404, "event_not_found"
        )
        for subject in (shop.acme.id, "nobody"):
            answer = await sender.post(f"{EVENTS}/theirs/{name}", json=body | {"subject": subject})
            problem = shop.refused(answer, 422, "validation_failed")
            assert shop.fields(problem) == [("subject", "unknown_subject")]
    assert await shop.counts() == before
    assert tenant.id != shop.acme.id


async def test_only_senders_finance_and_admins_correct(shop: "Shop", tenant: "Tenant") -> None:
    body = {"reason": "r", "subject": tenant.id}
    for client in (
        shop.as_person(tenant.owner),
        shop.with_key(tenant.keys["billing:write"]),
        shop.as_person(shop.support),
    ):
        answer = await client.post(f"{EVENTS}/a/reverse", json=body)
        shop.refused(answer, 403, "not_allowed")
    for client in (
        shop.with_key(tenant.keys["usage:write"]),
        shop.with_key(shop.house_keys["usage:write"]),
        shop.as_person(shop.support),
    ):
        answer = await client.post(BACKFILL, json={"reason": "r", "events": []})
        shop.refused(answer, 403, "not_allowed")
    for client in (
        shop.as_person(shop.finance),
        shop.as_person(shop.admin),
        shop.with_key(shop.house_keys["usage:write"]),
    ):
        answer = await client.post(f"{EVENTS}/a/reverse", json=body)
        shop.refused(answer, 404, "event_not_found")
        answer = await client.post(f"{EVENTS}/a/reverse", json={"reason": "r"})
        shop.refused(answer, 400, "account_required")


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({}, "reason", "missing"),
        ({"reason": " ", "type": "storage"}, "reason", "length"),
        ({"reason": "x" * 501, "type": "storage"}, "reason", "length"),
        ({"reason": 1}, "reason", "malformed"),
        ({"reason": "r"}, "properties", "missing"),
        ({"reason": "r", "properties": None}, "properties", "malformed"),
        ({"reason": "r", "properties": [1]}, "properties", "malformed"),
        ({"reason": "r", "properties": {"n": -1}}, "properties.n", "negative_quantity"),
        ({"reason": "r", "properties": {"n": "\u0000"}}, "properties.n", "control_character"),
        ({"reason": "r", "properties": {"\u0000": 1}}, "properties", "control_character"),
        ({"reason": "r", "type": ""}, "type", "invalid_length"),
        ({"reason": "r", "type": "x\n"}, "type", "control_character"),
        ({"reason": "r", "type": "ghost"}, "type", "unknown_type"),
        ({"reason": "r", "time": "yesterday"}, "time", "invalid_time"),
        ({"reason": "r", "time": "2026-01-01T00:00:00"}, "time", "timezone_missing"),
        ({"reason": "r", "time": "9999-12-31T23:59:59Z"}, "time", "in_the_future"),
        ({"reason": "r", "time": "0001-01-01T00:00:00Z"}, "time", "too_early"),
        ({"reason": "r", "type": "storage", "source": ""}, "source", "invalid_length"),
        ({"reason": "r", "type": "storage", "subject": 1}, "subject", "malformed"),
        ({"reason": "r", "type": "storage", "preview": "yes"}, "preview", "malformed"),
        ({"reason": "r", "type": "storage", "confirm": 1}, "confirm", "malformed"),
        ({"reason": "r", "type": "storage", "id": "b"}, "id", "unknown_field"),
    ],
)  # fmt: skip
async def test_a_wrong_amendment_names_its_field_and_changes_nothing(
    shop: "Shop", tenant: "Tenant", body: Json, field: str, code: str
) -> None:
    sender = shop.with_key(tenant.keys["usage:write"])
    await send(sender, tenant.id, "a")
    before = await shop.counts()
    answer = await sender.post(f"{EVENTS}/a/amend", json=body)
    problem = shop.refused(answer, 422, "validation_failed")
    assert shop.fields(problem) == [(field, code)]
    assert await shop.counts() == before


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "malformed_json"),
        (b"{", 400, "malformed_json"),
        (b"[]", 422, "validation_failed"),
        (b"\xff", 400, "malformed_json"),
        (b'{"reason": "r", "properties": {"n": NaN}}', 400, "malformed_json"),
        (b'{"reason": "r", "properties": {"n": 1e400}}', 422, "validation_failed"),
        (b'{"reason": "r", "properties": %s1%s}' % (b'{"n":' * 99, b"}" * 99), 422,
         "validation_failed"),
        (b'{"reason": "r", "properties": ' + b"[" * 100_000, 400, "malformed_json"),
    ],
)  # fmt: skip
async def test_bytes_that_are_no_request_are_refused(
    shop: "Shop", tenant: "Tenant", body: bytes, status: int, code: str
) -> None:
    sender = shop.with_key(tenant.keys["usage:write"])
    await send(sender, tenant.id, "a")
    headers = {"Content-Type": "application/json"}
    answer = await sender.post(f"{EVENTS}/a/amend", content=body, headers=headers)
    shop.refused(answer, status, code)
    assert await calls(shop, tenant) == "7"


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        ({"events": []}, "events", "no_events"),
        ({"events": [{}]}, "events[0].id", "missing"),
        ({"events": None}, "events", "malformed"),
        ({"reason": ""}, "reason", "length"),
        ({"more": 1}, "more", "unknown_field"),
    ],
)
async def test_a_wrong_backfill_names_its_field(
    shop: "Shop", finance: httpx.AsyncClient, change: Json, field: str, code: str
) -> None:
    event = {"id": "x", "type": "api_calls", "subject": shop.acme.id, "properties": {"n": 7}}
    event["time"] = "2026-01-01T00:00:00Z"
    body = {"reason": "r", "events": [event], **change}
    answer = await finance.post(BACKFILL, json=body)
    problem = shop.refused(answer, 422, "validation_failed")
    assert (field, code) in shop.fields(problem)


async def test_backfilled_events_say_whose_and_when(
    shop: "Shop", finance: httpx.AsyncClient
) -> None:
    event = {
        "id": "x", "type": "api_calls", "subject": shop.acme.id, "properties": {"n": 7},
        "time": "2026-01-01T00:00:00Z",
    }  # fmt: skip
    for events, fields in (
        ([{**event, "time": None}], [("events[0].time", "missing")]),
        ([{**event, "subject": "nobody"}], [("events[0].subject", "unknown_subject")]),
        ([event, {**event, "subject": shop.globex.id}], [("events[1].subject", "one_account")]),
        ([event] * 1001, [("events", "too_many_events")]),
        ([{**event, "type": "ghost"}], [("events[0].type", "unknown_type")]),
    ):
        answer = await finance.post(BACKFILL, json={"reason": "r", "events": events})
        problem = shop.refused(answer, 422, "validation_failed")
        assert shop.fields(problem) == fields
