"""`BILLING_ENABLED=false`: billing answers 404, and the server still says how it is."""

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tallystick.app import api_description

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.conftest import Shop

Json = dict[str, Any]
DESCRIPTION: Json = msgspec.json.decode(api_description())
ALWAYS_ON = {"/healthz", "/readyz", "/api/v1/meta/features"}
OPERATIONS = [
    (method, path)
    for path, item in DESCRIPTION["paths"].items()
    for method in item
    if path not in ALWAYS_ON
]


@pytest.fixture
def off(again: "Callable[..., Shop]") -> "Shop":
    return again(billing_enabled=False)


async def test_every_billing_route_is_404_to_everybody(shop: "Shop", off: "Shop") -> None:
    clients = [off.anybody, off.as_person(shop.acme.owner), off.with_key(shop.house_keys["admin"])]
    before = await shop.counts()
    for method, path in OPERATIONS:
        for at in {path, path.replace("/api/v1/billing", "/api/billing")}:
            for client in clients:
                answer = await client.request(method, at.replace("{", "").replace("}", ""))
                shop.refused(answer, 404, "billing_disabled")
    assert len(OPERATIONS) > 30
    assert await shop.counts() == before


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/sign-in"]
)
async def test_what_is_not_billing_works_on(off: "Shop", path: str) -> None:
    assert (await off.anybody.get(path)).status_code == 200


async def test_the_features_say_so(shop: "Shop", off: "Shop") -> None:
    for asked, wanted in ((shop, True), (off, False)):
        answer = await asked.anybody.get("/api/v1/meta/features")
        assert answer.json()["billingEnabled"] is wanted


async def test_people_still_sign_in_and_out(shop: "Shop", off: "Shop") -> None:
    form = {"email": shop.acme.owner.email, "password": "correct horse battery staple"}
    assert (await off.client().post("/sign-in", data=form)).status_code == 303
