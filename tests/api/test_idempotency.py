"""`Idempotency-Key`: one intent has one effect and one answer, also when the process dies."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest

from tallystick.kernel.idempotency import KEPT, LEASE

if TYPE_CHECKING:
    from tests.api.conftest import Shop

ACCOUNTS = "/api/v1/admin/accounts"
BILLING = "/api/v1/billing"
NEW = {"name": "Initech", "email": "a@example.com", "currency": "USD", "country": "US"}


@pytest.fixture
def admin(shop: "Shop") -> httpx.AsyncClient:
    return shop.with_key(shop.house_keys["admin"])


def key(text: str) -> dict[str, str]:
    return {"Idempotency-Key": text}


async def test_the_same_key_and_body_give_the_first_answer_again(
    shop: "Shop", admin: httpx.AsyncClient
) -> None:
    first = await admin.post(ACCOUNTS, json=NEW, headers=key("again"))
    before = await shop.counts()
    second = await admin.post(ACCOUNTS, json=NEW, headers=key("again"))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert first.headers["content-type"] == second.headers["content-type"]
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert first.headers["x-request-id"] != second.headers["x-request-id"]
    for name in ("x-request-id", "ratelimit-remaining", "content-length", "content-type"):
        assert len(second.headers.get_list(name)) == 1, name
    assert await shop.counts() == before


async def test_without_a_key_each_request_is_an_intent_of_its_own(
    admin: httpx.AsyncClient,
) -> None:
    answers = [await admin.post(ACCOUNTS, json=NEW) for _ in range(2)]
    assert len({answer.json()["id"] for answer in answers}) == 2


@pytest.mark.parametrize("other", ["body", "path", "query"])
async def test_another_request_under_the_same_key_is_a_conflict(
    shop: "Shop", admin: httpx.AsyncClient, other: str
) -> None:
    name = key(f"other {other}".replace(" ", "-"))
    assert (await admin.post(ACCOUNTS, json=NEW, headers=name)).status_code == 201
    before = await shop.counts()
    if other == "body":
        answer = await admin.post(ACCOUNTS, json=NEW | {"name": "B"}, headers=name)
    elif other == "path":
        answer = await admin.post("/api/v1/admin/api-keys", json=NEW, headers=name)
    else:
        answer = await admin.post(f"{ACCOUNTS}?x=1", json=NEW, headers=name)
    shop.refused(answer, 409, "idempotency_conflict")
    assert await shop.counts() == before


async def test_a_slash_at_the_end_is_the_same_request(admin: httpx.AsyncClient) -> None:
    first = await admin.post(ACCOUNTS, json=NEW, headers=key("slash"))
    second = await admin.post(f"{ACCOUNTS}/", json=NEW, headers=key("slash"))
    assert second.json() == first.json()


async def test_many_at_once_have_one_effect(shop: "Shop", admin: httpx.AsyncClient) -> None:
    before = (await shop.counts())["accounts"]
    answers = await asyncio.gather(
        *(admin.post(ACCOUNTS, json=NEW, headers=key("many")) for _ in range(8))
    )
    told = Counter(answer.status_code for answer in answers)
    assert set(told) <= {201, 409}
    for answer in answers:
        if answer.status_code == 409:
            shop.refused(answer, 409, "request_in_progress")
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 1
    assert (await shop.counts())["accounts"] == before + 1


async def test_a_request_still_running_is_told_so(shop: "Shop", admin: httpx.AsyncClient) -> None:
    """The first one waits for a lock that the test holds; the second one does not wait."""
    async with shop.db.pool.acquire() as conn, conn.transaction():
        await conn.execute("LOCK TABLE accounts IN EXCLUSIVE MODE")
        first = asyncio.create_task(admin.post(ACCOUNTS, json=NEW, headers=key("running")))
        await shop.lock_awaited()
        second = await admin.post(ACCOUNTS, json=NEW, headers=key("running"))
        shop.refused(second, 409, "request_in_progress")
    assert (await first).status_code == 201
    third = await admin.post(ACCOUNTS, json=NEW, headers=key("running"))
    assert third.headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 400), (b'{"enabled": 1}', 422), (b'{"enabled": true, "x": 1}', 422)],
)
async def test_a_request_that_could_not_be_read_does_not_use_up_its_key(
    shop: "Shop", body: bytes, status: int
) -> None:
    owner = shop.with_key(shop.acme.keys["billing:write"])
    headers = {**key(f"mended{len(body)}"), "content-type": "application/json"}
    before = await shop.counts()
    refused = await owner.post(f"{BILLING}/autopay", content=body, headers=headers)
    assert refused.status_code == status
    assert await shop.counts() == before
    mended = await owner.post(f"{BILLING}/autopay", json={"enabled": False}, headers=headers)
    assert mended.status_code == 200, mended.text


async def test_a_request_without_permission_does_not_use_up_its_key(shop: "Shop") -> None:
    body = {"enabled": False}
    member = shop.as_person(shop.acme.member)
    refused = await member.post(f"{BILLING}/autopay", json=body, headers=key("may"))
    shop.refused(refused, 403, "not_allowed")
    assert not await shop.rows("SELECT FROM idempotency_keys WHERE key = 'may'")


async def test_a_refusal_leaves_nothing_but_its_answer(shop: "Shop") -> None:
    tenant = await shop.tenant()
    owner = shop.with_key(tenant.keys["billing:write"])
    assert (await owner.post(f"{BILLING}/subscriptions", json={"plan": "pro"})).status_code == 201
    before = await shop.counts(but=["idempotency_keys"])
    for attempt in range(2):
        answer = await owner.post(
            f"{BILLING}/subscriptions", json={"plan": "pro"}, headers=key("refused")
        )
        assert (answer.status_code, answer.json()["code"]) == (409, "already_subscribed")
        assert ("idempotent-replayed" in answer.headers) is (attempt == 1)
        assert answer.headers["content-type"] == "application/problem+json"
    assert await shop.counts(but=["idempotency_keys"]) == before


async def test_a_fault_of_ours_does_not_use_up_the_key(
    shop: "Shop",
    again: Callable[..., "Shop"],
    admin: httpx.AsyncClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no")

    with monkeypatch.context() as patch:
        patch.setattr("tallystick.api.admin_accounts.account_answer", broken)
        faulty = again().with_key(shop.house_keys["admin"])
        before = await shop.counts()
        answer = await faulty.post(ACCOUNTS, json=NEW, headers=key("fault"))
        shop.refused(answer, 500, "internal_error")
        assert await shop.counts() == before
    assert (await admin.post(ACCOUNTS, json=NEW, headers=key("fault"))).status_code == 201


async def test_a_key_is_its_callers_own(shop: "Shop", admin: httpx.AsyncClient) -> None:
    person = shop.as_person(shop.admin)
    first = await admin.post(ACCOUNTS, json=NEW, headers=key("mine"))
    second = await person.post(ACCOUNTS, json=NEW, headers=key("mine"))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["id"] != second.json()["id"]


async def test_a_key_is_its_accounts_own(shop: "Shop") -> None:
    for tenant in (shop.acme, shop.globex):
        person = shop.as_person(shop.admin, tenant.id)
        answer = await person.post(
            f"{BILLING}/autopay", json={"enabled": False}, headers=key("whose")
        )
        assert answer.status_code == 200
        assert "idempotent-replayed" not in answer.headers


@pytest.mark.parametrize("bad", ["", "a" * 256, "a\x7f", "ä", "a b", "\xa0"])
async def test_a_key_that_is_none_is_refused(
    shop: "Shop", admin: httpx.AsyncClient, bad: str
) -> None:
    before = await shop.counts()
    answer = await admin.post(
        ACCOUNTS, json=NEW, headers={b"Idempotency-Key": bad.encode("latin-1")}
    )
    problem = shop.refused(answer, 422, "validation_failed")
    assert shop.fields(problem) == [("Idempotency-Key", "invalid")]
    assert await shop.counts() == before


async def test_the_longest_key_is_taken(admin: httpx.AsyncClient) -> None:
    for _ in range(2):
        answer = await admin.post(ACCOUNTS, json=NEW, headers=key("~" * 255))
        assert answer.status_code == 201


async def test_a_key_is_kept_for_thirty_days(shop: "Shop", admin: httpx.AsyncClient) -> None:
    first = await admin.post(ACCOUNTS, json=NEW, headers=key("old"))
    try:
        shop.wall.ahead = KEPT - timedelta(minutes=1)
        replayed = await admin.post(ACCOUNTS, json=NEW, headers=key("old"))
        assert replayed.json()["id"] == first.json()["id"]
        shop.wall.ahead = KEPT + timedelta(minutes=1)
        anew = await admin.post(ACCOUNTS, json=NEW, headers=key("old"))
        assert anew.json()["id"] != first.json()["id"]
    finally:
        shop.wall.ahead = timedelta()


async def test_reading_and_deleting_pay_no_heed_to_a_key(
    shop: "Shop", admin: httpx.AsyncClient
) -> None:
    before = await shop.counts()
    for _ in range(2):
        answer = await admin.get(ACCOUNTS, headers=key("read"))
        assert answer.status_code == 200
        assert "idempotent-replayed" not in answer.headers
    assert await shop.counts() == before


async def test_usage_is_counted_once_under_a_key_too(shop: "Shop") -> None:
    event = {
        "specversion": "1.0",
        "id": "k1",
        "source": "s",
        "type": "api_calls",
        "subject": shop.acme.id,
        "data": {"n": 1},
    }
    sender = shop.with_key(shop.house_keys["usage:write"])
    before = (await shop.counts())["usage_events"]
    for attempt in range(2):
        answer = await sender.post("/api/v1/events", json=event, headers=key("usage"))
        assert (answer.status_code, answer.content) == (204, b"")
        assert ("idempotent-replayed" in answer.headers) is (attempt == 1)
    assert (await shop.counts())["usage_events"] == before + 1


# -- routes that call a gateway: the claim is committed first --


async def test_a_crash_before_the_answer_gives_the_key_back_when_its_lease_ends(
    shop: "Shop",
) -> None:
    """What a dead process leaves of a gateway route is a claim without an answer."""
    tenant, invoice = await shop.billed()
    owner = shop.with_key(tenant.keys["billing:write"])
    pay = f"{BILLING}/invoices/{invoice['id']}/pay"
    answer = await owner.post(pay, headers=key("dead"))
    shop.refused(answer, 409, "payment_method_missing")
    await shop.rows(
        "UPDATE idempotency_keys SET status = NULL, headers = NULL, body = NULL"
        " WHERE key = 'dead' AND account_id = $1",
        tenant.account.account_id,
    )
    shop.refused(await owner.post(pay, headers=key("dead")), 409, "request_in_progress")
    other = await owner.post(f"{pay}?x=1", headers=key("dead"))
    shop.refused(other, 409, "idempotency_conflict")
    try:
        shop.wall.ahead = LEASE + timedelta(seconds=1)
        again = await owner.post(pay, headers=key("dead"))
        shop.refused(again, 409, "payment_method_missing")
        assert "idempotent-replayed" not in again.headers
    finally:
        shop.wall.ahead = timedelta()


async def test_a_gateway_that_is_not_there_does_not_use_up_the_key(shop: "Shop") -> None:
    owner = shop.with_key(shop.acme.keys["billing:write"])
    before = await shop.counts()
    for _ in range(2):
        answer = await owner.post(f"{BILLING}/setup-intent/card", headers=key("gateway"))
        shop.refused(answer, 503, "gateway_unavailable")
        assert "idempotent-replayed" not in answer.headers
    assert await shop.counts() == before
