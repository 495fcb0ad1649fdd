"""The account's subscription."""

from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

import msgspec
from litestar import get, post

from tallystick.accounts.model import Account, Principal
from tallystick.api import fields
from tallystick.api.answers import major
from tallystick.api.plans import fee_minor
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.catalog import service as catalog
from tallystick.catalog.model import PlanVersion
from tallystick.kernel import ids
from tallystick.kernel.db import account_scope
from tallystick.subscriptions import changing
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.model import Subscription

TAGS: Final = ["Subscriptions"]
FREE_TIER: Final = "free"


class SubscriptionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The account's subscription; without one: tier `free`, status `none`."""

    id: str | None
    tier: str
    plan_name: str | None
    status: str
    started_at: datetime | None
    current_period_start: datetime | None
    current_period_end: datetime | None
    cancel_at_period_end: bool
    amount: Decimal
    amount_cents: int
    interval: str | None
    interval_count: int | None
    currency: str


class Subscribe(Body, frozen=True, kw_only=True):
    """Put the account on a plan, from now on."""

    plan: fields.Code


class Cancel(Body, frozen=True, kw_only=True):
    """`at_period_end` true: it runs to the period's end; false: it ends now."""

    at_period_end: bool = True


@get("/subscription", opt={"permission": "billing:read"}, tags=TAGS, summary="Subscription")
async def read_subscription(services: Services, account: Account) -> SubscriptionAnswer:
    """Return the account's subscription and its current period."""
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        subscription = await subscriptions.current_subscription(conn, account.account_id)
        if subscription is None:
            return free_tier(account)
        plan = await catalog.get_plan_version(conn, subscription.plan_version_id)
    return subscription_answer(subscription, plan)


@post("/subscriptions", opt={"permission": "billing:write"}, tags=TAGS, summary="Subscribe")
async def subscribe(
    data: Subscribe, services: Services, account: Account, principal: Principal
) -> SubscriptionAnswer:
    """Put the account on a plan; its periods are anchored to this instant."""
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        plan = await catalog.current_plan_version(conn, data.plan)
        now = principal.now(services.clock())
        subscription = await subscriptions.subscribe(conn, account, plan, now)
    return subscription_answer(subscription, plan)


@post(
    "/subscriptions/{subscription_id:str}/cancel",
    opt={"permission": "billing:write"},
    tags=TAGS,
    status_code=200,
    summary="Cancel",
)
async def cancel(
    subscription_id: str, data: Cancel, services: Services, account: Account, principal: Principal
) -> SubscriptionAnswer:
    """End the subscription, now or with its period; what was used is billed."""
    wanted: UUID = ids.parse("subscription", subscription_id)
    now = principal.now(services.clock())
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        found = await subscriptions.get_subscription(conn, account.account_id, wanted)
        plan = await catalog.get_plan_version(conn, found.plan_version_id)
        if data.at_period_end:
            after = await changing.cancel_at_period_end(conn, account.account_id, wanted, now)
        else:
            after = await changing.cancel_now(conn, account.account_id, wanted, now)
    return subscription_answer(after, plan)


def subscription_answer(subscription: Subscription, plan: PlanVersion) -> SubscriptionAnswer:
    """Show a subscription in the Ops Center seed's words."""
    fee = fee_minor(plan)
    return SubscriptionAnswer(
        id=ids.show("subscription", subscription.subscription_id),
        tier=plan.tier or plan.plan_code,
        plan_name=plan.plan_name,
        status=subscription.status.value,
        started_at=subscription.started_at,
        current_period_start=subscription.period_start,
        current_period_end=subscription.period_end,
        cancel_at_period_end=subscription.cancel_at_period_end,
        amount=major(fee, plan.currency),
        amount_cents=fee,
        interval=plan.interval,
        interval_count=plan.interval_count,
        currency=plan.currency.lower(),
    )


def free_tier(account: Account) -> SubscriptionAnswer:
    """Show that there is no subscription."""
    return SubscriptionAnswer(
        id=None,
        tier=FREE_TIER,
        plan_name=None,
        status="none",
        started_at=None,
        current_period_start=None,
        current_period_end=None,
        cancel_at_period_end=False,
        amount=major(0, account.currency),
        amount_cents=0,
        interval=None,
        interval_count=None,
        currency=account.currency.lower(),
    )


ACCOUNT_ROUTES: Final = (read_subscription, subscribe, cancel)
