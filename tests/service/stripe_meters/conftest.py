"""A Stripe simulator over real HTTP on a clock of ours, and accounts whose usage goes there."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest
import stripe

from tallystick.accounts.model import NewAccount
from tallystick.accounts.service import create_account
from tallystick.catalog.model import NewMeter
from tallystick.kernel.db import STAFF, WRITER, Database
from tallystick.kernel.paging import PageRequest
from tallystick.metering import service as metering
from tallystick.metering.ingest import Ingest
from tallystick.metering.model import UsageEvent
from tallystick.payments import linking
from tallystick.payments.breaker import Breaker, Patience
from tallystick.payments.gateways.stripe import StripeGateway, StripeSettings
from tallystick.payments.gateways.stripe.client import CallRules
from tallystick.simulators.stripe.server import running
from tallystick.stripe_meters import service
from tallystick.stripe_meters.model import SendRules, Sides, StripeMeter, ToldEvent
from tallystick.stripe_meters.sender import MeterGateway, Sender
from tallystick.stripe_meters.service import Configuration
from tallystick.stripe_meters.summaries import read_sides

NOW = datetime(2026, 3, 15, 12, 30, tzinfo=UTC)
TEN = datetime(2026, 3, 15, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
ALL_SETTLED = """
SELECT coalesce(max(tx), '0') < pg_snapshot_xmin(pg_current_snapshot()) FROM usage_events
"""
Json = dict[str, Any]


class Wall:
    """The clock of both sides, moved ahead at will."""

    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> datetime:
        return self.at

    def seconds(self) -> int:
        return int(self.at.timestamp())


class World:
    """What a test works with."""

    def __init__(self, db: Database, url: str, wall: Wall) -> None:
        self.db = db
        self.url = url
        self.wall = wall
        self.http = httpx.Client(base_url=url, trust_env=False)
        self.client = stripe.StripeClient(
            "sk_test_meters",
            base_addresses={"api": url, "connect": url, "files": url, "meter_events": url},
        )
        settings = StripeSettings(
            secret_key="sk_test_meters",
            publishable_key="pk_test_meters",
            webhook_secrets=(),
            base_url=url,
            rules=CallRules(wait_factor=0),
        )
        # A circuit that hardly opens: what each call meets is the point here.
        self.stripe = StripeGateway(settings, Breaker("stripe", Patience(failures_max=1000)))
        self.rules = SendRules()
        self.configuration = Configuration(db, self.stripe.meters, wall, self.rules)
        self.sender = self.new_sender()
        self.ingest = Ingest(db)

    def new_sender(self, gateway: MeterGateway | None = None) -> Sender:
        return Sender(self.db, gateway or self.stripe.meters, self.wall, self.rules)

    # -- a business --

    async def account(self, name: str = "ada", *, linked: bool = True) -> UUID:
        new = NewAccount(
            name=name, email="a@example.com", currency="USD", country="US", external_id=name
        )
        async with self.db.transaction(WRITER) as conn:
            made = await create_account(conn, new, self.wall())
        if linked:
            await self.link(made.account_id)
        return made.account_id

    async def link(self, account_id: UUID) -> str:
        token = self.client.v1.customers.create({}).id
        async with self.db.transaction(WRITER) as conn:
            await linking.link_customer(conn, account_id, "stripe", token, self.wall())
        return token

    async def meter(self, code: str = "tokens", formula: Any = "sum", **fields: Any) -> StripeMeter:
        """A meter here and at Stripe; events of the last day go there."""
        await self.our_meter(code, **fields)
        self.their_meter(code, formula)
        since = self.wall().replace(minute=0) - timedelta(days=1)
        return await self.configuration.set_meter(code, code, since)

    async def our_meter(self, code: str = "tokens", **fields: Any) -> None:
        how = {"aggregation": "sum", "property": "n", "event_type": "call", **fields}
        async with self.db.transaction(WRITER) as conn:
            await metering.create_meter(conn, NewMeter(code=code, **how), self.wall())

    def their_meter(self, name: str = "tokens", formula: Any = "sum") -> str:
        return self.client.v1.billing.meters.create(
            {
                "display_name": name,
                "event_name": name,
                "default_aggregation": {"formula": formula},
            }
        ).id

    async def use(
        self, n: object, at: datetime = TEN, subject: str = "ada", event_id: str | None = None
    ) -> str:
        self.used = getattr(self, "used", 0) + 1
        name = event_id or f"e{self.used}"
        event = UsageEvent(
            source="gw", id=name, type="call", subject=subject, at=at, properties={"n": n}
        )
        await self.ingest.record([event], now=self.wall())
        await self.settle()
        return name

    async def settle(self) -> None:
        """Wait until every older transaction of the server, other tests' too, has ended."""
        for _ in range(3000):
            async with self.db.transaction(WRITER) as conn:
                if await conn.fetchval(ALL_SETTLED):
                    return
            await asyncio.sleep(0.01)
        raise TimeoutError

    # -- the worker --

    async def work(self, after: timedelta = timedelta()) -> None:
        """Note what is new, move the clock ahead, and work until nothing is due."""
        self.wall.at += timedelta(seconds=1)
        await self.sender.run_due(self.wall())
        self.wall.at += timedelta(seconds=1) + after
        for _ in range(50):
            if not await self.sender.run_due(self.wall()):
                return
            self.wall.at += timedelta(seconds=1)
        raise AssertionError

    # -- looking --

    async def events(self, status: Any = None) -> list[ToldEvent]:
        """Oldest first."""
        async with self.db.transaction(STAFF) as conn:
            page = await service.list_events(conn, PageRequest(limit=100), status, None)
        return list(page.items)[::-1]

    async def told(self) -> list[tuple[str, Decimal]]:
        return [(event.status.value, event.value) for event in await self.events()]

    async def sides(self, account_id: UUID, code: str = "tokens") -> Sides:
        span = (TEN - 48 * HOUR, TEN + 48 * HOUR)
        return await read_sides(self.db, self.stripe.meters, account_id, code, span)

    async def counted(self, account_id: UUID, code: str = "tokens") -> dict[datetime, Decimal]:
        """What Stripe counts, by hours."""
        found = await self.sides(account_id, code)
        return {one.hour: one.theirs for one in found.hours if one.theirs is not None}

    def at_stripe(self) -> list[Json]:
        return list(self.http.get("/_sim/meter_events").json()["data"])

    def arm(self, action: str, path: str = "/v1/billing/meter_events", **facts: Any) -> None:
        fault = {"action": action, "path": path, "times": None, **facts}
        self.http.post("/_sim/faults", json=fault).raise_for_status()

    def disarm(self) -> None:
        self.http.delete("/_sim/faults").raise_for_status()


@pytest.fixture(scope="session")
def wall() -> Wall:
    return Wall()


@pytest.fixture(scope="session")
def simulator(wall: Wall) -> Iterator[str]:
    with running(clock=wall.seconds) as url:
        yield url


@pytest.fixture
async def world(db: Database, simulator: str, wall: Wall) -> AsyncIterator[World]:
    wall.at = NOW
    world = World(db, simulator, wall)
    world.http.post("/_sim/reset", json={}).raise_for_status()
    yield world
    world.http.close()
    await world.stripe.close()
