"""What subscriptions bring in a month. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Final

import msgspec

from tallystick.money.rounding import round_ratio

LIVE: Final = frozenset({"active", "past_due"})
TRIAL: Final = "trialing"


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Subscriptions that are alike: how many, and what they all come to in a month, exact."""

    tier: str
    currency: str
    status: str
    count: int
    monthly: Fraction


class TierTotal(msgspec.Struct, frozen=True):
    """The subscriptions of one tier, trials too, and the month's revenue of the live ones."""

    count: int
    monthly_minor: int


class CurrencyTotal(msgspec.Struct, frozen=True, kw_only=True):
    """One currency's subscriptions by tier."""

    monthly_minor: int
    tiers: Mapping[str, TierTotal]


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """How many subscriptions there are, whatever their currency, and each currency's revenue."""

    active_count: int
    trial_count: int
    past_due_count: int
    by_currency: Mapping[str, CurrencyTotal]


def totals_of(groups: Iterable[Group]) -> Totals:
    """Return what groups come to; 49.00 a month and 120.00 a year are 59.00 a month."""
    kept = [group for group in groups if group.status in LIVE or group.status == TRIAL]
    by_currency: dict[str, list[Group]] = defaultdict(list)
    for group in kept:
        by_currency[group.currency].append(group)
    return Totals(
        active_count=_count(kept, "active"),
        trial_count=_count(kept, TRIAL),
        past_due_count=_count(kept, "past_due"),
        by_currency={
            currency: CurrencyTotal(
                monthly_minor=_monthly(found), tiers=dict(sorted(_tiers(found).items()))
            )
            for currency, found in sorted(by_currency.items())
        },
    )


def _tiers(groups: Iterable[Group]) -> dict[str, TierTotal]:
    by_tier: dict[str, list[Group]] = defaultdict(list)
    for group in groups:
        by_tier[group.tier].append(group)
    return {
        tier: TierTotal(sum(one.count for one in found), _monthly(found))
        for tier, found in by_tier.items()
    }


def _monthly(groups: Iterable[Group]) -> int:
    exact = sum((group.monthly for group in groups if group.status in LIVE), Fraction(0))
    return round_ratio(exact.numerator, exact.denominator)


def _count(groups: Iterable[Group], status: str) -> int:
    return sum(group.count for group in groups if group.status == status)
