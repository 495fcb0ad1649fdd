"""Looking up what an account may do: its features, its plans, what it was given, what it used."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from tallystick.accounts.model import Account
from tallystick.catalog import features
from tallystick.catalog import service as catalog
from tallystick.catalog.feature_model import FeatureKind
from tallystick.catalog.model import Meter, PlanVersion
from tallystick.kernel.db import Connection
from tallystick.kernel.ids import unknown
from tallystick.metering import service as metering
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.add_ons import by_subscription
from tallystick.subscriptions.entitlements import (
    Entitlement,
    entitle,
    with_add_ons,
    with_use,
)
from tallystick.subscriptions.model import AttachedAddOn, Status, Subscription
from tallystick.subscriptions.sold import plan_of
from tallystick.subscriptions.usage_limits import windows

GIVING: Final = frozenset({Status.TRIALING, Status.ACTIVE, Status.PAST_DUE})
"""A subscription that is paused, pending, incomplete or canceled gives nothing."""

_On = tuple[Subscription, PlanVersion]


async def entitlements(conn: Connection, account: Account, at: datetime) -> tuple[Entitlement, ...]:
    """Return what the account has of every feature at `at` (its present), by code."""
    return await _entitlements(conn, account, at, None)


async def entitlement(conn: Connection, account: Account, code: str, at: datetime) -> Entitlement:
    """Return what the account has of one feature; raises NotFound `feature_not_found`."""
    found = await _entitlements(conn, account, at, [code])
    if not found:
        raise unknown("feature")
    return found[0]


async def _entitlements(
    conn: Connection, account: Account, at: datetime, codes: Collection[str] | None
) -> tuple[Entitlement, ...]:
    known = (
        await features.list_features(conn)
        if codes is None
        else tuple((await features.features_by_codes(conn, codes)).values())
    )
    kinds = {one.code: one.kind for one in known}
    giving = await _giving(conn, account, at, kinds)
    own = await features.list_overrides(conn, account.account_id)
    found = entitle(known, [plan for _, plan in giving], own, at)
    named = {one.feature.meter for one in found if one.feature.meter is not None and one.allowed}
    meters = await catalog.meters_by_codes(conn, named) if named else {}
    return tuple(
        [
            await _counted(
                conn, account, one, giving=giving, meter=meters[one.feature.meter], at=at
            )
            if one.allowed and one.feature.meter is not None
            else one
            for one in found
        ]
    )


async def _giving(
    conn: Connection, account: Account, at: datetime, kinds: Mapping[str, FeatureKind]
) -> list[_On]:
    """Return the subscriptions that give something at `at`, the oldest first, with their plans.

    What a subscription's add-ons give is in its plan.
    """
    found = reversed(await subscriptions.list_subscriptions(conn, account.account_id))
    add_ons = await by_subscription(conn, [account.account_id])
    return [
        (one, with_add_ons(await plan_of(conn, one), _there(add_ons, one, at), kinds))
        for one in found
        if one.status in GIVING and one.started_at <= at and (not one.ends_at or at < one.ends_at)
    ]


def _there(
    add_ons: Mapping[UUID, Sequence[AttachedAddOn]], on: Subscription, at: datetime
) -> list[AttachedAddOn]:
    return [
        one
        for one in add_ons.get(on.subscription_id, ())
        if one.starts_at <= at and (one.ends_at is None or at < one.ends_at)
    ]


async def _counted(
    conn: Connection,
    account: Account,
    one: Entitlement,
    *,
    giving: Sequence[_On],
    meter: Meter,
    at: datetime,
) -> Entitlement:
    """Count what is used in the period of the plan that gives it, else in the oldest one's."""
    of_plan = [on for on in giving if on[1].plan_code == one.plan] or list(giving)
    subscription, plan = of_plan[0] if of_plan else (None, None)
    period = windows(account, subscription, plan, at)["period"]
    totals = await metering.period_totals(
        conn, account.account_id, [meter], period.start, period.end
    )
    return with_use(one, totals[meter.code], period.end)
