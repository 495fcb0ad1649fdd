"""Looking up what an account may do: its features, its plans, what it was given, what it used."""

from collections.abc import Collection
from datetime import datetime

from tallystick.accounts.model import Account
from tallystick.catalog import features
from tallystick.catalog import service as catalog
from tallystick.kernel.db import Connection
from tallystick.kernel.ids import unknown
from tallystick.metering import service as metering
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.entitlements import Entitlement, entitle, with_use
from tallystick.subscriptions.usage_limits import windows


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
    running = await subscriptions.current_subscription(conn, account.account_id)
    plan = await catalog.get_plan_version(conn, running.plan_version_id) if running else None
    own = await features.list_overrides(conn, account.account_id)
    found = entitle(known, [plan] if plan else [], own, at)
    named = {one.feature.meter for one in found if one.feature.meter is not None and one.allowed}
    if not named:
        return found
    meters = await catalog.meters_by_codes(conn, named)
    period = windows(account, running, plan, at)["period"]
    totals = await metering.period_totals(
        conn, account.account_id, list(meters.values()), period.start, period.end
    )
    return tuple(
        with_use(one, totals[one.feature.meter], period.end)
        if one.allowed and one.feature.meter is not None
        else one
        for one in found
    )
