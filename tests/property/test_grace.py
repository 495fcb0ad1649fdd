"""Whatever happens, an account with a grace period is billed the same in sum as one without.

Two accounts live through the same: usage in time and late, changes of plan, ends. What comes late
is on the draft of the one, where it has one, and an adjustment on an invoice of the other.
"""

import asyncio
import json
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID, uuid4

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account, NewAccount
from tallystick.catalog import service as catalog
from tallystick.catalog.model import NewMeter, NewPlanVersion, PlanVersion
from tallystick.documents.document import Party
from tallystick.invoices import recompute, service
from tallystick.invoices.biller import bill_now
from tallystick.invoices.billing_run import BillingRun
from tallystick.invoices.drafts import DraftWork
from tallystick.invoices.late_events import LateEvents
from tallystick.invoices.model import Invoice, InvoiceLine, Status
from tallystick.kernel.db import WRITER, Database, account_scope, open_database
from tallystick.kernel.paging import PageRequest
from tallystick.pricing.model import FlatPrice, GraduatedPrice, Price, Tier
from tallystick.subscriptions import changing
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.model import Subscription

START = datetime(2026, 1, 31, tzinfo=UTC)
GRACE = timedelta(hours=72)
SELLER = Party("Seller")
INSERT = """
INSERT INTO usage_events (account_id, key, at, event_type, source, event_id, properties)
VALUES ($1, gen_random_uuid(), $2, $3, 'test', gen_random_uuid()::text, $4)
"""


UNSEEN = "SELECT max(tx) >= (SELECT upto FROM usage_late_mark) FROM usage_events"


def prices(meter: str, fee: str, unit: str, billing: Any) -> tuple[Price, ...]:
    tiers = (
        Tier(up_to=Decimal(10), unit=Decimal(unit)),
        Tier(up_to=None, unit=Decimal("0.333")),
    )
    return (
        FlatPrice(currency="EUR", code="fee", amount=Decimal(fee), billing=billing),
        GraduatedPrice(currency="EUR", code="calls", meter=meter, tiers=tiers),
    )


