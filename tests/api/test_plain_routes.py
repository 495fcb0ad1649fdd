"""Routes that run without the framework answer as they do within it."""

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

if TYPE_CHECKING:
    import httpx

    from tests.api.conftest import Shop

DEDUCT = "/api/v1/billing/credits/deduct"
WITHIN = {"Cookie": "theme=dark"}
"""A request with a cookie is not plain: the framework takes it."""
# What an answer is allowed to differ in.
OF_THE_REQUEST = frozenset({"x-request-id", "ratelimit-remaining", "ratelimit-reset"})


def told(answer: "httpx.Response") -> tuple[int, dict[str, str], Any]:
    body = {name: text for name, text in answer.json().items() if name != "request_id"}
    headers = {name: text for name, text in answer.headers.items() if name not in OF_THE_REQUEST}
    return answer.status_code, {**headers, "content-length": ""}, body


@pytest.mark.parametrize(
    ("scope", "content", "status"),
    [
        ("credits:write", b'{"operation": "write", "credits": "1"}', 402),
        ("credits:write", b'{"operation": "write", "credits": 1}', 422),
        ("credits:write", b'{"operation": "write", "credits": "1", "more": 1}', 422),
        ("credits:write", b'{"operation": "", "credits": "1"}', 422),
        ("credits:write", b'{"operation": "write", "quantity": "1"}', 404),
        ("credits:write", b"{", 400),
        ("credits:write", b"", 422),
        ("billing:read", b'{"operation": "write", "credits": "1"}', 403),
    ],
)
async def test_a_refusal_is_the_same_with_and_without_the_framework(
    shop: "Shop", scope: Any, content: bytes, status: int
) -> None:
    tenant = await shop.tenant()
    caller = shop.with_key(tenant.keys[scope])
    kind = {"Content-Type": "application/json"}
    plain = await caller.post(DEDUCT, content=content, headers=kind)
    within = await caller.post(DEDUCT, content=content, headers=kind | WITHIN)
    assert plain.status_code == status, plain.text
    assert told(plain) == told(within)


@pytest.mark.parametrize("secret", ["tsk_unknown", "nonsense", ""])
async def test_a_wrong_key_is_refused_the_same(shop: "Shop", secret: str) -> None:
    caller = shop.with_key(secret)
    body = {"operation": "write", "credits": "1"}
    plain = await caller.post(DEDUCT, json=body)
    assert plain.status_code == 401
    assert told(plain) == told(await caller.post(DEDUCT, json=body, headers=WITHIN))


async def test_a_key_used_without_the_framework_is_replayed_within_it(shop: "Shop") -> None:
    tenant = await shop.tenant()
    staff = shop.with_key(shop.house_keys["admin"])
    given = {"credits": "3", "reason": "a gift"}
    await staff.post(f"/api/v1/admin/accounts/{tenant.id}/credits/grant", json=given)
    caller = shop.with_key(tenant.keys["credits:write"])
    headers, body = {"Idempotency-Key": uuid4().hex}, {"operation": "write", "credits": "1"}
    first = await caller.post(DEDUCT, json=body, headers=headers)
    again = await caller.post(DEDUCT, json=body, headers=headers | WITHIN)
    assert (first.status_code, "idempotent-replayed" in first.headers) == (200, False)
    assert (again.json(), again.headers["idempotent-replayed"]) == (first.json(), "true")
    other = {"operation": "write", "credits": "2"}
    conflict = await caller.post(DEDUCT, json=other, headers=headers)
    assert (conflict.status_code, conflict.json()["code"]) == (409, "idempotency_conflict")


async def test_a_house_key_must_name_the_account(shop: "Shop") -> None:
    body = {"operation": "write", "credits": "1"}
    unnamed = shop.with_key(shop.house_keys["credits:write"])
    plain = await unnamed.post(DEDUCT, json=body)
    assert (plain.status_code, plain.json()["code"]) == (400, "account_required")
    assert told(plain) == told(await unnamed.post(DEDUCT, json=body, headers=WITHIN))
    named = shop.with_key(shop.house_keys["credits:write"], (await shop.tenant()).id)
    assert (await named.post(DEDUCT, json=body)).status_code == 402
