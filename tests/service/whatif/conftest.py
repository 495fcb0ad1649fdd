"""Accounts on a plan by the month, whose usage of January and February is stored."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from tallystick.accounts.model import Account, NewAccount
from tallystick.accounts.service import create_account
from tallystick.catalog import service as catalog
from tallystick.catalog.model import NewMeter, NewPlanVersion, PlanVersion
from tallystick.documents.document import Party
from tallystick.invoices import service as invoices
from tallystick.invoices.billing_run import BillingRun
from tallystick.invoices.model import Invoice
from tallystick.kernel.db import STAFF, WRITER, Database, account_scope
from tallystick.kernel.paging import PageRequest
from tallystick.metering import service as metering
from tallystick.metering.ingest import Ingest
from tallystick.metering.model import UsageEvent
from tallystick.pricing.model import FlatPrice, GraduatedPrice, PerUnitPrice, Price, Tier
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.lifecycle import Start
from tallystick.subscriptions.model import Subscription
from tallystick.whatif import service
from tallystick.whatif.jobs import WhatIfs
from tallystick.whatif.model import Outcome, Question, WhatIf

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
MARCH = datetime(2026, 3, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 10, tzinfo=UTC)
SELLER = Party("Seller", ("1 Main Street",), "billing@example.com", "FR123")


def fee(amount: str) -> FlatPrice:
    return FlatPrice(currency="EUR", code="fee", amount=Decimal(amount))


def calls(*, first: str, then: str, minimum: str | None = None) -> GraduatedPrice:
    """The first hundred calls at one price, the others at another."""
    return GraduatedPrice(
        currency="EUR",
        code="calls",
        meter="calls",
        minimum=None if minimum is None else Decimal(minimum),
        tiers=(
            Tier(up_to=Decimal(100), unit=Decimal(first)),
            Tier(up_to=None, unit=Decimal(then)),
        ),
    )


class World:
    """The services of one installation, at a time that tests set."""

    def __init__(self, db: Database, ingest: Ingest) -> None:
        self.db = db
        self.ingest = ingest
        self.now = NOW
        self.event_count = 0

    async def furnish(self) -> None:
        """Calls are counted by their `n`; `seats` are held over from period to period."""
        async with self.db.transaction(WRITER) as conn:
            for new in (
                NewMeter(
                    code="calls", event_type="call", aggregation="sum", property="n",
                    group_by=("region",),
                ),
                NewMeter(
                    code="seats", event_type="seat", aggregation="sum", property="n",
                    recurring=True,
                ),
            ):  # fmt: skip
                await metering.create_meter(conn, new, JANUARY)
        seats = PerUnitPrice(currency="EUR", code="seats", meter="seats", unit=Decimal(2))
        self.pro = await self.version(
            [fee("10"), calls(first="0.10", then="0.05", minimum="3"), seats]
        )

    def new_version(
        self, prices: Sequence[Price], code: str = "pro", **more: Any
    ) -> NewPlanVersion:
        fields = {"currency": "EUR", "interval": "month", **more}
        return NewPlanVersion(plan_code=code, plan_name="Pro", prices=tuple(prices), **fields)

    async def version(self, prices: Sequence[Price], code: str = "pro", **more: Any) -> PlanVersion:
        async with self.db.transaction(WRITER) as conn:
            return await catalog.create_plan_version(
                conn, self.new_version(prices, code, **more), JANUARY
            )

    async def account(self, name: str, **more: Any) -> Account:
        fields = {"email": "a@example.com", "currency": "EUR", "country": "FR", **more}
        new = NewAccount(name=name, external_id=name, **fields)
        async with self.db.transaction(WRITER) as conn:
            return await create_account(conn, new, JANUARY)

    async def subscribe(
        self,
        account: Account,
        plan: PlanVersion,
        at: datetime = JANUARY,
        begun: Start | None = None,
    ) -> Subscription:
        async with self.db.transaction(WRITER) as conn:
            return await subscriptions.subscribe(conn, account, plan, at, begun)

    async def member(
        self,
        name: str,
        plan: PlanVersion | None = None,
        at: datetime = JANUARY,
        begun: Start | None = None,
        **more: Any,
    ) -> Account:
        """An account on the plan."""
        account = await self.account(name, **more)
        await self.subscribe(account, plan or self.pro, at, begun)
        return account

    async def use(
        self, account: Account, n: object, at: datetime, kind: str = "call", **more: object
    ) -> None:
        self.event_count += 1
        event = UsageEvent(
            id=f"e{self.event_count}", source="s", type=kind, subject=account.external_id or "",
            at=at, properties={"n": n, **more},
        )  # fmt: skip
        (result,) = await self.ingest.record([event], now=self.now, strict=False)
        assert result.status == "accepted"

    async def bill(self) -> None:
        run = BillingRun(self.db, lambda: self.now, SELLER)
        while await run.run_due(self.now, None):
            pass

    async def invoices(self, account: Account) -> Sequence[Invoice]:
        async with self.db.transaction(account_scope(account.account_id)) as conn:
            page = await invoices.list_invoices(
                conn, account.account_id, None, PageRequest(limit=100)
            )
        return page.items[::-1]

    async def start(self, **asked: Any) -> WhatIf:
        question = Question(**{"start": JANUARY, "end": MARCH, **asked})
        async with self.db.transaction(WRITER) as conn:
            return await service.start(conn, question, self.now)

    async def ask(self, **asked: Any) -> WhatIf:
        """Begin a what-if, and let the worker go through it."""
        begun = await self.start(**asked)
        await self.work()
        return await self.look(begun)

    async def work(self) -> None:
        work = WhatIfs(self.db)
        while await work.run_due(self.now):
            pass

    async def look(self, what_if: WhatIf) -> WhatIf:
        async with self.db.transaction(STAFF) as conn:
            return await service.get_what_if(conn, what_if.what_if_id)

    async def outcomes(
        self, what_if: WhatIf, account_id: UUID | None = None, change: Any = None
    ) -> Sequence[Outcome]:
        """What it found, the oldest period first."""
        async with self.db.transaction(STAFF) as conn:
            page = await service.list_outcomes(
                conn, what_if.what_if_id, PageRequest(limit=100), account_id, change
            )
        return page.items[::-1]


@pytest.fixture
async def world(db: Database) -> AsyncIterator[World]:
    """The installation, before anything was used."""
    ingest = Ingest(db)
    made = World(db, ingest)
    await made.furnish()
    yield made
    await ingest.close()
