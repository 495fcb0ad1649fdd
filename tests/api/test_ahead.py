"""`POST /preview` and `GET /subscription/timeline` over HTTP."""

from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from tests.api.conftest import Shop, Tenant

Json = dict[str, Any]
BILLING = "/api/v1/billing"


@pytest.fixture
async def tenant(shop: "Shop") -> "Tenant":
    return await shop.tenant()


@pytest.fixture
def owner(shop: "Shop", tenant: "Tenant") -> httpx.AsyncClient:
    return shop.with_key(tenant.keys["billing:read"])


async def test_a_preview_shows_invoices_and_writes_nothing(
    shop: "Shop", tenant: "Tenant", owner: httpx.AsyncClient
) -> None:
    before = await shop.counts()
    answer = await owner.post(f"{BILLING}/preview", json={"do": "subscribe", "plan": "pro"})
    assert answer.status_code == 200, answer.text
    seen = answer.json()
    assert seen["now"] == []
    fee, *usage = seen["next"]["lines"]
    assert (fee["kind"], fee["amount_cents"], fee["quantity"]) == ("subscription", 4900, "1")
    assert {line["kind"] for line in usage} == {"usage"}
    assert seen["next"]["total_cents"] == sum(
        line["amount_cents"] for line in seen["next"]["lines"]
    )
    assert seen["next"]["at"] == seen["subscription"]["current_period_end"]
    assert seen["subscription"]["tier"] == "pro"
    assert await shop.counts() == before
    await shop.subscribe(tenant.account)
    ending = await owner.post(f"{BILLING}/preview", json={"do": "cancel", "when": "period_end"})
    assert ending.json()["subscription"]["cancel_at_period_end"]


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"do": "subscribe"}, "plan", "missing"),
        ({"do": "dance"}, "do", "invalid"),
        ({"do": "reactivate"}, "subscription", "missing"),
        ({"do": "resume", "trial_days": 3}, "trial_days", "unexpected"),
        ({"do": "subscribe", "plan": "pro", "trial_days": -1}, "trial_days", "out_of_range"),
        (
            {"do": "subscribe", "plan": "pro", "ends_at": "2001-01-01T00:00:00Z"},
            "ends_at",
            "before_start",
        ),
        ({"do": "cancel", "plan": "pro"}, "plan", "unexpected"),
        ({"do": "subscribe", "plan": "pro", "subscription": "x"}, "subscription", "unexpected"),
        ({"do": "subscribe", "plan": "pro", "quantity": 0}, "quantity", "out_of_range"),
        (
            {"do": "change", "plan": "pro", "when": "now", "at": "2030-01-01T00:00:00Z"},
            "at",
            "unexpected",
        ),
        ({"do": "pause", "at": "2300-01-01T00:00:00Z"}, "at", "out_of_range"),
        ({"then": 1}, "then", "unknown_field"),
    ],
    ids=str,
)
async def test_a_preview_that_makes_no_sense_names_the_field(
    shop: "Shop", owner: httpx.AsyncClient, body: Json, field: str, code: str
) -> None:
    answer = await owner.post(f"{BILLING}/preview", json=body)
    problem = shop.refused(answer, 422, "validation_failed")
    assert shop.fields(problem) == [(field, code)]


async def test_a_preview_of_what_is_not_there_is_not_found(
    shop: "Shop", owner: httpx.AsyncClient
) -> None:
    for body in (
        {},
        {"do": "cancel", "subscription": f"sub_{'0' * 26}"},
        {"do": "subscribe", "plan": "none"},
    ):
        answer = await owner.post(f"{BILLING}/preview", json=body)
        shop.refused(answer, 404, answer.json()["code"])


async def test_a_timeline_shows_a_year_of_invoices(
    shop: "Shop", tenant: "Tenant", owner: httpx.AsyncClient
) -> None:
    empty = (await owner.get(f"{BILLING}/subscription/timeline")).json()
    assert (empty["timeline"], empty["total"]) == ([], 0)
    await shop.subscribe(tenant.account)
    shown = (await owner.get(f"{BILLING}/subscription/timeline")).json()
    assert shown["total"] == len(shown["timeline"]) == 12
    first = shown["timeline"][0]
    assert (first["kind"], first["plan"], first["has_usage"]) == ("invoice", "pro", True)
    assert (first["currency"], first["amount_cents"] >= 4900) == ("usd", True)
    until = shown["timeline"][1]["at"]
    two = (await owner.get(f"{BILLING}/subscription/timeline", params={"until": until})).json()
    assert two["timeline"] == shown["timeline"][:2]
    far = await owner.get(
        f"{BILLING}/subscription/timeline", params={"until": "2190-01-01T00:00:00Z"}
    )
    assert shop.fields(shop.refused(far, 422, "validation_failed")) == [("until", "too_far")]
