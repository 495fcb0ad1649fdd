"""How a subscription's plan divides time: into what is billed, and into what a flat price is for.

The two are the same but for a plan that bills its usage more often (a year, its usage monthly).
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

import msgspec
from msgspec.structs import replace

from tallystick.catalog.model import PlanVersion
from tallystick.pricing.in_advance import bills_as_it_comes
from tallystick.pricing.model import FlatPrice
from tallystick.subscriptions.model import AttachedAddOn, Subscription
from tallystick.subscriptions.periods import (
    Anchor,
    Interval,
    Period,
    calendar_day,
    local_day,
    period_at,
    start_of_day,
    whole_period,
)
from tallystick.subscriptions.proration import (
    Share,
    share_of,
    starts_to_count,
    stops_to_count,
)


class FlatDue(msgspec.Struct, frozen=True, kw_only=True):
    """A share of a flat price to be billed: that of `part` in `whole`, the price's period.

    `name` is that of an add-on, None: it is the plan's own price.
    """

    plan: PlanVersion
    price: FlatPrice
    quantity: int
    whole: Period
    part: Period
    share: Share
    name: str | None = None


def billing_anchor(subscription: Subscription, plan: PlanVersion) -> Anchor:
    """Return what billing periods are counted from, in the zone that held at the start."""
    if plan.usage_interval is None:
        return fee_anchor(subscription, plan)
    return _anchor(subscription, plan, msgspec.convert(plan.usage_interval, Interval), 1)


def fee_anchor(subscription: Subscription, plan: PlanVersion) -> Anchor:
    """Return what the periods are counted from that a flat price is for."""
    interval = msgspec.convert(plan.interval, Interval)
    return _anchor(subscription, plan, interval, plan.interval_count)


def billing_period(subscription: Subscription, plan: PlanVersion, at: datetime) -> Period:
    """Return the billing period that contains an instant; before the start, the first one."""
    return billing_period_at(subscription, plan, at)[1]


def billing_period_at(
    subscription: Subscription, plan: PlanVersion, at: datetime
) -> tuple[int, Period]:
    """Return the same with its index."""
    return period_at(billing_anchor(subscription, plan), max(at, subscription.started_at))


def fee_period(subscription: Subscription, plan: PlanVersion, at: datetime) -> Period:
    """Return what a flat price is for at an instant, as a whole.

    A calendar month that was joined on the 20th begins on the 1st: part of it is a share. Where
    nothing is split it begins when the subscription joins it, and so is due whole. By the second
    a first day that was joined late is no share: the period is whole from the start on.
    """
    whole = whole_period(fee_anchor(subscription, plan), max(at, subscription.started_at))
    if plan.proration == "none":
        return replace(whole, start=max(whole.start, _day(subscription, subscription.covered_from)))
    is_joined = _day(subscription, subscription.started_at) == whole.start
    return replace(whole, start=subscription.started_at) if is_joined else whole


def flat_dues(
    subscription: Subscription,
    plan: PlanVersion,
    billing: Literal["in_advance", "in_arrears"],
    *,
    whole: Period,
    part: Period,
    sign: Literal[1, -1] = 1,
) -> Iterator[FlatDue]:
    """Yield what flat prices and add-ons of this billing ask for a part of their period."""
    share = share_of(plan.proration, whole, subscription.timezone, part, sign)
    if share.is_empty:
        return
    for price in plan.prices:
        if isinstance(price, FlatPrice) and price.billing == billing:
            yield FlatDue(
                plan=plan,
                price=price,
                quantity=subscription.quantity,
                whole=whole,
                part=part,
                share=share,
            )
    if billing == add_on_billing(plan):
        for add_on in subscription.add_ons:
            yield from add_on_dues(subscription, plan, add_on, whole=whole, part=part, sign=sign)


def add_on_dues(
    subscription: Subscription,
    plan: PlanVersion,
    add_on: AttachedAddOn,
    *,
    whole: Period,
    part: Period,
    sign: Literal[1, -1] = 1,
) -> Iterator[FlatDue]:
    """Yield what an add-on of each period asks for a part of one: for as long as it is there.

    The day on which it comes counts, and so does the day on which it goes.
    """
    if add_on.charge == "once":
        return
    zone = subscription.timezone
    start = max(part.start, whole.start, starts_to_count(plan.proration, add_on.starts_at, zone))
    end = part.end
    if add_on.ends_at is not None:
        end = min(end, stops_to_count(plan.proration, add_on.ends_at, zone))
    share = share_of(plan.proration, whole, zone, Period(start, max(start, end)), sign)
    if not share.is_empty:
        yield FlatDue(
            plan=plan,
            price=price_of(subscription, plan, add_on),
            quantity=add_on.quantity,
            whole=whole,
            part=Period(start, end),
            share=share,
            name=add_on.name,
        )


def price_of(subscription: Subscription, plan: PlanVersion, add_on: AttachedAddOn) -> FlatPrice:
    """Return an add-on as a price beside the plan's."""
    return FlatPrice(
        currency=subscription.currency,
        code=add_on.code,
        amount=add_on.amount,
        billing=add_on_billing(plan),
    )


def add_on_billing(plan: PlanVersion) -> Literal["in_advance", "in_arrears"]:
    """Return when add-ons are billed: as the plan's fees are."""
    return "in_advance" if bills_in_advance(plan) else "in_arrears"


def bills_in_advance(plan: PlanVersion) -> bool:
    """Tell whether a period of the plan has something to pay when it begins."""
    return any(
        isinstance(price, FlatPrice) and price.billing == "in_advance" for price in plan.prices
    )


def bills_usage_in_advance(plan: PlanVersion) -> bool:
    """Tell whether the plan bills some usage as it comes."""
    return any(map(bills_as_it_comes, plan.prices))


def _anchor(
    subscription: Subscription, plan: PlanVersion, interval: Interval, interval_count: int
) -> Anchor:
    first = subscription.anchor_on
    if first is None and subscription.billing_time == "calendar":
        first = calendar_day(local_day(subscription.started_at, subscription.timezone), interval)
    return Anchor(
        subscription.started_at,
        subscription.timezone,
        interval,
        interval_count,
        first,
        plan.fixed_months,
    )


def _day(subscription: Subscription, at: datetime) -> datetime:
    return start_of_day(local_day(at, subscription.timezone), subscription.timezone)
