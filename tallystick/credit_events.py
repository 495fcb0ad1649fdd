"""Credits that follow from what others tell: periods that begin, invoices that are paid."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from msgspec.structs import replace

from tallystick.accounts import service as accounts
from tallystick.catalog import service as catalog
from tallystick.catalog.model import PlanCredits, PlanVersion
from tallystick.credits import packages
from tallystick.credits.amounts import to_units
from tallystick.credits.model import NewGrant
from tallystick.credits.plan_credits import give_for_period
from tallystick.documents.document import Party
from tallystick.invoices import credit_purchase
from tallystick.invoices.events import InvoicePaid
from tallystick.kernel.clock import Clock, account_now
from tallystick.kernel.db import WRITER, Connection, Database
from tallystick.kernel.ids import show
from tallystick.kernel.outbox import Event
from tallystick.subscriptions import lifecycle
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.events import PeriodBegan
from tallystick.subscriptions.model import Subscription, Terms
from tallystick.subscriptions.periods import Anchor, Period, period

PLAN_PRIORITY: Final = 50
"""Before credits that were bought: what a plan gave is used first."""


class CreditEvents:
    """Handles outbox events; each may come twice, and gives once."""

    def __init__(self, db: Database, clock: Clock, seller: Party) -> None:
        self._db = db
        self._clock = clock
        self._seller = seller

    async def on_period_began(self, event: Event) -> None:
        """Give the credits of the plans of this period, and put them right when the plan changed.

        What has lapsed by now is not given.
        """
        told = msgspec.json.decode(event.payload, type=PeriodBegan)
        async with self._db.transaction(WRITER) as conn:
            subscription = await subscriptions.get_subscription(
                conn, event.account_id, told.subscription_id
            )
            terms = await subscriptions.terms_of(conn, event.account_id, told.subscription_id)
            wanted = {one.plan_version_id for one in terms}
            plans = {one: await catalog.get_plan_version(conn, one) for one in wanted}
            if all(plan.credits is None for plan in plans.values()):
                return
            now = await self._now(conn, event.account_id)
            given = period_grants(subscription, terms, plans, told.period_index)
            if given is None:
                return
            await give_for_period(
                conn, event.account_id, given.grants,
                start=given.period.start, end=given.period.end, key=given.key, at=now,
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


class PeriodGrants(msgspec.Struct, frozen=True):
    """What the plans of one period give, each from when it held, and the name of the period."""

    period: Period
    key: str
    grants: tuple[NewGrant, ...]


def period_grants(
    on: Subscription,
    terms: Sequence[Terms],
    plans: Mapping[UUID, PlanVersion],
    index: int,
) -> PeriodGrants | None:
    """Return what is given for the period with this index of the plan that it is on now. Pure.

    A plan before it with periods of another length has given for those, and counts nothing here;
    the key then names the length, for the indexes of both begin at 0. None: nothing held in it.
    """
    plan = plans[on.plan_version_id]
    counted_from = lifecycle.anchor(on, plan)
    own = period(counted_from, index)
    held = [one for one in terms if one.starts_at < own.end]
    before = [at for at, one in enumerate(held) if one.starts_at <= own.start]
    held = held[before[-1] if before else 0 :]
    if not held:
        return None
    is_first = _cadence(plans[terms[0].plan_version_id]) == _cadence(plan)
    named = "" if is_first else f"{plan.interval}{plan.interval_count}:"
    grants = tuple(
        replace(
            _grant_of(plans[one.plan_version_id], plan, counted_from, index, on.subscription_id),
            effective_at=max(own.start, one.starts_at),
        )
        for one in held
    )
    return PeriodGrants(own, f"plan:{on.subscription_id}:{named}{index}", grants)


def _grant_of(
    held: PlanVersion, plan: PlanVersion, counted_from: Anchor, index: int, subscription_id: UUID
) -> NewGrant:
    if held.credits is None or _cadence(held) != _cadence(plan):
        return NewGrant(source="plan", units=0)
    return plan_grant(held.credits, counted_from, index, subscription_id)


def _cadence(plan: PlanVersion) -> tuple[object, ...]:
    return plan.interval, plan.interval_count, plan.usage_interval, plan.fixed_months


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
