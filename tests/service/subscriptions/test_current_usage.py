"""What current usage shows after a change in the middle of a period is what is invoiced of it."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tallystick.accounts.model import Account, NewAccount
from tallystick.accounts.service import create_account
from tallystick.alerts.running import running_of, spend_of, uses_of
from tallystick.catalog import service as catalog
from tallystick.catalog.model import NewMeter, NewPlanVersion, PlanVersion
from tallystick.documents.document import Party
from tallystick.invoices import service as invoices
from tallystick.invoices.biller import bill_now
from tallystick.kernel.db import WRITER, Database
from tallystick.kernel.paging import PageRequest
from tallystick.metering import service as metering
from tallystick.metering.ingest import Ingest
from tallystick.metering.model import UsageEvent
from tallystick.pricing.model import FlatPrice, GraduatedPrice, Tier
from tallystick.subscriptions import changing
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.current_usage import CurrentUsage, current_usage
from tallystick.subscriptions.model import Subscription

SELLER = Party("Seller", ("1 Main Street",), "billing@example.com", "FR123")


def day(month: int, number: int, hour: int = 0) -> datetime:
    return datetime(2026, month, number, hour, tzinfo=UTC)


class World:
    """One account whose calls are dearer on the second plan, with a minimum on both."""

    def __init__(self, db: Database, ingest: Ingest) -> None:
        self.db, self.ingest, self.sent = db, ingest, 0

    async def furnish(self) -> None:
        async with self.db.transaction(WRITER) as conn:
            meter = NewMeter(code="calls", event_type="call", aggregation="sum", property="n")
            await metering.create_meter(conn, meter, day(1, 1))
            self.small = await self._plan(conn, "small", "0.10", "31")
            self.large = await self._plan(conn, "large", "0.20", "62")
            asked = NewAccount(
                name="A", external_id="a", email="a@example.com", currency="EUR", country="FR"
            )
            self.account: Account = await create_account(conn, asked, day(1, 1))
            self.on = await subscriptions.subscribe(conn, self.account, self.small, day(1, 1))

    async def _plan(self, conn: Any, code: str, unit: str, fee: str) -> PlanVersion:
        calls = GraduatedPrice(
            currency="EUR", code="calls", meter="calls", minimum=Decimal(5),
            tiers=(Tier(up_to=Decimal(100), unit=Decimal(unit)), Tier(up_to=None, unit=Decimal(1))),
        )  # fmt: skip
        flat = FlatPrice(currency="EUR", code="fee", amount=Decimal(fee))
        new = NewPlanVersion(
            plan_code=code, plan_name=code, currency="EUR", interval="month", prices=(calls, flat)
        )
        return await catalog.create_plan_version(conn, new, day(1, 1))

    async def use(self, n: int, at: datetime) -> None:
        self.sent += 1
        event = UsageEvent(
            id=f"e{self.sent}", source="s", type="call", subject="a", at=at, properties={"n": n}
        )
        (result,) = await self.ingest.record([event], now=day(12, 1), strict=False)
        assert result.status == "accepted"

    async def change(self, plan: PlanVersion, at: datetime) -> None:
        named = self.account.account_id, self.on.subscription_id
        async with self.db.transaction(WRITER) as conn:
            await changing.change_terms(conn, *named, plan=plan, quantity=None, when=at, now=at)
        await self.bill(at)

    async def bill(self, at: datetime) -> Subscription:
        named = self.account.account_id, self.on.subscription_id
        async with self.db.transaction(WRITER) as conn:
            return await bill_now(conn, *named, now=at, seller=SELLER)

    async def shown(self, at: datetime) -> CurrentUsage:
        async with self.db.transaction(WRITER) as conn:
            found = await current_usage(conn, self.account.account_id, at)
        assert found is not None
        return found

    async def spend(self, at: datetime) -> int:
        """What alerts and forecasts reckon the running period comes to."""
        async with self.db.transaction(WRITER) as conn:
            running = await running_of(conn, self.account.account_id, at)
            meters = await catalog.meters_by_codes(conn, {"calls"})
            period = running.period
            totals = await metering.period_totals(
                conn, self.account.account_id, list(meters.values()), period.start, period.end
            )
            uses = await uses_of(conn, running, period, meters, totals)
            spend = spend_of(running, period, meters, uses)
        assert spend is not None
        return spend.minor

    async def invoiced(self, *, fees: bool = True) -> list[int]:
        """Each invoice's lines, the oldest first."""
        async with self.db.transaction(WRITER) as conn:
            page = await invoices.list_invoices(
                conn, self.account.account_id, None, PageRequest(limit=100)
            )
        return [
            sum(line.amount.minor for line in one.lines if fees or line.meter_code == "calls")
            for one in page.items[::-1]
        ]


@pytest.fixture
async def world(db: Database) -> Any:
    ingest = Ingest(db)
    made = World(db, ingest)
    await made.furnish()
    yield made
    await ingest.close()


@pytest.mark.parametrize("used", [(150, 40), (0, 0), (3, 120)])
async def test_each_part_of_a_changed_period_is_shown_as_it_is_invoiced(
    world: World, used: tuple[int, int]
) -> None:
    for n, at in zip(used, (day(1, 5), day(1, 20)), strict=True):
        if n:
            await world.use(n, at)
    before = await world.shown(day(1, 14))
    assert (before.report.start, before.report.end) == (day(1, 1), day(2, 1))
    await world.change(world.large, day(1, 15, 10))
    after = await world.shown(day(1, 21))
    assert (after.report.start, after.report.end) == (day(1, 15, 10), day(2, 1))
    assert after.report.meters[0].quantity == used[1]
    spend = await world.spend(day(1, 21))
    await world.bill(day(2, 1))
    _, closed = await world.invoiced(fees=False)
    assert after.report.total_overage_cost.minor == closed
    assert spend == (await world.invoiced())[1]


async def test_a_change_or_an_end_that_is_known_cuts_what_is_shown(world: World) -> None:
    await world.use(60, day(1, 5))
    named = world.account.account_id, world.on.subscription_id
    async with world.db.transaction(WRITER) as conn:
        await changing.end_at(conn, *named, day(1, 20, 12), now=day(1, 10))
    shown = await world.shown(day(1, 11))
    assert (shown.report.start, shown.report.end) == (day(1, 1), day(1, 20, 12))
    spend = await world.spend(day(1, 11))
    await world.bill(day(1, 20, 12))
    assert await world.invoiced(fees=False) == [shown.report.total_overage_cost.minor]
    assert await world.invoiced() == [spend]


async def test_the_period_is_right_while_the_one_before_waits_to_be_billed(world: World) -> None:
    await world.use(60, day(2, 5))
    shown = await world.shown(day(2, 10))
    assert (shown.report.start, shown.report.end) == (day(2, 1), day(3, 1))
    await world.bill(day(3, 1))
    assert (await world.invoiced(fees=False))[1] == shown.report.total_overage_cost.minor
