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


class NewPlanVersion(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a new version; the plan itself is made with its first one."""

    plan_code: str
    plan_name: str
    currency: str
    interval: Interval
    interval_count: int = 1
    prices: tuple[Price, ...] = ()
    limits: Mapping[str, Decimal] = {}


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
