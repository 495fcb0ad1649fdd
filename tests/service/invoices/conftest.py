"""A small business: a plan with a fee and metered calls, and accounts on it."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account, NewAccount
from tallystick.catalog import service as catalog
from tallystick.catalog.model import NewMeter, NewPlanVersion, PlanVersion
from tallystick.documents.document import Party
from tallystick.invoices import service
from tallystick.invoices.billing_run import BillingRun
from tallystick.invoices.model import Invoice
from tallystick.kernel import test_clocks
from tallystick.kernel.db import WRITER, Database, account_scope
from tallystick.kernel.ids import new_id
from tallystick.kernel.paging import PageRequest
from tallystick.pricing.model import FlatPrice, GraduatedPrice, Price, Tier
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.model import Subscription

START = datetime(2026, 1, 31, tzinfo=UTC)
END = datetime(2026, 2, 28, tzinfo=UTC)
SELLER = Party("Seller", ("1 Main Street",), "billing@example.com", "FR123")


def fee_and_calls(currency: str, fee: str = "49") -> tuple[Price, ...]:
    tiers = (
        Tier(up_to=Decimal(1000), unit=Decimal("0.02"), flat=Decimal(5)),
        Tier(up_to=None, unit=Decimal("0.01")),
    )
    return (
        FlatPrice(currency=currency, code="fee", amount=Decimal(fee)),
        GraduatedPrice(currency=currency, code="calls", meter="api_calls", tiers=tiers),
    )


class World:
    """The services that a test needs, on one database."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.wall = END

    def run(self, *, batch_max: int = 50) -> BillingRun:
        return BillingRun(self.db, lambda: self.wall, SELLER, batch_max=batch_max)

    async def bill(self, now: datetime, test_clock_id: UUID | None = None) -> int:
        """Run until nothing is due, as the worker does."""
        total = 0
        while handled := await self.run().run_due(now, test_clock_id):
            total += handled
        return total

    async def plan(self, prices: Sequence[Price], code: str = "pro", **more: Any) -> PlanVersion:
        async with self.db.transaction(WRITER) as conn:
            if not await catalog.list_meters(conn):
                meter = NewMeter(
                    code="api_calls",
                    name="API calls",
                    unit="calls",
                    aggregation="sum",
                    property="n",
                )
                await catalog.create_meter(conn, meter, START)
            new = NewPlanVersion(
                plan_code=code,
                plan_name=code.title(),
                currency=prices[0].currency,
                interval=more.get("interval", "month"),
                usage_interval=more.get("usage_interval"),
                prices=tuple(prices),
                minimum_commitment=more.get("minimum_commitment", {}),
            )
            return await catalog.create_plan_version(conn, new, START)

    async def account(self, *, on_clock: bool = False, **fields: Any) -> Account:
        fields = {
            "name": "Ada",
            "email": "ada@example.com",
            "currency": "EUR",
            "country": "FR",
            **fields,
        }
        async with self.db.transaction(WRITER) as conn:
            if on_clock:
                fields["test_clock_id"] = new_id()
                await test_clocks.create(conn, fields["test_clock_id"], "clock", START, START)
            return await accounts.create_account(conn, NewAccount(**fields), START)

    async def subscribe(
        self, account: Account, plan: PlanVersion, at: datetime = START
    ) -> Subscription:
        async with self.db.transaction(account_scope(account.account_id)) as conn:
            return await subscriptions.subscribe(conn, account, plan, at)

    async def use(self, account: Account, count: str, at: datetime) -> None:
        async with self.db.transaction(WRITER) as conn:
            await conn.execute(
                "INSERT INTO usage_events (account_id, key, at, event_type, source, event_id,"
                " properties) VALUES ($1, $2, $3, 'api_calls', 'test', $4, $5)",
                account.account_id,
                uuid4(),
                at,
                str(uuid4()),
                json.dumps({"n": count}),
            )

    async def invoices(self, account: Account) -> tuple[Invoice, ...]:
        """All of the account's invoices, oldest first."""
        async with self.db.transaction(account_scope(account.account_id)) as conn:
            page = await service.list_invoices(
                conn, account.account_id, None, PageRequest(limit=100)
            )
        return page.items[::-1]

    async def invoice(self, account: Account) -> Invoice:
        (only,) = await self.invoices(account)
        return only

    async def subscription(self, subscription: Subscription) -> Subscription:
        async with self.db.transaction(WRITER) as conn:
            return await subscriptions.get_subscription(
                conn, subscription.account_id, subscription.subscription_id
            )

    async def rows(self, sql: str, *values: Any) -> list[asyncpg.Record]:
        async with self.db.transaction(WRITER) as conn:
            return list(await conn.fetch(sql, *values))

    async def billed_account(self, **fields: Any) -> tuple[Account, Invoice]:
        """An account with one open invoice over a fee and 1,500 calls."""
        account = await self.account(**fields)
        await self.subscribe(account, await self.plan(fee_and_calls(account.currency)))
        await self.use(account, "1500", START + timedelta(days=3))
        await self.bill(END)
        return account, await self.invoice(account)


@pytest.fixture
def world(db: Database) -> World:
    """The services on the test's own database."""
    return World(db)
