"""Rules, budgets, what they measure and what was told, as values.

Amounts of spend are whole minor units, credits have up to 5 decimals, quantities are the meter's.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

import msgspec

from tallystick.metering.forecast import Forecast
from tallystick.subscriptions.periods import Period

Watch = Literal["meter", "spend", "credits"]
"""What is watched: a meter's quantity, the period's spend, or credits."""
Unit = Literal["percent", "quantity", "cents", "credits_left"]
"""In what thresholds are written.

`percent`: of the meter's limit, or of the credits that the plan gives. `quantity`: units of the
meter. `cents`: minor units of spend. `credits_left`: credits that are available, told of when no
more than that is left.
"""
Basis = Literal["actual", "forecast"]
Source = Literal["rule", "budget"]


class NewRule(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a new rule."""

    name: str
    watch: Watch
    meter: str | None = None
    unit: Unit
    thresholds: tuple[Decimal, ...]


class AlertRule(msgspec.Struct, frozen=True, kw_only=True):
    """Thresholds of one thing, ascending; each is told of once in a billing period."""

    account_id: UUID
    alert_rule_id: UUID
    name: str
    watch: Watch
    meter_code: str | None
    unit: Unit
    thresholds: tuple[Decimal, ...]
    is_active: bool
    created_at: datetime


class NewBudget(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a new budget: `amount` is in minor units of spend, or in the meter's."""

    name: str
    watch: Watch
    meter: str | None = None
    amount: Decimal
    actual_percents: tuple[Decimal, ...]
    forecast_percents: tuple[Decimal, ...]


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """An amount for each billing period, of which percents are told of, used or expected."""

    account_id: UUID
    budget_id: UUID
    name: str
    watch: Watch
    meter_code: str | None
    amount: Decimal
    actual_percents: tuple[Decimal, ...]
    forecast_percents: tuple[Decimal, ...]
    is_active: bool
    created_at: datetime


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """One threshold of a rule or a budget; `amount` is the budget's."""

    source: Source
    source_id: UUID
    name: str
    created_at: datetime
    basis: Basis
    watch: Watch
    meter_code: str | None
    unit: Unit
    threshold: Decimal
    amount: Decimal | None = None


class Credits(msgspec.Struct, frozen=True, kw_only=True):
    """Credits of a period: used in it, given by the plan for it (None: none), left at present."""

    used: Decimal
    included: Decimal | None
    left: Decimal


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What there is of everything that is watched in one period.

    `quantities` and `limits` go by meter code. `spend` is the subtotal before tax that the
    period's invoice has as it stands, in minor units of `currency`; None without a plan. Credits
    and forecasts are known of the running period only.
    """

    period: Period
    quantities: Mapping[str, Decimal]
    limits: Mapping[str, Decimal | None]
    spend: int | None
    currency: str | None
    credits: Credits | None = None
    quantity_forecasts: Mapping[str, Forecast] = {}
    spend_forecast: int | None = None


class Crossing(msgspec.Struct, frozen=True, kw_only=True):
    """A threshold that is reached: by what, and of which limit (None: it is an amount)."""

    watched: Watched
    quantity: Decimal
    limit: Decimal | None


class UsageAlert(msgspec.Struct, frozen=True, kw_only=True):
    """What was told, as its rule or budget was then."""

    account_id: UUID
    usage_alert_id: UUID
    source_id: UUID
    source: Source
    name: str
    basis: Basis
    watch: Watch
    meter_code: str | None
    unit: Unit
    threshold: Decimal
    period_start: datetime
    period_end: datetime
    quantity: Decimal
    limit_quantity: Decimal | None
    currency: str | None
    fired_at: datetime
