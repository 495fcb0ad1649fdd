"""An account on a plan, meters, and short ways to use something and to look."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any

import pytest

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account, NewAccount
from tallystick.alerts import service
from tallystick.alerts.jobs import AlertWork
from tallystick.alerts.model import AlertRule, Budget, NewBudget, NewRule
from tallystick.catalog import service as catalog
from tallystick.catalog.model import NewMeter, NewPlanVersion, PlanCredits
from tallystick.credits import grants
from tallystick.credits.amounts import to_units
from tallystick.credits.model import NewGrant
from tallystick.credits.service import CreditService, Deduct
from tallystick.kernel import test_clocks
from tallystick.kernel.db import WRITER, Database, account_scope
from tallystick.kernel.ids import new_id, show
from tallystick.metering import service as metering
from tallystick.metering.ingest import Ingest
from tallystick.metering.model import UsageEvent
from tallystick.pricing.model import FlatPrice, PerUnitPrice
from tallystick.subscriptions import service as subscriptions

BEGUN = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


class Alarm:
    """The account under test at `now`, which the test moves; every look is at all that is due."""

    def __init__(self, db: Database, now: datetime) -> None:
        self.db = db
        self.now = now
        self.ingest = Ingest(db)
        self.work = AlertWork(db, lambda: self.now, gap_s=0)
        self._ids: Iterator[int] = count()

    async def account(self, *, plan: bool = True, clock: datetime | None = None) -> Account:
        new = NewAccount(name="Ada", email="a@example.com", currency="USD", country="US")
        async with self.db.transaction(WRITER) as conn:
            account = await accounts.create_account(conn, new, self.now)
            if clock is not None:
                made = await test_clocks.create(conn, new_id(), "c", clock, self.now)
                account_id, clock_id = account.account_id, made.test_clock_id
                account = await accounts.set_test_clock(conn, account_id, clock_id)
            if plan:
                version = await catalog.current_plan_version(conn, "pro")
                await subscriptions.subscribe(conn, account, version, clock or self.now)
        return account

    async def rule(self, account: Account, *thresholds: str, **fields: Any) -> AlertRule:
        named = {"name": "Calls", "watch": "meter", "meter": "calls", "unit": "percent"} | fields
        new = NewRule(**named, thresholds=tuple(map(Decimal, thresholds)))
        async with self.db.transaction(WRITER) as conn:
            return await service.create_rule(conn, account.account_id, new, self.now)

    async def budget(self, account: Account, amount: str, **fields: Any) -> Budget:
        named: dict[str, Any] = {"name": "Budget", "watch": "spend"} | fields
        named = {"actual_percents": (), "forecast_percents": ()} | named
        new = NewBudget(amount=Decimal(amount), **named)
        async with self.db.transaction(WRITER) as conn:
            return await service.create_budget(conn, account.account_id, new, self.now)

    async def use(self, account: Account, *quantities: int, at: datetime | None = None) -> None:
        name = show("account", account.account_id)
        await self.ingest.record(
            [
                UsageEvent(
                    source="test", id=f"e{next(self._ids)}", type="call", subject=name,
                    at=at, properties={"n": quantity},
                )
                for quantity in quantities
            ],
            now=self.now,
        )  # fmt: skip

    async def look(self) -> int:
        return await self.work.run_due(self.now, None)

    async def fired(self, account: Account) -> list[tuple[str, str]]:
        """What was told, oldest first: the unit or `forecast`, and the threshold."""
        rows = await self.rows(
            "SELECT * FROM usage_alerts WHERE account_id = $1 ORDER BY recorded_at, usage_alert_id",
            account.account_id,
        )
        return [
            ("forecast" if row["basis"] == "forecast" else row["unit"], str(row["threshold"]))
            for row in rows
        ]

    async def give(self, account: Account, amount: int) -> None:
        new = NewGrant(source="manual", units=to_units(Decimal(amount)))
        async with self.db.transaction(WRITER) as conn:
            await grants.grant(conn, account.account_id, new, key=str(new_id()), at=self.now)

    async def deduct(self, account: Account, amount: int) -> None:
        credits_ = CreditService(self.db)
        await credits_.deduct(
            Deduct(
                account_id=account.account_id, key=str(new_id()), at=self.now, operation="op",
                credits=Decimal(amount),
            )
        )  # fmt: skip
        await credits_.close()

    async def rows(self, sql: str, *values: Any) -> list[Any]:
        async with self.db.transaction(WRITER) as conn:
            return list(await conn.fetch(sql, *values))

    async def alerts(self, account: Account) -> list[Any]:
        async with self.db.transaction(account_scope(account.account_id)) as conn:
            sql = "SELECT * FROM usage_alerts ORDER BY recorded_at, usage_alert_id"
            return list(await conn.fetch(sql))


@pytest.fixture
async def alarm(db: Database) -> Alarm:
    """Calls at 0.10 with a limit of 100 a month, a fee of 49.00, and 1,000 credits a month."""
    async with db.transaction(WRITER) as conn:
        for code, event_type in (("calls", "call"), ("storage", "stored")):
            meter = NewMeter(code=code, event_type=event_type, aggregation="sum", property="n")
            await metering.create_meter(conn, meter, BEGUN)
        plan = NewPlanVersion(
            plan_code="pro",
            plan_name="Pro",
            currency="USD",
            interval="month",
            prices=(
                FlatPrice(currency="USD", code="fee", amount=Decimal(49)),
                PerUnitPrice(currency="USD", code="c", meter="calls", unit=Decimal("0.10")),
            ),
            limits={"calls": Decimal(100)},
            credits=PlanCredits(amount=Decimal(1000)),
        )
        await catalog.create_plan_version(conn, plan, BEGUN)
    return Alarm(db, BEGUN)
