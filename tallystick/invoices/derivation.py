"""How a line came to its amount: stored with it, and computed again from what is stored."""

from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

import msgspec

from tallystick.invoices.coupon_use import CouponUse, discount_of
from tallystick.invoices.discount_back import DiscountBack, checked_back
from tallystick.invoices.usage_change import ChangedUsage, difference
from tallystick.money.amount import Money
from tallystick.money.rounding import round_decimal
from tallystick.pricing.charges import Part, bound, charge_for
from tallystick.pricing.model import ZERO, CustomAmount, Price, Rated, Step
from tallystick.pricing.rate import rate
from tallystick.pricing.use import Use
from tallystick.subscriptions.proration import Share, amount_of


class Advance(msgspec.Struct, frozen=True):
    """What earlier fees billed of a line's usage: the line bills the rest.

    `is_last`: the period has ended, what comes later is late.
    """

    billed_minor: int
    is_last: bool


class Derivation(msgspec.Struct, frozen=True, kw_only=True):
    """All that a line's amount follows from.

    `price` is the price as it was sold in this version of the plan, `quantity` what was used in
    [`period_start`, `period_end`), and `use` all that the price was rated for, where a quantity
    does not say it: by which group, by which events, on which days. Kind `rated` is what the price
    asks for that: `exact` in major units, the sum of the `steps`, rounded once. Kinds `minimum`
    and `maximum` are what brings the price's other lines of the period, `counted_minor` in sum, to
    its minimum or maximum, of which a `part` of a period has its share; kind `commitment` is the
    same of the plan's fees and usage. `custom` is the amount in
    the price's own unit. Kind `share` is a part of a flat price: the steps say the whole, for
    `quantity` of them, `share` what part of it is billed, and `exact` has 12 decimals.

    Kind `discount` is what a `coupon` took off lines of the invoice; kind `change` what `changed`
    usage of a closed period costs now, by the price as it was sold, less what was billed for it.

    With `advance` the usage is billed as it comes, and the line bills what is left. With `discount`
    the line gives back what coupons lowered, less their share of it.
    """

    kind: Literal["rated", "minimum", "maximum", "commitment", "share", "discount", "change"]
    plan_version_id: UUID | None  # None: sold once, outside any plan
    price: Price
    quantity: Decimal
    period_start: datetime
    period_end: datetime
    steps: tuple[Step, ...]
    exact: Decimal
    currency: str
    rounding: Literal["half_away_from_zero"]
    use: Use | None = None
    part: Part | None = None
    counted_minor: int | None = None
    custom: CustomAmount | None = None
    share: Share | None = None
    coupon: CouponUse | None = None
    changed: ChangedUsage | None = None
    advance: Advance | None = None
    discount: DiscountBack | None = None

    @property
    def group(self) -> dict[str, str | None]:
        """The group whose usage the line bills; empty without one."""
        return self.use.group if self.use else {}

    @property
    def filter(self) -> int | None:
        """The position of the price's filter whose usage the line bills."""
        return self.use.filter if self.use else None


def rated_amount(rated: Rated) -> Money:
    """Return what a line bills for a rating: rounded once, half away from zero."""
    return round_decimal(rated.amount, rated.currency)


def recompute(derivation: Derivation) -> Money:
    """Return the amount that follows from the stored inputs: price, quantity and rules alone.

    Raises ValueError where the parts of a discount do not follow.
    """
    gross = gross_of(derivation)
    if derivation.discount is None:
        return gross
    back = checked_back(derivation.discount, -gross.minor)
    return gross + Money(back, derivation.currency)


def gross_of(derivation: Derivation) -> Money:
    """Return the same without what coupons took off what is given back."""
    whole = _whole(derivation)
    if derivation.advance is None:
        return whole
    return whole - Money(derivation.advance.billed_minor, derivation.currency)


def _whole(derivation: Derivation) -> Money:
    if derivation.coupon is not None:
        return discount_of(derivation.coupon, derivation.currency)
    if derivation.changed is not None:
        return difference(derivation.price, derivation.changed, derivation.part)
    if derivation.share is not None:
        whole = rate(derivation.price, derivation.quantity).amount * derivation.quantity
        return amount_of(whole, derivation.currency, derivation.share)
    if derivation.kind == "rated":
        use = derivation.use or Use(quantity=derivation.quantity)
        return charge_for(derivation.price, use).amount
    counted = Money(derivation.counted_minor or 0, derivation.currency)
    step = bound(derivation.price, counted, derivation.part)
    return round_decimal(step.amount if step else ZERO, derivation.currency)


def encode(derivation: Derivation) -> str:
    """Return the derivation as JSON; every decimal is a string, so that none is ever a float."""
    return msgspec.json.encode(derivation).decode()


def decode(stored: str | bytes) -> Derivation:
    """Read what `encode` wrote. Raises msgspec.ValidationError for anything else."""
    return msgspec.json.decode(stored, type=Derivation)
