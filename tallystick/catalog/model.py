"""What is sold, as values: meters, plans, and the versions that subscriptions keep."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

import msgspec

from tallystick.pricing.model import Price

Aggregation = Literal["sum", "count"]
Interval = Literal["day", "week", "month", "year"]
Rollover = Literal["none", "all", "up_to"]
"""What becomes of a plan's credits when their period ends: lost, kept, or kept up to a maximum."""


class NewMeter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked of a new meter; `name` and `event_type` default to the code."""

    code: str
    name: str | None = None
    unit: str = "unit"
    event_type: str | None = None
    aggregation: Aggregation = "count"
    property: str | None = None


class Meter(msgspec.Struct, frozen=True, kw_only=True):
    """What is counted: events of one type, their number or the sum of one property."""

    meter_id: UUID
    code: str
    name: str
    unit: str
    event_type: str
    aggregation: str
    property: str | None
    created_at: datetime


class PlanCredits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Credits that a plan gives at the start of each period; up to 5 decimals.

    What rolls over (`up_to`: at most `rollover_max` of one grant) can be used for
    `rollover_periods` more periods; None: for ever.
    """

    amount: Decimal
    rollover: Rollover = "none"
    rollover_max: Decimal | None = None
    rollover_periods: int | None = None


class NewPlanVersion(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a new version; the plan itself is made with its first one."""

    plan_code: str
    plan_name: str
    currency: str
    interval: Interval
    interval_count: int = 1
    prices: tuple[Price, ...] = ()
    limits: Mapping[str, Decimal] = {}
    credits: PlanCredits | None = None


class PlanVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A plan as it was sold at one time; never changed. `limits` are quantities by meter code."""

    plan_version_id: UUID
    plan_id: UUID
    plan_code: str
    plan_name: str
    version: int
    currency: str
    interval: str
    interval_count: int
    prices: tuple[Price, ...]
    limits: Mapping[str, Decimal]
    created_at: datetime
    credits: PlanCredits | None = None
