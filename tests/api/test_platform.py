"""What is said to anybody: health, features, numbers, the description and its page."""

import re
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from tallystick import __version__
from tallystick.api.edge import Metrics
from tallystick.payments.breaker import Breaker, Patience
from tallystick.payments.gateway import Gateways
from tallystick.payments.gateways.stripe import StripeGateway, StripeSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.conftest import Shop


async def test_health_says_ok(shop: "Shop") -> None:
    for path in ("/healthz", "/readyz"):
        answer = await shop.anybody.get(path)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_readiness_fails_without_a_migration(shop: "Shop") -> None:
    async with shop.db.pool.acquire() as conn:
        await conn.execute("SET ROLE NONE")
        row = await conn.fetchrow("SELECT * FROM schema_migrations ORDER BY 1 DESC LIMIT 1")
        assert row is not None
        columns = ", ".join(row.keys())
        places = ", ".join(f"${at}" for at in range(1, len(row) + 1))
        first = next(iter(row.keys()))
        await conn.execute(f"DELETE FROM schema_migrations WHERE {first} = $1", row[first])  # noqa: S608 - a column's name
        answer = await shop.anybody.get("/readyz")
        await conn.execute(
            f"INSERT INTO schema_migrations ({columns}) VALUES ({places})",  # noqa: S608 - names of columns
            *row.values(),
        )
        await conn.execute("SET ROLE tallystick_writer")
    shop.refused(answer, 503, "migrations_missing")


async def test_features_are_in_camel_case_as_the_seed_reads_them(shop: "Shop") -> None:
    answer = await shop.anybody.get("/api/v1/meta/features")
    assert answer.json() == {
        "billingEnabled": True,
        "stripeEnabled": False,
        "manualPaymentsEnabled": True,
        "testClocksEnabled": True,
        "version": __version__,
    }


async def test_requests_are_counted_by_route_and_never_by_id(shop: "Shop") -> None:
    path = f"/api/v1/billing/invoices/inv_{'0' * 26}"
    await shop.as_person(shop.acme.member).get(path)
    await shop.anybody.get("/nothing/here")
    await shop.anybody.request("BREW", "/healthz")
    numbers = (await shop.anybody.get("/metrics")).text
    route = "/api/v1/billing/invoices/{invoice_id}"
    assert re.search(
        rf'requests_total{{method="GET",route="{re.escape(route)}",status="404"}}', numbers
    )
    assert 'route="unmatched",status="404"' in numbers
    assert 'method="OTHER"' in numbers
    assert "inv_000" not in numbers
    assert "/nothing/here" not in numbers


async def test_the_page_of_the_description_loads_nothing_from_outside(shop: "Shop") -> None:
    page = await shop.anybody.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert loaded
    for address in loaded:
        assert address.startswith(("/", "data:,"))
        if address.startswith("/"):
            assert (await shop.anybody.get(address)).status_code == 200
    policy = page.headers["content-security-policy"]
    assert "http" not in policy
    assert len(page.headers.get_list("content-security-policy")) == 1


@pytest.mark.parametrize("name", ["x.js", "..%2fmeta.py", "%2e%2e", "__init__.py"])
async def test_no_other_file_is_given_away(shop: "Shop", name: str) -> None:
    answer = await shop.anybody.get(f"/docs/assets/{name}")
    shop.refused(answer, 404, "route_not_found")


async def test_the_config_of_a_page_has_no_secret(shop: "Shop") -> None:
    answer = await shop.as_person(shop.acme.member).get("/api/v1/billing/config")
    assert answer.json() == {
        "gateways": ["manual"],
        "stripe": None,
        "ccbill": None,
        "default_currency": "usd",
        "default_monthly_price": None,
        "default_monthly_price_cents": None,
        "features": {"billing": True, "stripe": False, "ccbill": False},
    }


async def test_a_gateway_that_is_left_alone_is_named_in_readiness_and_numbers(
    again: "Callable[..., Shop]", shop: "Shop"
) -> None:
    now = 0.0
    breaker = Breaker("stripe", Patience(failures_max=1), lambda: now)
    stripe = StripeGateway(
        StripeSettings(secret_key="sk_test_x", publishable_key="", webhook_secrets=()), breaker
    )
    other = again(replace(shop.services, gateways=Gateways([stripe])))
    assert (await other.anybody.get("/readyz")).json() == {"status": "ok"}
    breaker.failed()
    assert (await other.anybody.get("/readyz")).json()["gateways"] == {"stripe": "open"}
    now = 10.0
    assert (await other.anybody.get("/readyz")).json()["gateways"] == {"stripe": "half_open"}
    metrics = Metrics()
    metrics.watch_gateways(other.services.gateways.circuits)
    name = {"gateway": "stripe"}
    assert metrics.registry.get_sample_value("tallystick_gateway_circuit", name) == 1.0