class GraceMachine(RuleBasedStateMachine):
    loop: ClassVar[asyncio.AbstractEventLoop]
    db: ClassVar[Database]

    @initialize(billing=st.sampled_from(["in_arrears", "in_advance"]))
    def begin(self, billing: str) -> None:
        self.now = START
        self.is_late_after_grace = False
        self.kind = f"calls_{uuid4().hex}"
        self.run(self.make_plans(billing))
        self.waiting, self.waiting_on = self.run(self.make(GRACE // timedelta(hours=1)))
        self.at_once, self.at_once_on = self.run(self.make(0))
        self.catch_up()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    async def make_plans(self, billing: str) -> None:
        async with self.db.transaction(WRITER) as conn:
            meter = NewMeter(code=self.kind, name="Calls", aggregation="sum", property="n")
            await catalog.create_meter(conn, meter, START)
            self.plans: list[PlanVersion] = []
            for at, (fee, unit) in enumerate((("10", "0.0101"), ("31", "0.5"))):
                new = NewPlanVersion(
                    plan_code=f"{self.kind}_{at}",
                    plan_name="Plan",
                    currency="EUR",
                    interval="month",
                    prices=prices(self.kind, fee, unit, billing),
                )
                self.plans.append(await catalog.create_plan_version(conn, new, START))

    async def make(self, grace_hours: int) -> tuple[Account, Subscription]:
        new = NewAccount(
            name="Ada", email="ada@example.com", currency="EUR", country="FR",
            grace_hours=grace_hours,
        )  # fmt: skip
        async with self.db.transaction(WRITER) as conn:
            account = await accounts.create_account(conn, new, START)
            return account, await subscriptions.subscribe(conn, account, self.plans[0], START)

    @property
    def named(self) -> tuple[tuple[UUID, UUID], ...]:
        both = (self.waiting_on, self.at_once_on)
        return tuple((one.account_id, one.subscription_id) for one in both)

    def catch_up(self) -> None:
        self.run(self.work())

    async def work(self) -> None:
        """What the worker does at one instant."""
        while await self.is_unseen():
            await LateEvents(self.db).run_once(self.now)
            await asyncio.sleep(0.01)
        while await BillingRun(self.db, lambda: self.now, SELLER).run_due(self.now, None):
            pass
        while await DraftWork(self.db, SELLER).run_due(self.now, None):
            pass

    async def is_unseen(self) -> bool:
        """Whether some event was not looked at: what ran meanwhile anywhere must have ended."""
        async with self.db.transaction(WRITER) as conn:
            return bool(await conn.fetchval(UNSEEN))

    async def invoices(self, account: Account) -> tuple[Invoice, ...]:
        async with self.db.transaction(account_scope(account.account_id)) as conn:
            found = await service.list_invoices(
                conn, account.account_id, None, PageRequest(limit=100)
            )
        return found.items

    async def use(self, count: int, at: datetime) -> None:
        async with self.db.transaction(WRITER) as conn:
            for account_id, _ in self.named:
                told = json.dumps({"n": str(count)})
                await conn.execute(INSERT, account_id, at, self.kind, told)

    @rule(hours=st.sampled_from([1, 24, 71, 72, 240, 672, 744]))
    def let_time_pass(self, hours: int) -> None:
        until = self.now + timedelta(hours=hours)
        while self.now < until:
            self.now = min(until, self.now + timedelta(hours=48))
            self.catch_up()

    @rule(count=st.integers(1, 20))
    def use_in_time(self, count: int) -> None:
        self.run(self.use(count, self.now))

    @rule(count=st.integers(1, 20), hours=st.integers(1, 400))
    def use_late(self, count: int, hours: int) -> None:
        at = max(START, self.now - timedelta(hours=hours))
        found = self.run(self.invoices(self.waiting))
        self.is_late_after_grace |= any(
            covers(line, at) for one in found if not one.is_of_period for line in one.lines
        )
        before = used_on_drafts(found)
        drafted = [line for one in found if one.is_of_period for line in one.lines]
        self.run(self.use(count, at))
        after = used_on_drafts(self.run(self.invoices(self.waiting)))
        assert after - before == (count if any(covers(line, at) for line in drafted) else 0)

    @rule(to=st.integers(0, 1))
    def change_plan(self, to: int) -> None:
        self.run(self.change(to))

    async def change(self, to: int) -> None:
        for named in self.named:
            async with self.db.transaction(WRITER) as conn:
                on = await subscriptions.get_subscription(conn, *named)
                plan = self.plans[to]
                if on.plan_id == plan.plan_id:
                    return
                await changing.change_terms(
                    conn, *named, plan=plan, quantity=None, when="now", now=self.now
                )
                await bill_now(conn, *named, now=self.now, seller=SELLER)

    async def cancel(self) -> None:
        for named in self.named:
            async with self.db.transaction(WRITER) as conn:
                await changing.cancel_now(conn, *named, self.now, None)
                await bill_now(conn, *named, now=self.now, seller=SELLER)

    def teardown(self) -> None:
        # What came late is settled by the next period's invoice; then nothing stays a draft.
        self.let_time_pass(40 * 24)
        self.run(self.cancel())
        self.let_time_pass(4 * 24)
        mine, theirs = (self.run(self.billed(one)) for one in (self.waiting, self.at_once))
        assert mine == theirs
        self.run(self.check_lines())

    async def billed(self, account: Account) -> int:
        """What all invoices come to, less what they left to later ones."""
        found = await self.invoices(account)
        assert all(one.status is not Status.DRAFT for one in found)
        async with self.db.transaction(account_scope(account.account_id)) as conn:
            left = await service.open_credit(conn, account.account_id)
        return sum(one.total.minor for one in found) - sum(one.left.minor for one in left)

    async def check_lines(self) -> None:
        found = await self.invoices(self.waiting)
        late = [line for one in found for line in one.lines if covers_late(line)]
        assert self.is_late_after_grace or not late
        async with self.db.transaction(WRITER) as conn:
            assert [one async for one in recompute.differences(conn, None, lambda _: None)] == []


def covers(line: InvoiceLine, at: datetime) -> bool:
    """Whether the line bills usage of that instant."""
    start, end = line.period_start, line.period_end
    return line.kind == "usage" and start is not None and end is not None and start <= at < end


def covers_late(line: InvoiceLine) -> bool:
    return line.kind == "adjustment" and line.meter_code is not None


def used_on_drafts(found: Sequence[Invoice]) -> Decimal:
    lines = [line for one in found if one.is_of_period for line in one.lines]
    return sum((line.quantity for line in lines if line.kind == "usage"), Decimal(0))


def test_a_grace_period_moves_what_is_billed_and_never_how_much(dsn: str) -> None:
    machine = GraceMachine
    machine.loop = asyncio.new_event_loop()
    machine.db = machine.loop.run_until_complete(open_database(dsn, connections_max=4))
    try:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=8,
                stateful_step_count=8,
                deadline=None,
                suppress_health_check=[HealthCheck.too_slow],
            ),
        )
    finally:
        machine.loop.run_until_complete(machine.db.close())
        machine.loop.close()
