"""An account on a plan that is billed by the month, whose usage of January is invoiced."""

from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tallystick.accounts.model import NewAccount
from tallystick.accounts.service import create_account
from tallystick.catalog import service as catalog
from tallystick.catalog.model import NewMeter, NewPlanVersion
from tallystick.corrections.model import Change, Named, Outcome, Terms
from tallystick.corrections.service import Corrections
from tallystick.documents.document import Party
from tallystick.invoices import service as invoices
from tallystick.invoices.billing_run import BillingRun
from tallystick.invoices.model import Invoice
from tallystick.kernel.db import STAFF, WRITER, Actor, Database, account_scope, acting
from tallystick.kernel.paging import PageRequest
from tallystick.metering import service as metering
from tallystick.metering.fold import Fold
from tallystick.metering.ingest import Ingest
from tallystick.metering.model import EventResult, UsageEvent
from tallystick.pricing.model import FlatPrice, GraduatedPrice, PerUnitPrice, Tier
from tallystick.subscriptions import service as subscriptions

START = datetime(2026, 1, 1, tzinfo=UTC)
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
MARCH = datetime(2026, 3, 1, tzinfo=UTC)
NOON = datetime(2026, 1, 10, 12, 30, tzinfo=UTC)
FINN = Actor("user", "usr_finn", "req_1")
SELLER = Party("Seller", ("1 Main Street",), "billing@example.com", "FR123")


class World:
    """The services of one installation, with a clock that tests set."""

    def __init__(self, db: Database, ingest: Ingest) -> None:
        self.db = db
        self.ingest = ingest
        self.now = FEBRUARY + timedelta(days=3)
        self.corrections = Corrections(db, lambda: self.now, timedelta(hours=1))

    async def furnish(self) -> None:
        """Calls are summed (tiers, then a minimum), `seats` are held over from period to period."""
        tiers = (
            Tier(up_to=Decimal(100), unit=Decimal("0.10")),
            Tier(up_to=None, unit=Decimal("0.05")),
        )
        async with self.db.transaction(WRITER) as conn:
            for new in (
                NewMeter(code="calls", event_type="call", aggregation="sum", property="n"),
                NewMeter(code="peak", event_type="call", aggregation="max", property="n"),
                NewMeter(
                    code="seats", event_type="seat", aggregation="sum", property="n",
                    recurring=True,
                ),
            ):  # fmt: skip
                await metering.create_meter(conn, new, START)
            self.plan = await catalog.create_plan_version(
                conn,
                NewPlanVersion(
                    plan_code="pro",
                    plan_name="Pro",
                    currency="EUR",
                    interval="month",
                    prices=(
                        FlatPrice(currency="EUR", code="fee", amount=Decimal(10)),
                        GraduatedPrice(
                            currency="EUR", code="calls", meter="calls", tiers=tiers,
                            minimum=Decimal(3),
                        ),
                        PerUnitPrice(currency="EUR", code="seats", meter="seats", unit=Decimal(2)),
                    ),
                ),
                START,
            )  # fmt: skip
            account = NewAccount(
                name="Ada", email="ada@example.com", currency="EUR", country="FR",
                external_id="ada",
            )  # fmt: skip
            self.account = await create_account(conn, account, START)
            await subscriptions.subscribe(conn, self.account, self.plan, START)

    @property
    def account_id(self) -> Any:
        return self.account.account_id

    async def send(self, event_id: str, n: object, at: datetime, **more: Any) -> EventResult:
        fields = {"type": "call", "subject": "ada", "source": "s", **more}
        event = UsageEvent(id=event_id, at=at, properties={"n": n}, **fields)
        (result,) = await self.ingest.record([event], now=self.now, strict=False)
        return result

    async def fold(self) -> None:
        await Fold(self.db).run_once()

    async def bill(self, at: datetime) -> None:
        run = BillingRun(self.db, lambda: at, SELLER)
        while await run.run_due(at, None):
            pass

    def named(self, event_id: str, source: str = "s") -> Named:
        return Named(self.account_id, source, event_id)

    async def reverse(self, event_id: str, **terms: Any) -> Outcome:
        with acting(FINN):
            return await self.corrections.reverse(self.named(event_id), self.terms(**terms))

    async def amend(self, event_id: str, change: Change, **terms: Any) -> Outcome:
        with acting(FINN):
            return await self.corrections.amend(self.named(event_id), change, self.terms(**terms))

    async def backfill(self, *events: UsageEvent, **terms: Any) -> Outcome:
        with acting(FINN):
            return await self.corrections.backfill(self.account_id, events, self.terms(**terms))

    def terms(self, **terms: Any) -> Terms:
        return Terms(**{"reason": "it was a test", "may_change_billed": True, **terms})

    async def totals(self, start: datetime = START, end: datetime = MARCH) -> Mapping[str, Decimal]:
        async with self.db.transaction(account_scope(self.account_id)) as conn:
            meters = list(
                (await catalog.meters_by_codes(conn, ["calls", "peak", "seats"])).values()
            )
            return await metering.period_totals(conn, self.account_id, meters, start, end)

    async def invoices(self) -> tuple[Invoice, ...]:
        async with self.db.transaction(account_scope(self.account_id)) as conn:
            page = await invoices.list_invoices(conn, self.account_id, None, PageRequest(limit=100))
        return page.items[::-1]

    async def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        async with self.db.transaction(STAFF) as conn:
            return [dict(row) for row in await conn.fetch(sql, *values)]

    async def differences(self) -> object:
        async with self.db.transaction(WRITER) as conn:
            return await metering.differences(conn)


@pytest.fixture
async def world(db: Database) -> AsyncIterator[World]:
    """The installation, before anything was used."""
    ingest = Ingest(db)
    made = World(db, ingest)
    await made.furnish()
    yield made
    await ingest.close()


@pytest.fixture
async def billed(world: World) -> World:
    """January: 150 calls in two events, billed on the first of February, and 5 since."""
    await world.send("a", 100, NOON)
    await world.send("b", "50.00", NOON + timedelta(days=2))
    await world.fold()
    await world.bill(FEBRUARY)
    await world.send("c", 5, FEBRUARY + timedelta(hours=1))
    return world
