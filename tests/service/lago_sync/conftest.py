"""A Lago simulator over real HTTP, and a small business whose usage goes there."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tallystick.accounts.model import Account, NewAccount
from tallystick.accounts.service import create_account
from tallystick.catalog.model import Meter, NewMeter
from tallystick.kernel.db import WRITER, Database
from tallystick.lago_sync.client import LagoApi
from tallystick.lago_sync.model import LagoSettings
from tallystick.lago_sync.sender import Sender
from tallystick.lago_sync.sweep import Sweep
from tallystick.metering import service
from tallystick.metering.ingest import Ingest
from tallystick.metering.model import UsageEvent
from tallystick.simulators.lago.server import running

ALL_SETTLED = """
SELECT coalesce(max(tx), '0') < pg_snapshot_xmin(pg_current_snapshot()) FROM usage_events
"""
NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
KEY = "lago-key-of-the-tests"
Json = dict[str, Any]


class Wall:
    """The clock of our side, moved ahead at will."""

    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> datetime:
        return self.at

    def move(self, by: timedelta) -> None:
        self.at += by


class Lago:
    """The simulator as a test asks it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.Client(
            base_url=url, headers={"authorization": f"Bearer {KEY}"}, trust_env=False
        )

    def arm(self, action: str, **facts: Any) -> None:
        self.http.post("/_sim/faults", json={"action": action, **facts}).raise_for_status()

    def clear(self) -> None:
        self.http.delete("/_sim/faults").raise_for_status()

    def reset(self) -> None:
        self.http.post("/_sim/reset").raise_for_status()

    def post(self, path: str, body: Json) -> Json:
        answer = self.http.post(f"/api/v1/{path}", json=body)
        assert answer.is_success, answer.text
        told: Json = answer.json()
        return told

    def set_up(self, customer: str, meters: Sequence[str] = ("calls", "tokens")) -> None:
        """Make the customer, with a plan that charges these meters."""
        metrics = [self.metric(code) for code in meters]
        plan = f"plan_of_{customer}"
        charges = [
            {"billable_metric_id": metric, "charge_model": "standard",
             "properties": {"amount": "0.01"}}
            for metric in metrics
        ]  # fmt: skip
        self.post("plans", {"plan": {"code": plan, "name": plan, "interval": "monthly",
                                     "amount_cents": 0, "amount_currency": "USD",
                                     "charges": charges}})  # fmt: skip
        self.post("customers", {"customer": {"external_id": customer}})
        self.post("subscriptions", {"subscription": {
            "external_customer_id": customer, "plan_code": plan, "external_id": customer,
            "subscription_at": "2026-01-01T00:00:00Z"}})  # fmt: skip

    def metric(self, code: str) -> str:
        known = self.http.get(f"/api/v1/billable_metrics/{code}")
        if known.is_success:
            return str(known.json()["billable_metric"]["lago_id"])
        how = {"aggregation_type": "count_agg"}
        if code != "calls":
            how = {"aggregation_type": "sum_agg", "field_name": "n"}
        body = {"billable_metric": {"name": code, "code": code, **how}}
        return str(self.post("billable_metrics", body)["billable_metric"]["lago_id"])

    def events(self) -> list[Json]:
        """All events that it has."""
        query = {"per_page": "100000"}
        found: list[Json] = self.http.get("/api/v1/events", params=query).json()["events"]
        return found

    def batches(self) -> list[Json]:
        """The batches that were sent, oldest first, with the answers' status."""
        seen = self.http.get("/_sim/requests").json()["data"][::-1]
        return [one for one in seen if one["path"] == "/api/v1/events/batch"]

    def units(self, customer: str) -> dict[str, Decimal]:
        answer = self.http.get(
            f"/api/v1/customers/{customer}/current_usage",
            params={"external_subscription_id": customer},
        )
        charges = answer.json()["customer_usage"]["charges_usage"]
        return {one["billable_metric"]["code"]: Decimal(one["units"]) for one in charges}


@pytest.fixture(scope="session")
def simulator() -> Iterator[Lago]:
    with running(lambda: NOW) as url:
        yield Lago(url)


@pytest.fixture
def lago(simulator: Lago) -> Lago:
    """A Lago that knows nothing."""
    simulator.reset()
    return simulator


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
async def accounts(db: Database) -> Sequence[Account]:
    async with db.transaction(WRITER) as conn:
        return [
            await create_account(
                conn,
                NewAccount(
                    name=name, email="a@example.com", currency="USD", country="US", external_id=name
                ),
                NOW,
            )
            for name in ("cust-1", "cust-2")
        ]


@pytest.fixture
async def meters(db: Database) -> Sequence[Meter]:
    async with db.transaction(WRITER) as conn:
        return [
            await service.create_meter(conn, new, NOW)
            for new in (
                NewMeter(code="calls", event_type="call"),
                NewMeter(code="tokens", event_type="call", aggregation="sum", property="n"),
            )
        ]


@pytest.fixture
async def api(lago: Lago, wall: Wall) -> AsyncIterator[LagoApi]:
    api = LagoApi(LagoSettings(lago.url, KEY), wall, call_s=2.0)
    yield api
    await api.close()


@pytest.fixture
def sender(db: Database, api: LagoApi, wall: Wall) -> Sender:
    return Sender(db, api, wall)


@pytest.fixture
def slow(db: Database, api: LagoApi, wall: Wall) -> Sender:
    """A second sender, as of another worker."""
    return Sender(db, api, wall)


@pytest.fixture
def sweep(db: Database, api: LagoApi, wall: Wall) -> Sweep:
    return Sweep(db, api, wall)


@pytest.fixture
def settle(db: Database) -> Callable[[], Awaitable[None]]:
    """Wait until every older transaction of the server, other tests' too, has ended."""

    async def _settle() -> None:
        for _ in range(3000):
            async with db.transaction(WRITER) as conn:
                if await conn.fetchval(ALL_SETTLED):
                    return
            await asyncio.sleep(0.01)
        raise TimeoutError

    return _settle


@pytest.fixture
def record(
    db: Database,
    accounts: Sequence[Account],  # noqa: ARG001 - they must be there
    meters: Sequence[Meter],  # noqa: ARG001 - likewise
    settle: Callable[[], Awaitable[None]],
) -> Callable[..., Awaitable[None]]:
    """Store events with these ids, of n = 2.5 each, and wait until all can be read."""

    async def _record(*ids: object, subject: str = "cust-1", n: object = Decimal("2.5")) -> None:
        events = [
            UsageEvent(source="gw", id=str(one), type="call", subject=subject,
                       at=NOW - timedelta(hours=1, microseconds=at), properties={"n": n})
            for at, one in enumerate(ids)
        ]  # fmt: skip
        await Ingest(db).record(events, now=NOW)
        await settle()

    return _record


@pytest.fixture
def send_all(sender: Sender, wall: Wall) -> Callable[..., Awaitable[int]]:
    """Let the sender work until nothing is left, waiting failures off; give the requests made."""

    async def _send_all(rounds: int = 60) -> int:
        requests, idle = 0, 0
        for _ in range(rounds):
            if await sender.run_due(wall()):
                requests, idle = requests + 1, 0
                continue
            idle += 1
            if idle == 3:
                return requests
            wall.move(timedelta(hours=1, seconds=1))
        return requests

    return _send_all
