"""Rows of what staff look at; amounts are minor units, instants UTC."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

import msgspec


class SubscriptionRow(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription of ours (`plan_version_id`), or one that lives at a gateway (`reference`)."""

    account_id: UUID
    source: str
    subscription_id: UUID | None
    reference: str | None
    gateway: str
    status: str
    currency: str
    plan_version_id: UUID | None
    quantity: int
    tier: str | None
    amount_minor: int | None
    monthly_minor: Decimal | None
    interval: str | None
    interval_count: int | None
    period_start: datetime | None
    period_end: datetime | None
    trial_ends_at: datetime | None
    cancel_at_period_end: bool
    created_at: datetime


class ChargeRow(msgspec.Struct, frozen=True, kw_only=True):
    """A payment of ours (`payment_id`), or a charge that was made at a gateway (`reference`)."""

    account_id: UUID
    source: str
    payment_id: UUID | None
    reference: str | None
    gateway: str
    status: str
    currency: str
    amount_minor: int
    description: str | None
    created_at: datetime


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """Subscriptions of one plan version, or one tier at a gateway, by currency and status."""

    plan_version_id: UUID | None
    tier: str | None
    currency: str
    status: str
    count: int
    quantity: int
    monthly_minor: Decimal | None
