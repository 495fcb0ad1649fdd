"""What coupons take off the lines of an invoice, to the minor unit. Pure.

The narrow ones come first (of a meter or a price, then of a plan, then of everything), among
equals the older one; each works on what those before it left. What a coupon takes off is rounded
once and split over the lines that it covers by their amounts, with the largest remainders: 10.00
off lines of 20.00, 20.00 and 20.00 takes 3.34, 3.33 and 3.33. No line goes below zero.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

import msgspec
from msgspec.structs import replace

from tallystick.catalog.offer_model import Coupon, Redemption
from tallystick.kernel.errors import Conflict
from tallystick.money.amount import Money
from tallystick.money.exact import multiply, shift
from tallystick.money.rounding import allocate, round_decimal

_PERCENT_PLACES: Final = -2


class DiscountableLine(msgspec.Struct, frozen=True, kw_only=True):
    """What of an invoice's line a coupon asks for; a line of zero or less is never lowered."""

    amount: Money
    plan: str | None = None
    price: str | None = None
    meter: str | None = None


class Discount(msgspec.Struct, frozen=True, kw_only=True):
    """What one coupon takes off one line (`line` is its place); the amount is above zero."""

    redemption_id: UUID
    line: int
    amount: Money


def discounts(
    lines: Sequence[DiscountableLine], coupons: Sequence[Redemption]
) -> tuple[Discount, ...]:
    """Return what the coupons take off the lines, which are of one currency, in order of use."""
    left = [max(line.amount.minor, 0) for line in lines]
    found: list[Discount] = []
    for one in sorted(coupons, key=_order):
        if one.ended_at is not None:
            continue
        weights = [
            amount if covers(one.coupon, line) else 0
            for line, amount in zip(lines, left, strict=True)
        ]
        for discount in _split(one, lines, weights):
            left[discount.line] -= discount.amount.minor
            found.append(discount)
    return tuple(found)


def covers(coupon: Coupon, line: DiscountableLine) -> bool:
    """Tell whether the coupon lowers this line: it is of its plans, and of its prices or meters."""
    if coupon.plans and line.plan not in coupon.plans:
        return False
    if not coupon.prices and not coupon.meters:
        return True
    return line.price in coupon.prices or line.meter in coupon.meters


def taken_off(percent: Decimal | None, worth_minor: int, covered_minor: int, currency: str) -> int:
    """Return what a coupon takes off lines that come to this much together, in minor units.

    A percent of it, rounded once, or the coupon's worth as far as there is something to take.
    """
    if percent is None:
        return min(worth_minor, covered_minor)
    whole = Money(covered_minor, currency).to_decimal()
    return round_decimal(shift(multiply(whole, percent), _PERCENT_PLACES), currency).minor


def worth_minor(one: Redemption, currency: str) -> int:
    """Return what a coupon of an amount can take off one invoice; of a percent, nothing."""
    if one.amount_left_minor is not None:
        return one.amount_left_minor
    amounts = one.coupon.amounts or {}
    return round_decimal(amounts[currency], currency).minor if currency in amounts else 0


def after_invoice(one: Redemption, used: Sequence[Discount], at: datetime) -> Redemption:
    """Return what is left of the coupon after an invoice at `at` that it lowered by `used`.

    An invoice that it lowered by nothing uses up none of its periods and none of its amount.
    """
    minor = sum(part.amount.minor for part in used if part.redemption_id == one.redemption_id)
    if not minor or one.coupon.duration == "forever":
        return one
    if one.amount_left_minor is not None:
        amount_left = one.amount_left_minor - minor
        ended = at if amount_left == 0 else None
        return replace(one, amount_left_minor=amount_left, ended_at=ended)
    periods_left = (one.periods_left or 1) - 1
    return replace(one, periods_left=periods_left, ended_at=None if periods_left else at)


def refuse_redemption(
    coupon: Coupon, currency: str, at: datetime, *, all_count: int, own_count: int
) -> None:
    """Raise Conflict when the account can not have the coupon at `at`, with the reason."""
    if (coupon.valid_from and at < coupon.valid_from) or (
        coupon.valid_until and at >= coupon.valid_until
    ):
        raise Conflict("coupon_not_valid", "The coupon can not be redeemed on this day.")
    if coupon.redemptions_max is not None and all_count >= coupon.redemptions_max:
        raise Conflict("coupon_used_up", "The coupon was redeemed as often as it may be.")
    own_max = coupon.redemptions_per_account_max
    if own_max is not None and own_count >= own_max:
        raise Conflict("coupon_redeemed", "The account has redeemed this coupon already.")
    if coupon.amounts is not None and currency not in coupon.amounts:
        raise Conflict(
            "coupon_currency_differs",
            f"The coupon is worth nothing in {currency}; use one in the account's currency.",
        )


def redeem(
    coupon: Coupon, account_id: UUID, redemption_id: UUID, currency: str, at: datetime
) -> Redemption:
    """Return the coupon as the account has it, unused."""
    carried = coupon.amounts is not None and coupon.duration == "once"
    periods = 1 if coupon.duration == "once" and not carried else coupon.periods
    made = Redemption(
        account_id=account_id,
        redemption_id=redemption_id,
        coupon=coupon,
        redeemed_at=at,
        periods_left=periods,
        amount_left_minor=None,
        ended_at=None,
    )
    return replace(made, amount_left_minor=worth_minor(made, currency)) if carried else made


def _split(
    one: Redemption, lines: Sequence[DiscountableLine], weights: Sequence[int]
) -> Iterator[Discount]:
    covered = sum(weights)
    if not covered:
        return
    currency = lines[0].amount.currency
    minor = taken_off(one.coupon.percent, worth_minor(one, currency), covered, currency)
    taken = Money(minor, currency)
    for at, part in enumerate(allocate(taken, weights)):
        if part.minor:
            yield Discount(redemption_id=one.redemption_id, line=at, amount=part)


def _order(one: Redemption) -> tuple[int, datetime, UUID]:
    coupon = one.coupon
    narrow = 0 if coupon.meters or coupon.prices else 1 if coupon.plans else 2
    return narrow, one.redeemed_at, one.redemption_id
