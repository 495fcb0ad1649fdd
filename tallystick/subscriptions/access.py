"""Looking up what an account may do: its features, its plans, what it was given, what it used."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from tallystick.accounts.model import Account
from tallystick.catalog import features
from tallystick.catalog import service as catalog
from tallystick.catalog.feature_model import FeatureKind
from tallystick.catalog.model import Meter, PlanVersion
from tallystick.kernel.db import Connection
from tallystick.metering import service as metering
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.entitlements import (
    Entitlement,
    entitle,
    with_add_ons,
    with_use,
)
from tallystick.subscriptions.model import AttachedAddOn, Subscription
from tallystick.subscriptions.sold import plan_of
from tallystick.subscriptions.usage_limits import windows

Given = tuple[Subscription, PlanVersion]
"""A running subscription with its add-ons, and the version that it is on."""


async def entitlements(conn: Connection, account: Account, at: datetime) -> tuple[Entitlement, ...]:
    """Return what the account has of every feature at `at` (its present), by code."""
    known = await features.list_features(conn)
    running = (await subscriptions.giving_subscriptions(conn, [account.account_id])).values()
    on = [(one, await plan_of(conn, one)) for each in running for one in each]
    of = giving(on, {one.code: one.kind for one in known}, at)
    own = await features.list_overrides(conn, account.account_id)
    found = entitle(known, [plan for _, plan in of], own, at)
    named = {one.feature.meter for one in found if one.feature.meter is not None and one.allowed}
    meters = await catalog.meters_by_codes(conn, named) if named else {}
    return tuple(
        [
            await counted(conn, account, one, of=of, meter=meters[one.feature.meter], at=at)
            if one.allowed and one.feature.meter is not None
            else one
            for one in found
        ]
    )


def giving(
    on: Iterable[Given], kinds: Mapping[str, FeatureKind], at: datetime
) -> tuple[Given, ...]:
    """Return the running subscriptions that give something at `at`, with their plans.

    What a subscription's add-ons give of features of these `kinds` is in its plan then. One that is
    paused, pending, incomplete or canceled gives nothing, and is not among them.
    """
    return tuple(
        (one, with_add_ons(plan, _there(one, at), kinds))
        for one, plan in on
        if one.started_at <= at and (not one.ends_at or at < one.ends_at)
    )


def _there(on: Subscription, at: datetime) -> list[AttachedAddOn]:
    return [
        one
        for one in on.add_ons
        if one.starts_at <= at and (one.ends_at is None or at < one.ends_at)
    ]


async def counted(
    conn: Connection,
    account: Account,
    one: Entitlement,
    *,
    of: Sequence[Given],
    meter: Meter,
    at: datetime,
) -> Entitlement:
    """Count what is used in the period of the plan that gives it, else in the oldest one's."""
    of_plan = [on for on in of if on[1].plan_code == one.plan] or list(of)
    subscription, plan = of_plan[0] if of_plan else (None, None)
    period = windows(account, subscription, plan, at)["period"]
    totals = await metering.period_totals(
        conn, account.account_id, [meter], period.start, period.end
    )
    return with_use(one, totals[meter.code], period.end)
