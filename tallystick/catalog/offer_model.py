"""Add-ons and coupons as values. Each is a version: nothing but its status ever changes."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

import msgspec

from tallystick.catalog.model import FeatureValue, VersionStatus

Charge = Literal["once", "per_period"]
"""When an add-on is billed: once, or in each period of the subscription that it is attached to."""
Duration = Literal["once", "periods", "forever"]
"""How long a coupon works: on one invoice, on those of some periods, on all."""


class NewAddOn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked of an add-on; `amounts` are for one of it, by currency, in major units."""

    code: str
    name: str
    charge: Charge
    amounts: Mapping[str, Decimal]
    features: Mapping[str, FeatureValue] = {}


class AddOn(NewAddOn, frozen=True, kw_only=True):
    """What can be bought beside a plan."""

    add_on_id: UUID
    version: int
    status: VersionStatus
    activated_at: datetime | None
    retired_at: datetime | None
    created_at: datetime


class NewCoupon(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked of a coupon: a `percent` of what it covers, or `amounts` by currency.

    An amount that is used `once` carries on to the next invoice with what is left of it. `plans`,
    `prices` and `meters` are codes of what it covers; with all three empty it covers everything.
    `valid_from` and `valid_until` (excluded) say when it can be redeemed.
    """

    code: str
    name: str
    percent: Decimal | None = None
    amounts: Mapping[str, Decimal] | None = None
    duration: Duration = "once"
    periods: int | None = None
    plans: tuple[str, ...] = ()
    prices: tuple[str, ...] = ()
    meters: tuple[str, ...] = ()
    redemptions_max: int | None = None
    redemptions_per_account_max: int | None = 1
    valid_from: datetime | None = None
    valid_until: datetime | None = None


class Coupon(NewCoupon, frozen=True, kw_only=True):
    """What lowers invoices of those who redeemed it."""

    coupon_id: UUID
    version: int
    status: VersionStatus
    activated_at: datetime | None
    retired_at: datetime | None
    created_at: datetime


class Redemption(msgspec.Struct, frozen=True, kw_only=True):
    """A coupon that an account has, and what is left of it.

    `periods_left` None: of no number of periods; `amount_left_minor` None: not an amount that is
    used once. From `ended_at` on it lowers nothing.
    """

    account_id: UUID
    redemption_id: UUID
    coupon: Coupon
    redeemed_at: datetime
    periods_left: int | None
    amount_left_minor: int | None
    ended_at: datetime | None
