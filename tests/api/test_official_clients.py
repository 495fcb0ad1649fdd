"""The official clients of OpenMeter and Lago, unchanged, against a real server."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from corehttp.exceptions import ClientAuthenticationError, HttpResponseError
from lago_python_client.client import Client as Lago
from lago_python_client.exceptions import LagoApiError
from lago_python_client.models import BatchEvent, Event
from openmeter import Client as OpenMeter
from openmeter import aio
from openmeter.models import Event as CloudEvent

if TYPE_CHECKING:
    from tests.api.conftest import Shop, Tenant

T = TypeVar("T")
BILLING = "/api/v1/billing"


@pytest.fixture
async def tenant(shop: "Shop") -> "Tenant":
    tenant = await shop.tenant()
    await shop.subscribe(tenant.account, ago=timedelta(minutes=1))
    return tenant


@pytest.fixture
def openmeter(live: str, shop: "Shop") -> Iterator[OpenMeter]:
    with OpenMeter(endpoint=live, token=shop.house_keys["usage:write"]) as client:
        yield client


@pytest.fixture
def lago(live: str, shop: "Shop") -> Lago:
    return Lago(api_key=shop.house_keys["usage:write"], api_url=live)


async def blocking(call: Callable[..., T], *arguments: Any) -> T:
    """These clients block: in a thread, so that the loop goes on."""
    return await asyncio.to_thread(call, *arguments)


def cloudevent(tenant: "Tenant", event_id: str, n: int, **changes: Any) -> CloudEvent:
    facts = {
        "id": event_id,
        "source": "my-app",
        "specversion": "1.0",
        "type": "api_calls",
        "subject": tenant.account.external_id,
        "time": datetime.now(UTC),
        "data": {"n": n, "model": "x", "nested": {"a": [1, None]}},
        **changes,
    }
    return CloudEvent(**facts)


def lago_event(tenant: "Tenant", event_id: str, n: int, **changes: Any) -> Event:
    facts = {
        "transaction_id": event_id,
        "external_subscription_id": tenant.account.external_id,
        "code": "api_calls",
        "timestamp": int(datetime.now(UTC).timestamp()),
        "precise_total_amount_cents": None,
        "properties": {"n": n},
        **changes,
    }
    return Event(**facts)


async def calls(shop: "Shop", tenant: "Tenant") -> str:
    client = shop.with_key(tenant.keys["billing:read"])
    answer = await client.get(f"{BILLING}/usage/current")
    return str(answer.json()["current_period"]["api_calls"])


async def test_openmeters_client_sends_one_event_and_it_counts_once(
    shop: "Shop", openmeter: OpenMeter, tenant: "Tenant"
) -> None:
    event = cloudevent(tenant, "om-1", 5)
    for _ in range(3):
        await blocking(openmeter.events.ingest_event, event)
    assert await calls(shop, tenant) == "5"


async def test_openmeters_client_sends_a_batch(
    shop: "Shop", openmeter: OpenMeter, tenant: "Tenant"
) -> None:
    events = [cloudevent(tenant, f"om-{n}", n) for n in range(50)]
    for _ in range(2):
        await blocking(openmeter.events.ingest_events, events)
    assert await calls(shop, tenant) == "1225"


async def test_openmeters_async_client_does_so_too(
    shop: "Shop", live: str, tenant: "Tenant"
) -> None:
    async with aio.Client(endpoint=live, token=shop.house_keys["usage:write"]) as client:
        await client.events.ingest_event(cloudevent(tenant, "om-a", 1))
        await client.events.ingest_events([cloudevent(tenant, "om-b", 2)])
    assert await calls(shop, tenant) == "3"


async def test_openmeters_client_sends_json_of_either_shape(
    shop: "Shop", openmeter: OpenMeter, tenant: "Tenant"
) -> None:
    await blocking(openmeter.events.ingest_events_json, cloudevent(tenant, "om-j", 1))
    await blocking(openmeter.events.ingest_events_json, [cloudevent(tenant, "om-k", 2)])
    assert await calls(shop, tenant) == "3"


async def test_openmeters_client_understands_a_refusal(
    live: str, openmeter: OpenMeter, tenant: "Tenant"
) -> None:
    with pytest.raises(HttpResponseError) as refused:
        await blocking(openmeter.events.ingest_event, cloudevent(tenant, "om-x", -1))
    assert refused.value.status_code == 422
    stranger = OpenMeter(endpoint=live, token="tsk_" + "a" * 52)
    with stranger, pytest.raises(ClientAuthenticationError):
        await blocking(stranger.events.ingest_event, cloudevent(tenant, "om-y", 1))


async def test_lagos_client_sends_one_event_and_it_counts_once(
    shop: "Shop", lago: Lago, tenant: "Tenant"
) -> None:
    event = lago_event(tenant, "lago-1", 5)
    for _ in range(3):
        answer = await blocking(lago.events.create, event)
        assert answer is not None
        assert answer.transaction_id == "lago-1"
        assert answer.code == "api_calls"
        assert answer.properties == {"n": 5}
        assert answer.external_subscription_id == tenant.account.external_id
    assert await calls(shop, tenant) == "5"


async def test_lagos_client_sends_a_batch(shop: "Shop", lago: Lago, tenant: "Tenant") -> None:
    batch = BatchEvent(events=[lago_event(tenant, f"lago-{n}", n) for n in range(50)])
    for _ in range(2):
        await blocking(lago.events.batch_create, batch)
    assert await calls(shop, tenant) == "1225"


async def test_lagos_client_sends_times_as_it_likes(
    shop: "Shop", lago: Lago, tenant: "Tenant"
) -> None:
    now = datetime.now(UTC).timestamp()
    for number, timestamp in enumerate((None, int(now), str(int(now)), f"{now:.3f}")):
        event = lago_event(tenant, f"time-{number}", 1, timestamp=timestamp)
        assert await blocking(lago.events.create, event) is not None
    assert await calls(shop, tenant) == "4"


async def test_lagos_client_understands_a_refusal(
    lago: Lago, shop: "Shop", tenant: "Tenant"
) -> None:
    with pytest.raises(LagoApiError) as refused:
        await blocking(lago.events.create, lago_event(tenant, "lago-x", -1))
    assert refused.value.status_code == 422
    batch = BatchEvent(events=[lago_event(tenant, "g", 1), lago_event(tenant, "b", -1)])
    with pytest.raises(LagoApiError):
        await blocking(lago.events.batch_create, batch)
    assert await calls(shop, tenant) == "0"
