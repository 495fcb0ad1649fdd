"""Credits that follow from what others tell: periods that begin, invoices that are paid."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from tallystick.accounts import service as accounts
from tallystick.catalog import service as catalog
from tallystick.catalog.model import PlanCredits
from tallystick.credits import packages
from tallystick.credits.amounts import to_units
from tallystick.credits.model import NewGrant
from tallystick.credits.plan_credits import give_for_period
from tallystick.invoices import credit_purchase
from tallystick.invoices.document import Party
from tallystick.invoices.events import InvoicePaid
from tallystick.kernel.clock import Clock, account_now
from tallystick.kernel.db import WRITER, Connection, Database
from tallystick.kernel.ids import show
from tallystick.kernel.outbox import Event
from tallystick.subscriptions import lifecycle
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.events import PeriodBegan
from tallystick.subscriptions.periods import Anchor, period

PLAN_PRIORITY: Final = 50
"""Before credits that were bought: what a plan gave is used first."""


class CreditEvents:
    """Handles outbox events; each may come twice, and gives once."""

    def __init__(self, db: Database, clock: Clock, seller: Party) -> None:
        self._db = db
        self._clock = clock
        self._seller = seller

    async def on_period_began(self, event: Event) -> None:
        """Give the credits of the plan for this period, unless they have lapsed by now."""
        told = msgspec.json.decode(event.payload, type=PeriodBegan)
        async with self._db.transaction(WRITER) as conn:
            subscription = await subscriptions.get_subscription(
                conn, event.account_id, told.subscription_id
            )
            plan = await catalog.get_plan_version(conn, subscription.plan_version_id)
            if plan.credits is None:
                return
            now = await self._now(conn, event.account_id)
            counted_from = lifecycle.anchor(subscription, plan)
            own = period(counted_from, told.period_index)
            new = plan_grant(plan.credits, counted_from, told.period_index, told.subscription_id)
            await give_for_period(
                conn, event.account_id, [new],
                start=own.start, end=own.end,
                key=f"plan:{told.subscription_id}:{told.period_index}", at=now,
            )  # fmt: skip

    async def on_invoice_paid(self, event: Event) -> None:
        """Give the credits that the invoice bought, if it bought any."""
        told = msgspec.json.decode(event.payload, type=InvoicePaid)
        async with self._db.transaction(WRITER) as conn:
            now = await self._now(conn, event.account_id)
            await packages.grant_paid(conn, event.account_id, told.invoice_id, now)

    async def on_top_up_due(self, event: Event) -> None:
        """Buy the package that the account set for when little is left."""
        async with self._db.transaction(WRITER) as conn:
            account = await accounts.get_account(conn, event.account_id)
            now = await self._now(conn, event.account_id)
            key = f"top_up:{event.outbox_id}"
            if await packages.purchase_by_key(conn, event.account_id, key) is None:
                await credit_purchase.top_up(conn, account, seller=self._seller, key=key, at=now)

    async def _now(self, conn: Connection, account_id: UUID) -> datetime:
        return await account_now(conn, account_id, self._clock())


def plan_grant(
    given: PlanCredits, counted_from: Anchor, index: int, subscription_id: UUID
) -> NewGrant:
    """Return what a plan gives for the period with this index; rolled over by its rule. Pure."""
    own = period(counted_from, index)
    expires_at: datetime | None = own.end
    if given.rollover != "none":
        more = given.rollover_periods
        expires_at = period(counted_from, index + more).end if more is not None else None
    return NewGrant(
        source="plan",
        units=to_units(given.amount),
        priority=PLAN_PRIORITY,
        effective_at=own.start,
        expires_at=expires_at,
        cap_at=own.end if given.rollover_max is not None else None,
        cap_units=to_units(given.rollover_max) if given.rollover_max is not None else None,
        reference=show("subscription", subscription_id),
        reason="Credits of the plan",
    )
