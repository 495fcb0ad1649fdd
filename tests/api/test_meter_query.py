"""`GET /meters/{code}/query` and `/percentiles`: windows, groups, subjects; OpenMeter's client."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from openmeter import Client as OpenMeter

from tallystick.catalog import service as catalog
from tallystick.catalog.model import NewMeter
from tallystick.kernel.db import WRITER
from tallystick.metering import service as metering

if TYPE_CHECKING:
    from tests.api.conftest import Shop, Tenant

DAY = datetime(2026, 3, 1, tzinfo=UTC)
QUERY = "/api/v1/meters/requests/query"
PERCENTILES = "/api/v1/meters/requests/percentiles"
MARCH = {"from": "2026-03-01T00:00:00Z", "to": "2026-04-01T00:00:00Z"}


@pytest.fixture
async def tenant(shop: "Shop") -> "Tenant":
    """An account in Paris with four requests over three days, of two models."""
    async with shop.db.transaction(WRITER) as conn:
        if not await catalog.meters_by_codes(conn, ["requests"]):
            new = NewMeter(
                code="requests", aggregation="sum", property="n", group_by=("model", "region")
            )
            await metering.create_meter(conn, new, DAY)
    tenant = await shop.tenant(timezone="Europe/Paris")
    await send(shop, tenant, (1, 10, 5, "large"), (1, 23, 7, "small"), (2, 9, 11, "large"),
               (4, 9, 13, None))  # fmt: skip
    return tenant


async def send(shop: "Shop", tenant: "Tenant", *events: tuple[int, int, int, str | None]) -> None:
    """Send events: day of March, hour (UTC), quantity, model."""
    body = [
        {
            "id": f"{day}-{hour}", "meter": "requests", "subject": tenant.id,
            "time": DAY.replace(day=day, hour=hour).isoformat(),
            "properties": {"n": n} | ({"model": model} if model else {}),
        }
        for day, hour, n, model in events
    ]  # fmt: skip
    sender = shop.with_key(shop.house_keys["usage:write"])
    answer = await sender.post("/api/v1/events", json={"events": body})
    assert {event["status"] for event in answer.json()["events"]} == {"accepted"}, answer.text


def reader(shop: "Shop", tenant: "Tenant") -> httpx.AsyncClient:
    return shop.with_key(tenant.keys["billing:read"])


async def rows(client: httpx.AsyncClient, **asked: Any) -> list[list[Any]]:
    answer = await client.get(QUERY, params=MARCH | asked)
    assert answer.status_code == 200, answer.text
    return [[row["windowStart"], row["value"], row["groupBy"]] for row in answer.json()["data"]]


async def test_one_window_holds_the_whole_time(shop: "Shop", tenant: "Tenant") -> None:
    answer = await reader(shop, tenant).get(QUERY, params=MARCH)
    assert answer.json() == {
        **MARCH,
        "windowSize": None,
        "data": [
            {
                "value": 36, "windowStart": MARCH["from"], "windowEnd": MARCH["to"],
                "subject": tenant.account.external_id or tenant.id, "groupBy": {},
            }
        ],
    }  # fmt: skip


async def test_days_are_those_of_the_account_or_of_the_zone_asked_for(
    shop: "Shop", tenant: "Tenant"
) -> None:
    client = reader(shop, tenant)
    paris = [row[:2] for row in await rows(client, windowSize="DAY")]
    # 23:00 UTC on the first is midnight of the second in Paris.
    assert paris == [
        ["2026-03-01T00:00:00Z", 5], ["2026-03-01T23:00:00Z", 18], ["2026-03-03T23:00:00Z", 13],
    ]  # fmt: skip
    utc = [row[1] for row in await rows(client, windowSize="DAY", windowTimeZone="UTC")]
    assert utc == [12, 11, 13]


async def test_groups_are_told_apart_and_events_without_one_are_null(
    shop: "Shop", tenant: "Tenant"
) -> None:
    found = await rows(reader(shop, tenant), groupBy=["model", "subject"])
    by_model = {row[2]["model"]: row[1] for row in found}
    assert by_model == {"large": 16, "small": 7, None: 13}


async def test_without_a_beginning_it_begins_with_the_first_event(
    shop: "Shop", tenant: "Tenant"
) -> None:
    client = reader(shop, tenant)
    answer = (await client.get(QUERY, params={"to": MARCH["to"], "windowSize": "MONTH"})).json()
    assert (answer["from"], answer["data"][0]["value"]) == ("2026-03-01T10:00:00Z", 36)
    other = reader(shop, await shop.tenant())
    nothing = (await other.get(QUERY)).json()
    assert (nothing["from"], nothing["data"]) == (None, [])


async def test_a_house_key_asks_for_several_subjects(shop: "Shop", tenant: "Tenant") -> None:
    second = await shop.tenant()
    await send(shop, second, (1, 10, 100, None))
    house = shop.with_key(shop.house_keys["billing:read"])
    asked = MARCH | {"subject": [tenant.id, second.id]}
    found = (await house.get(QUERY, params=asked)).json()["data"]
    assert {row["subject"]: row["value"] for row in found} == {tenant.id: 36, second.id: 100}
    shop.refused(await house.get(QUERY, params=MARCH), 400, "account_required")


async def test_an_account_sees_its_own_alone(shop: "Shop", tenant: "Tenant") -> None:
    stranger = reader(shop, shop.globex)
    problem = shop.refused(
        await stranger.get(QUERY, params=MARCH | {"subject": tenant.id}), 422, "validation_failed"
    )
    assert shop.fields(problem) == [("subject", "unknown_subject")]


@pytest.mark.parametrize(
    ("asked", "field", "code"),
    [
        ({"from": "2026-04-02T00:00:00Z"}, "to", "ends_before_start"),
        ({"from": "yesterday"}, "from", "invalid_time"),
        ({"windowTimeZone": "Mars/Olympus", "windowSize": "DAY"}, "windowTimeZone",
         "unknown_timezone"),
        ({"windowSize": "MINUTE"}, "windowSize", "too_many"),
        ({"groupBy": "color"}, "groupBy[0]", "not_grouped"),
        ({"nonsense": "1"}, "nonsense", "unknown_field"),
        ({"from": ["2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"]}, "from", "repeated"),
    ],
)  # fmt: skip
async def test_a_bad_question_is_refused_by_its_parameter(
    shop: "Shop", tenant: "Tenant", asked: dict[str, str], field: str, code: str
) -> None:
    answer = await reader(shop, tenant).get(QUERY, params=MARCH | asked)
    assert shop.fields(shop.refused(answer, 422, "validation_failed")) == [(field, code)]


async def test_an_unknown_window_size_or_meter_is_refused(shop: "Shop", tenant: "Tenant") -> None:
    client = reader(shop, tenant)
    assert (await client.get(QUERY, params={"windowSize": "WEEK"})).status_code == 422
    shop.refused(await client.get("/api/v1/meters/nothing/query"), 404, "meter_not_found")


async def test_percentiles_are_values_that_events_had(shop: "Shop", tenant: "Tenant") -> None:
    client = reader(shop, tenant)
    answer = await client.get(PERCENTILES, params=MARCH | {"percentile": ["50", "75.1", "100"]})
    assert [row["value"] for row in answer.json()["data"]] == [7, 13, 13]
    default = (await client.get(PERCENTILES, params=MARCH)).json()["data"]
    assert [row["percentile"] for row in default] == ["50", "95"]
    wrong = await client.get(PERCENTILES, params=MARCH | {"percentile": "101"})
    assert wrong.status_code == 422


async def test_openmeters_client_reads_what_it_sent(
    live: str, shop: "Shop", tenant: "Tenant"
) -> None:
    def read() -> Any:
        with OpenMeter(endpoint=live, token=shop.house_keys["billing:read"]) as client:
            return client.meters.query_json(
                "requests", subject=[tenant.id], group_by=["model"], window_size="DAY",
                window_time_zone="UTC", from_parameter=DAY, to=DAY.replace(month=4),
            )  # fmt: skip

    found = await asyncio.to_thread(read)
    large = [row for row in found.data if row.group_by == {"model": "large"}]
    assert [(row.value, row.subject, row.window_start) for row in large] == [
        (5, tenant.id, DAY),
        (11, tenant.id, DAY.replace(day=2)),
    ]
