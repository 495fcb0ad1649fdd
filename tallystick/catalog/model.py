"""What is sold, as values: meters, plans, and the versions that subscriptions keep."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

import msgspec

from tallystick.catalog.expression import Program
from tallystick.pricing.model import Price

Aggregation = Literal[
    "count", "sum", "max", "min", "average", "latest", "unique_count", "weighted_sum"
]
"""How the events of a period become one quantity.

`latest` is the value of the last event, `unique_count` the number of different values whose last
event does not remove them (`operation_type` is `remove`), `weighted_sum` the mean over time of a
level that each event raises or lowers by its value.
"""
FilterOperator = Literal["is", "is_not", "exists", "is_absent"]
RoundingMode = Literal["round", "ceil", "floor"]
Interval = Literal["day", "week", "month", "quarter", "half_year", "year"]
Billing = Literal["in_advance", "in_arrears"]
Proration = Literal["by_day", "by_second", "none"]
"""What part of a period costs: its days, its seconds, or as much as the whole."""
VersionStatus = Literal["draft", "active", "retired"]
"""A draft is tried out, the active one is sold, a retired one is kept by those who bought it."""
FeatureValue = bool | str | None
"""What is given of a feature: a switch, a text, a decimal string; None: without a limit."""
Rollover = Literal["none", "all", "up_to"]
"""What becomes of a plan's credits when their period ends: lost, kept, or kept up to a maximum."""
LimitPeriod = Literal["period", "day", "minute"]
"""What a limit counts: a billing period, a day of the account's time zone, a minute."""
LimitKind = Literal["hard", "soft"]
"""A hard limit refuses what would pass it; a soft one only tells."""


class MeterFilter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events are counted: those whose property is, or is not, one of the values.

    Values are compared as text: 5 is "5", true is "true". A property that is absent, null, a list
    or an object is no value: `is_not` holds for it, `is` does not.
    """

    property: str
    operator: FilterOperator = "is"
    values: tuple[str, ...] = ()


class Rounding(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a period's quantity is rounded, once; `round` half away from zero.

    A precision below zero rounds to tens, hundreds and so on.
    """

    mode: RoundingMode
    precision: int = 0


class NewMeter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked of a new meter; `name` and `event_type` default to the code.

    What is not counted is measured by a `property` or by an `expression` of several. Without
    `allow_negative`, values below zero are taken where they mean something: not by a plain `sum`.
    """

    code: str
    name: str | None = None
    unit: str = "unit"
    event_type: str | None = None
    aggregation: Aggregation = "count"
    property: str | None = None
    expression: str | None = None
    filters: tuple[MeterFilter, ...] = ()
    group_by: tuple[str, ...] = ()
    rounding: Rounding | None = None
    recurring: bool = False
    allow_negative: bool | None = None


class Meter(msgspec.Struct, frozen=True, kw_only=True):
    """What is counted: the events of one type that pass all filters, and how.

    `group_by` are the properties by which totals can be told apart. `recurring`: what was before
    the period counts too, as of seats. `program` is what `expression` says, in steps.
    """

    meter_id: UUID
    code: str
    name: str
    unit: str
    event_type: str
    aggregation: str
    property: str | None
    created_at: datetime
    expression: str | None = None
    program: Program | None = None
    filters: tuple[MeterFilter, ...] = ()
    group_by: tuple[str, ...] = ()
    rounding: Rounding | None = None
    recurring: bool = False
    allow_negative: bool = False


class PlanCredits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Credits that a plan gives at the start of each period; up to 5 decimals.

    What rolls over (`up_to`: at most `rollover_max` of one grant) can be used for
    `rollover_periods` more periods; None: for ever.
    """

    amount: Decimal
    rollover: Rollover = "none"
    rollover_max: Decimal | None = None
    rollover_periods: int | None = None


class Limit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of a meter may be used; a meter has one for each `per` at most."""

    limit: Decimal
    per: LimitPeriod = "period"
    kind: LimitKind = "soft"


Limits = Mapping[str, Decimal | tuple[Limit, ...]]
"""Limits by meter code; a mere quantity is a soft limit per billing period."""


class PlanTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What a version says besides its code and its prices.

    - `tier` names the rank of the plan (trial, starter, professional ...); None: its code.
    - `billing` is when flat prices are billed; it stands in each of them already.
    - `trial_days` cost nothing, from the start on.
    - `proration` is what part of a period costs.
    - `fixed_months`: a month of the interval has 30 days, a quarter 90, a year 360.
    - `usage_interval` is how often usage is billed within the period; None: with it.
    - `minimum_commitment` is what a period bills at least, by currency, in major units.
    - `features` is what the plan gives of each feature, by code.
    """

    interval: Interval
    interval_count: int = 1
    limits: Limits = {}
    credits: PlanCredits | None = None
    tier: str | None = None
    billing: Billing = "in_arrears"
    trial_days: int = 0
    proration: Proration = "by_day"
    fixed_months: bool = False
    usage_interval: Interval | None = None
    minimum_commitment: Mapping[str, Decimal] = {}
    features: Mapping[str, FeatureValue] = {}


class NewPlanVersion(PlanTerms, frozen=True, kw_only=True):
    """What is asked of a new version; the plan itself is made with its first one.

    `prices` may be of several currencies: an account pays those in its own. `currency` is the one
    that is shown to whoever has none.
    """

    plan_code: str
    plan_name: str
    currency: str
    prices: tuple[Price, ...] = ()


class PlanVersion(PlanTerms, frozen=True, kw_only=True):
    """A plan as it was sold at one time; nothing but its status ever changes.

    `prices` are those in `currency`, `prices_elsewhere` those in its other currencies: whoever
    bills takes the version `priced_in` (`currencies.py`) the account's currency.
    """

    plan_version_id: UUID
    plan_id: UUID
    plan_code: str
    plan_name: str
    version: int
    currency: str
    prices: tuple[Price, ...]
    prices_elsewhere: tuple[Price, ...] = ()
    created_at: datetime
    status: VersionStatus = "active"
    activated_at: datetime | None = None
    retired_at: datetime | None = None
