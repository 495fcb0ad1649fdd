"""The rate of requests: each caller has one of its own, and refusals count."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import httpx
import msgspec

if TYPE_CHECKING:
    from tests.api.conftest import Shop

PLANS = "/api/v1/billing/plans"
AUTOPAY = "/api/v1/billing/autopay"


async def test_a_caller_over_the_rate_waits_and_others_do_not(
    shop: "Shop", again: "Callable[..., Shop]"
) -> None:
    seconds = [1000.0]
    services = msgspec.structs.replace(shop.services, monotonic=lambda: seconds[0])
    slow = again(services, rate_limit_per_minute=2)
    member, owner = slow.as_person(shop.acme.member), slow.as_person(shop.acme.owner)
    for left in (1, 0):
        answer = await member.get(PLANS)
        told = {
            name: answer.headers[f"ratelimit-{name}"] for name in ("limit", "remaining", "reset")
        }
        assert told == {"limit": "2", "remaining": str(left), "reset": "21"}
    refused = await member.get(PLANS)
    problem = slow.refused(refused, 429, "rate_limited")
    assert problem["retry_after"] == 21
    assert refused.headers["retry-after"] == "21"
    assert refused.headers["ratelimit-remaining"] == "0"
    assert (await owner.get(PLANS)).status_code == 200
    seconds[0] += 21
    assert (await member.get(PLANS)).status_code == 200


async def test_a_refused_request_counts_too(shop: "Shop", again: "Callable[..., Shop]") -> None:
    services = msgspec.structs.replace(shop.services, monotonic=lambda: 1000.0)
    slow = again(services, rate_limit_per_minute=2)
    member = slow.as_person(shop.acme.member)
    answers = [await member.post(AUTOPAY, json={}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [403, 403, 429]


async def test_health_needs_no_credential_and_has_no_rate(again: "Callable[..., Shop]") -> None:
    slow = again(rate_limit_per_minute=1)
    answers: list[httpx.Response] = [await slow.anybody.get("/healthz") for _ in range(5)]
    assert {answer.status_code for answer in answers} == {200}
    assert "ratelimit-limit" not in answers[0].headers
