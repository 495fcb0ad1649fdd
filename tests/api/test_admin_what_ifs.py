"""Staff try a version on stored usage, see how far it is, and let it refuse an activation."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tallystick.kernel.ids import show

if TYPE_CHECKING:
    from tests.api.conftest import Shop, Tenant

WHAT_IFS = "/api/v1/admin/billing/what-ifs"
PLANS = "/api/v1/admin/plans"
VERSIONS = "/api/v1/admin/plan-versions"
Json = dict[str, Any]
FEE = {"model": "flat", "code": "fee", "currency": "USD", "amount": "50"}
DRAFT = {"code": "pro", "name": "Pro", "currency": "USD", "interval": "month", "prices": [FEE]}


@pytest.fixture
def admin(shop: "Shop") -> httpx.AsyncClient:
    return shop.as_person(shop.admin)


def span(shop: "Shop", days: int = 80) -> Json:
    now = shop.wall()
    return {"from": (now - timedelta(days=days)).isoformat(), "to": now.isoformat()}


async def begin(client: httpx.AsyncClient, **asked: object) -> Json:
    answer = await client.post(WHAT_IFS, json=asked)
    assert answer.status_code == 201, answer.text
    begun: Json = answer.json()
    return begun


async def done(shop: "Shop", client: httpx.AsyncClient, begun: Json) -> Json:
    await shop.work()
    answer = await client.get(f"{WHAT_IFS}/{begun['id']}")
    found: Json = answer.json()
    assert found["status"] == "done", found
    return found


async def test_a_draft_is_tried_on_an_account_and_its_rows_are_paged(
    shop: "Shop", admin: httpx.AsyncClient
) -> None:
    """A fee of 49.00 and 5.00 for entering the first tier of calls; the draft has 50.00 alone."""
    tenant, invoice = await shop.billed()
    name = name_of(tenant)
    begun = await begin(admin, draft=DRAFT, accounts=[name], **span(shop))
    assert (begun["status"], begun["account_count"], begun["done_count"]) == ("running", 1, 0)
    assert begun["result"] is None
    found = await done(shop, admin, begun)
    assert found["done_count"] == 1
    (whole,) = found["result"]["currencies"]
    assert whole["currency"] == "usd"
    assert whole["now_cents"] == invoice["subtotal_cents"]
    assert whole["then_cents"] == 5000
    assert whole["difference_cents"] == 5000 - invoice["subtotal_cents"]
    rows = (await admin.get(f"{WHAT_IFS}/{begun['id']}/rows", params={"limit": 1})).json()
    (row,) = rows["rows"]
    assert rows["total"] == 1
    assert (row["account"], row["now_cents"], row["then_cents"]) == (
        name, invoice["subtotal_cents"], 5000)  # fmt: skip
    assert sum(line["now_cents"] or 0 for line in row["lines"]) == row["now_cents"]
    listed = (await admin.get(WHAT_IFS)).json()
    assert begun["id"] in [one["id"] for one in listed["what_ifs"]]


def name_of(tenant: "Tenant") -> str:
    return show("account", tenant.account.account_id)


async def test_an_activation_is_refused_with_the_figures_above_a_set_variance(
    shop: "Shop", admin: httpx.AsyncClient
) -> None:
    tenant, invoice = await shop.billed()
    made = await admin.post(PLANS, json={**DRAFT, "draft": True})
    version = made.json()["id"]
    name = name_of(tenant)
    begun = await begin(admin, plan_version=version, accounts=[name], **span(shop))
    path = f"{VERSIONS}/{version}/activate"
    held = {"what_if": begun["id"], "variance_max_percent": "0.5"}
    shop.refused(await admin.post(path, json=held), 409, "what_if_not_done")
    await done(shop, admin, begun)
    problem = shop.refused(await admin.post(path, json=held), 409, "plan_variance_too_high")
    (figures,) = problem["variances"]
    assert figures["now_cents"] == invoice["subtotal_cents"]
    assert figures["difference_cents"] == 5000 - invoice["subtotal_cents"]
    malformed = await admin.post(path, json={**held, "variance_max_percent": "1e3"})
    problem = shop.refused(malformed, 422, "validation_failed")
    assert shop.fields(problem) == [("variance_max_percent", "not_a_decimal_string")]
    active = await admin.post(path, json={**held, "variance_max_percent": "100"})
    assert active.status_code == 200, active.text


async def test_what_can_not_be_asked_names_its_field(
    shop: "Shop", admin: httpx.AsyncClient
) -> None:
    free = {**FEE, "amount": "-1"}
    unknown = {"model": "per_unit", "code": "x", "meter": "nope", "currency": "USD", "unit": "1"}
    for body, fields in (
        (span(shop), [("plan_version", "one_of")]),
        ({"draft": DRAFT, "accounts": [], **span(shop)}, [("accounts", "out_of_range")]),
        ({"draft": DRAFT, **span(shop, -1)}, [("to", "period_reversed")]),
        (
            {"draft": {**DRAFT, "code": "?", "prices": [unknown]}, **span(shop)},
            [("draft.code", "invalid_code"), ("draft.prices[0].meter", "meter_not_found")],
        ),
        ({"draft": {**DRAFT, "prices": [free]}, **span(shop)},
         [("draft.prices[0].amount", "negative")]),
    ):  # fmt: skip
        problem = shop.refused(await admin.post(WHAT_IFS, json=body), 422, "validation_failed")
        assert shop.fields(problem) == fields
    gone = {"draft": DRAFT, "plan": "nope", **span(shop)}
    shop.refused(await admin.post(WHAT_IFS, json=gone), 404, "plan_not_found")
    nobody = {"draft": DRAFT, "accounts": ["acct_00000000000000000000000001"], **span(shop)}
    shop.refused(await admin.post(WHAT_IFS, json=nobody), 404, "account_not_found")


async def test_support_reads_what_finance_asks_and_accounts_see_nothing(shop: "Shop") -> None:
    finance, support = shop.as_person(shop.finance), shop.as_person(shop.support)
    begun = await begin(finance, draft=DRAFT, **span(shop))
    path = f"{WHAT_IFS}/{begun['id']}"
    assert (await support.get(path)).status_code == 200
    shop.refused(await support.post(WHAT_IFS, json={"draft": DRAFT}), 403, "not_allowed")
    shop.refused(await shop.as_person(shop.acme.owner).get(path), 403, "not_allowed")
    assert (await finance.delete(path)).status_code == 204
    shop.refused(await support.get(path), 404, "what_if_not_found")
    shop.refused(await support.get(f"{path}/rows"), 404, "what_if_not_found")
    shop.refused(await finance.delete(path), 404, "what_if_not_found")
