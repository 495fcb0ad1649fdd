"""Another account's objects do not exist: every route with an id, found in the description."""

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pytest

from tallystick.app import api_description
from tests.api.owned import BILLING, BODIES, SHARED, Owned, own, saved_card

if TYPE_CHECKING:
    from tests.api.conftest import Shop

Json = dict[str, Any]
METHODS = ("get", "post", "patch", "put", "delete")
DESCRIPTION: Json = msgspec.json.decode(api_description())
# What is ended with a reason.
REASONED = (
    "/{per}",
    "/entitlements/{feature_code}",
    "/{redemption_id}",
    "/stripe-meters/meters/{meter_code}",
)
# What is made under the name that is asked for is there afterwards, or needs Stripe's key first.
NAMED_BY_THE_CALLER = (
    "/payment-method-configs/{config_code}",
    "/stripe-meters/meters/{meter_code}",
)
PLACE = re.compile(r"\{(\w+)\}")


def operations() -> Iterator[tuple[str, str]]:
    for path, item in DESCRIPTION["paths"].items():
        for method in METHODS:
            if method in item and "{" in path:
                yield method, path


# Packages and features are the business's; reservations need a key of their own scope
# (test_credits.py); tables are the same ones for all (test_exports.py).
ELSEWHERE = ("/credit-packages/", "/credits/reservations/", "/entitlements/", "/exports/")
OF_ACCOUNTS = [
    pair
    for pair in operations()
    if pair[1].startswith(BILLING) and not any(part in pair[1] for part in ELSEWHERE)
]
# A deduction, a purchase, another account or event that is not there is not found either.
NAMED_IN_BODY = (
    "/credits/refund",
    "/credits/reverse",
    "/credits/transfer",
    "/{event_id}/amend",
    "/{event_id}/reverse",
    "/{test_clock_id}/accounts",
    "/{test_clock_id}/accounts/{account_id}",
)


def ends(operation: tuple[str, str]) -> bool:
    return operation[0] == "delete"


OF_STAFF = sorted(
    (
        pair
        for pair in operations()
        if not pair[1].startswith((BILLING, "/api/v1/meters/"))
        and not pair[1].endswith(NAMED_IN_BODY)
    ),
    key=ends,
)

# What ends an object comes after what reads it.
UNSAFE_LAST = sorted(OF_ACCOUNTS, key=ends)


@pytest.fixture(scope="module")
async def globex(shop: "Shop") -> Owned:
    return await own(shop)


@pytest.fixture(scope="module")
async def acme(shop: "Shop") -> Owned:
    return await own(shop)


def fill(path: str, values: Mapping[str, str]) -> str:
    return PLACE.sub(lambda found: {**SHARED, **values}[found[1]], path)


async def ask(client: httpx.AsyncClient, method: str, path: str, at: str) -> httpx.Response:
    body = next((body for end, body in BODIES.items() if path.endswith(end)), None)
    query = {"reason": "ended"} if method == "delete" and path.endswith(REASONED) else None
    return await client.request(method, at, json=body, params=query)


def test_the_description_has_routes_to_walk() -> None:
    assert len(OF_ACCOUNTS) >= 9
    assert len(OF_STAFF) >= 7


@pytest.mark.parametrize(("method", "path"), OF_ACCOUNTS)
async def test_another_accounts_object_does_not_exist(
    shop: "Shop", acme: Owned, globex: Owned, method: str, path: str
) -> None:
    """The ids are real: their own account is answered otherwise in the next test."""
    before = await shop.counts()
    clients = [
        shop.as_person(acme.tenant.owner),
        shop.with_key(acme.tenant.keys["billing:write"]),
        shop.with_key(shop.house_keys["billing:write"], acme.tenant.id),
    ]
    for client in clients:
        for base in (BILLING, "/api/billing"):
            at = fill(path, globex.ids).replace(BILLING, base)
            answer = await ask(client, method, path, at)
            problem = shop.refused(answer, 404, answer.json()["code"])
            assert problem["code"].endswith("_not_found")
            assert problem["code"] != "route_not_found"
    assert await shop.counts() == before


