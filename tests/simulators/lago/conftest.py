"""A running Lago simulator, and the official client in front of it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from lago_python_client.client import Client
from lago_python_client.models.billable_metric import BillableMetric
from lago_python_client.models.customer import Customer
from lago_python_client.models.plan import Plan
from lago_python_client.models.subscription import Subscription

from tallystick.simulators.lago.server import running

NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def shared_simulator() -> Iterator[str]:
    with running(lambda: NOW) as base_url:
        yield base_url


@pytest.fixture
def base_url(shared_simulator: str) -> str:
    """The address of a simulator that remembers nothing."""
    httpx.post(f"{shared_simulator}/_sim/reset").raise_for_status()
    return shared_simulator


# The client's mixins bind to no class of its own under a strict check: Any from here on.
@pytest.fixture
def client(base_url: str) -> Any:
    return Client(api_key="any", api_url=base_url)


@pytest.fixture
def post(base_url: str) -> Callable[[str, Any], httpx.Response]:
    """Send a body as a client of no make."""

    def post(path: str, body: Any) -> httpx.Response:
        headers = {"authorization": "Bearer any"}
        return httpx.post(f"{base_url}/api/v1/{path}", json=body, headers=headers)

    return post


@pytest.fixture
def shop(client: Any) -> Any:
    """The customer `cust-1` in Paris, on a plan that charges calls, tokens and the peak."""
    kinds = {"calls": ("count_agg", None), "tokens": ("sum_agg", "n"), "peak": ("max_agg", "n")}
    metrics = [
        client.billable_metrics.create(
            BillableMetric.parse_obj(
                {"name": code, "code": code, "aggregation_type": kind, "field_name": field}
            )
        )
        for code, (kind, field) in kinds.items()
    ]
    charges = [
        {
            "billable_metric_id": metric.lago_id,
            "charge_model": "standard",
            "properties": {"amount": "0.01"},
        }
        for metric in metrics
    ]
    plan = {
        "name": "Pro",
        "code": "pro",
        "interval": "monthly",
        "amount_cents": 0,
        "amount_currency": "EUR",
        "pay_in_advance": False,
        "charges": charges,
    }
    client.plans.create(Plan.parse_obj(plan))
    customer = {"external_id": "cust-1", "timezone": "Europe/Paris"}
    client.customers.create(Customer.parse_obj(customer))
    subscription = {
        "external_customer_id": "cust-1",
        "plan_code": "pro",
        "external_id": "sub-1",
        "subscription_at": "2026-01-01T00:00:00Z",
    }
    client.subscriptions.create(Subscription.parse_obj(subscription))
    return client
