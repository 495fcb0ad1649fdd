"""Stripe's webhooks over HTTP: the signature is the credential, and each event is stored once."""

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tallystick.settings import Settings
    from tests.api.conftest import Shop

Json = dict[str, Any]
PATHS = ["/api/stripe/webhook", "/api/v1/webhooks/stripe", "/api/stripe/webhook/"]
OLD, NEW = "whsec_old_0123456789", "whsec_new_0123456789"


@pytest.fixture(scope="module")
def settings(own_settings: "Callable[..., Settings]") -> "Settings":
    return own_settings(
        stripe_secret_key="sk_test_tallystick_0123456789", stripe_webhook_secrets=(NEW, OLD)
    )


def event(event_id: str, **changes: object) -> bytes:
    body = {
        "id": event_id,
        "object": "event",
        "type": "customer.created",
        "api_version": "2026-10-28.endive",
        "created": 1,
        "livemode": False,
        "data": {"object": {"id": "cus_1", "object": "customer"}},
        **changes,
    }
    return json.dumps(body).encode()


def signature(shop: "Shop", body: bytes, secret: str = NEW, ago: int = 0) -> str:
    at = int(shop.wall().timestamp()) - ago
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


async def send(
    shop: "Shop", body: bytes, signed: str | None, path: str = PATHS[0]
) -> httpx.Response:
    headers = {"content-type": "application/json"}
    if signed is not None:
        headers["Stripe-Signature"] = signed
    return await shop.anybody.post(path, content=body, headers=headers)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("secret", [NEW, OLD])
async def test_a_signed_event_is_stored_once_at_every_address(
    shop: "Shop", path: str, secret: str
) -> None:
    body = event(f"evt_{PATHS.index(path)}_{secret[6:9]}")
    before = (await shop.counts())["webhook_inbox"]
    for _ in range(3):
        answer = await send(shop, body, signature(shop, body, secret), path)
        assert (answer.status_code, answer.json()) == (200, {"received": True})
    assert (await shop.counts())["webhook_inbox"] == before + 1


async def test_what_was_not_signed_for_us_now_is_400(shop: "Shop") -> None:
    body = event("evt_bad")
    good = signature(shop, body)
    time, _, digest = good.partition(",")
    bad = [
        None,
        "",
        "x",
        time,
        digest,
        f"{time},v1=",
        f"{time},v1={'0' * 64}",
        f"{time},v0={digest[3:]}",
        f"t=x,{digest}",
        f"t={'9' * 400},{digest}",
        signature(shop, body, "whsec_of_somebody_else"),
        signature(shop, body + b" "),
        signature(shop, body, ago=301),
        signature(shop, body, ago=-3600),
    ]
    before = await shop.counts()
    for path in PATHS:
        for signed in bad:
            answer = await send(shop, body, signed, path)
            problem = shop.refused(answer, 400, "invalid_signature")
            assert "whsec" not in str(problem)
    assert await shop.counts() == before


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"id": 1}', b"\xff", b'"x"'])
async def test_a_signed_body_that_is_no_event_is_400(shop: "Shop", body: bytes) -> None:
    before = await shop.counts()
    shop.refused(await send(shop, body, signature(shop, body)), 400, "invalid_payload")
    assert await shop.counts() == before


async def test_a_body_over_the_limit_is_413(shop: "Shop") -> None:
    body = event("evt_large", pad="x" * (1 << 20))
    shop.refused(await send(shop, body, signature(shop, body)), 413, "body_too_large")


async def test_neither_credentials_nor_tokens_nor_parameters_matter(shop: "Shop") -> None:
    body = event("evt_parameters")
    headers = {
        "Stripe-Signature": signature(shop, body),
        "Authorization": "Bearer nothing",
        "Cookie": f"session_token={shop.acme.owner.session}",
        "Idempotency-Key": "key",
    }
    answer = await shop.anybody.post(f"{PATHS[0]}?source=x", content=body, headers=headers)
    assert answer.status_code == 200
    assert "ratelimit-limit" not in answer.headers


async def test_an_event_of_a_kind_that_we_do_not_know_is_stored_and_left(shop: "Shop") -> None:
    body = event("evt_unknown", type="radar.early_fraud_warning.created")
    assert (await send(shop, body, signature(shop, body))).status_code == 200
    await shop.work()
    (row,) = await shop.rows("SELECT status FROM webhook_inbox WHERE event_id = 'evt_unknown'")
    assert row["status"] == "ignored"


async def test_without_stripe_it_is_503_and_stripe_sends_again(
    shop: "Shop", module_dsn: str, own_settings: "Callable[..., Settings]", opened: Any
) -> None:
    body = event("evt_unconfigured")
    async with opened(own_settings(), module_dsn) as without:
        for path in PATHS:
            headers = {"Stripe-Signature": signature(shop, body)}
            answer = await without.anybody.post(path, content=body, headers=headers)
            shop.refused(answer, 503, "gateway_unavailable")