@pytest.mark.parametrize(("method", "path"), OF_ACCOUNTS)
async def test_an_id_of_nothing_or_of_another_kind_does_not_exist(
    shop: "Shop", acme: Owned, method: str, path: str
) -> None:
    client = shop.as_person(acme.tenant.owner)
    for name in PLACE.findall(path):
        kind = acme.ids[name].partition("_")[0]
        wrong = [
            f"{kind}_{'0' * 26}",
            f"{kind}_{'8' * 26}",
            f"{kind}_{'u' * 26}",
            acme.ids[name].upper(),
            acme.tenant.id,
            "x",
            "%00",
            "a%2Fb",
            "%F0%9F%A6%84",
            "x" * 3000,
        ]
        for value in wrong:
            answer = await ask(client, method, path, fill(path, {**acme.ids, name: value}))
            shop.refused(answer, 404, answer.json()["code"])


@pytest.mark.parametrize(("method", "path"), UNSAFE_LAST)
async def test_the_own_object_does_exist(shop: "Shop", acme: Owned, method: str, path: str) -> None:
    answer = await ask(shop.as_person(acme.tenant.owner), method, path, fill(path, acme.ids))
    # 409: its state does not allow it. 503: the card's gateway is not configured here.
    assert answer.status_code in {200, 201, 202, 204, 409, 503}, answer.text


@pytest.mark.parametrize(("method", "path"), OF_STAFF)
async def test_staffs_objects_are_403_to_customers_whether_they_exist_or_not(
    shop: "Shop", acme: Owned, globex: Owned, method: str, path: str
) -> None:
    before = await shop.counts()
    for owned in (acme, globex):
        for client in (
            shop.as_person(acme.tenant.owner),
            shop.with_key(acme.tenant.keys["billing:write"]),
        ):
            answer = await ask(client, method, path, fill(path, owned.ids))
            shop.refused(answer, 403, "not_allowed")
    answer = await ask(shop.as_person(acme.tenant.owner), method, path, PLACE.sub("x", path))
    shop.refused(answer, 403, "not_allowed")
    assert await shop.counts() == before


@pytest.mark.parametrize(
    ("method", "path"),
    [one for one in OF_STAFF if one[0] != "put" or not one[1].endswith(NAMED_BY_THE_CALLER)],
)
async def test_staff_find_nothing_under_an_id_of_nothing(
    shop: "Shop", globex: Owned, method: str, path: str
) -> None:
    admin = shop.with_key(shop.house_keys["admin"])
    for value in (f"acct_{'0' * 26}", "x", "%00", "%F0%9F%A6%84"):
        answer = await ask(admin, method, path, PLACE.sub(value, path))
        problem = shop.refused(answer, 404, answer.json()["code"])
        assert problem["code"].endswith("_not_found")
    assert (await ask(admin, method, path, fill(path, globex.ids))).status_code != 404


async def test_a_key_of_an_account_reports_no_usage_of_another(shop: "Shop") -> None:
    sender = shop.with_key(shop.acme.keys["usage:write"])
    event = {"specversion": "1.0", "id": "1", "source": "s", "type": "api_calls", "data": {"n": 1}}
    before = await shop.counts()
    answer = await sender.post("/api/v1/events", json=event | {"subject": shop.globex.id})
    problem = shop.refused(answer, 422, "validation_failed")
    assert shop.fields(problem) == [("subject", "unknown_subject")]
    assert await shop.counts() == before
    answer = await sender.post("/api/v1/events", json=event | {"subject": shop.acme.id})
    assert answer.status_code == 204


async def test_lists_hold_the_own_account_alone(shop: "Shop", acme: Owned, globex: Owned) -> None:
    for name in ("invoices", "payments", "payment-methods"):
        answer = await shop.as_person(acme.tenant.owner).get(f"{BILLING}/{name}")
        assert answer.status_code == 200
        assert not any(value in answer.text for value in globex.ids.values()), name


async def test_two_accounts_with_one_gateway_token_do_not_meet(shop: "Shop") -> None:
    """A gateway's token is looked up within the account, as our own ids are."""
    tenants = [await shop.tenant(), await shop.tenant()]
    for tenant in tenants:
        await saved_card(shop, tenant)
    owner = shop.as_person(tenants[0].owner)
    foreign = f"pm_{tenants[1].id}"
    answer = await owner.post(
        f"{BILLING}/payment-methods/default", json={"payment_method_id": foreign}
    )
    shop.refused(answer, 404, "payment_method_not_found")
    answer = await owner.delete(f"{BILLING}/payment-methods/{foreign}")
    shop.refused(answer, 404, "payment_method_not_found")
