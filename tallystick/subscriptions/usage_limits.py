"""Which limits apply to an account at an instant, its plan's and its own: pure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

import msgspec

from tallystick.accounts.model import Account
from tallystick.catalog.limits import all_limits
from tallystick.catalog.model import Limit, LimitPeriod, PlanVersion
from tallystick.metering.limits import AppliedLimit, Origin
from tallystick.metering.limits_store import AccountLimit
from tallystick.subscriptions.happening import present_use
from tallystick.subscriptions.model import Subscription
from tallystick.subscriptions.periods import (
    Period,
    add_months,
    local_day,
    start_of_day,
)

MINUTE: Final = timedelta(minutes=1)
DAY: Final = timedelta(days=1)


class EffectiveLimit(msgspec.Struct, frozen=True):
    """A limit that holds, and whose it is."""

    limit: Limit
    origin: Origin


Effective = Mapping[str, tuple[EffectiveLimit, ...]]
"""Limits by meter code."""


def apply(
    account: Account,
    subscription: Subscription | None,
    plan: PlanVersion | None,
    own: Sequence[AccountLimit],
    at: datetime,
) -> dict[str, tuple[AppliedLimit, ...]]:
    """Return by meter code what limits usage at `at`, each in the window that contains it.

    A billing period is that of the subscription (on `plan`), else a month of the account's
    calendar; days are those of the account's time zone.
    """
    effective = effective_limits(plan, own)
    if not effective:
        return {}
    spans = windows(account, subscription, plan, at)
    return {
        code: tuple(_applied(one, spans[one.limit.per]) for one in limits)
        for code, limits in effective.items()
    }


def effective_limits(plan: PlanVersion | None, own: Sequence[AccountLimit]) -> Effective:
    """Return the plan's limits, those of the account in the place of the same meter and `per`."""
    found: dict[tuple[str, LimitPeriod], EffectiveLimit | None] = {}
    for code, limits in all_limits(plan.limits if plan else {}).items():
        found |= {(code, one.per): EffectiveLimit(one, "plan") for one in limits}
    for one in own:
        found[one.meter, one.per] = _own(one)
    by_code: dict[str, tuple[EffectiveLimit, ...]] = {}
    for (code, _), limit in found.items():
        if limit is not None:
            by_code[code] = (*by_code.get(code, ()), limit)
    return by_code


def limits_per_period(effective: Effective) -> dict[str, Decimal]:
    """Return the limits of a billing period by meter code."""
    return {
        code: one.limit.limit
        for code, limits in effective.items()
        for one in limits
        if one.limit.per == "period"
    }


def windows(
    account: Account, subscription: Subscription | None, plan: PlanVersion | None, at: datetime
) -> Mapping[LimitPeriod, Period]:
    """Return the billing period, the day and the minute (UTC, half-open) of an instant."""
    day = local_day(at, account.timezone)
    minute = at.astimezone(UTC).replace(second=0, microsecond=0)
    if subscription is not None and plan is not None:
        billed = present_use(subscription, plan, at).period
    else:
        first = day.replace(day=1)
        billed = Period(
            start_of_day(first, account.timezone),
            start_of_day(add_months(first, 1), account.timezone),
        )
    return {
        "period": billed,
        "day": Period(
            start_of_day(day, account.timezone), start_of_day(day + DAY, account.timezone)
        ),
        "minute": Period(minute, minute + MINUTE),
    }


def _own(one: AccountLimit) -> EffectiveLimit | None:
    if one.limit is None:
        return None
    return EffectiveLimit(Limit(limit=one.limit, per=one.per, kind=one.kind), "account")


def _applied(one: EffectiveLimit, window: Period) -> AppliedLimit:
    return AppliedLimit(
        limit=one.limit.limit,
        per=one.limit.per,
        kind=one.limit.kind,
        origin=one.origin,
        start=window.start,
        end=window.end,
    )
