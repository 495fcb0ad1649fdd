"""What is sold, as values: meters, plans, and the versions that subscriptions keep."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import msgspec

from tallystick.pricing.model import Price


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
