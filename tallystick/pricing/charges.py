"""From a price and all that was used under it to the amounts that are billed. Pure.

The invoice, the report on running usage, forecasts and corrections all call `charges`; there is no
second way from usage to money.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from tallystick.money.amount import Money
from tallystick.money.currency import currency as look_up
from tallystick.money.exact import canonical, multiply, total
from tallystick.money.rounding import round_decimal, round_ratio
from tallystick.pricing.filters import price_of
from tallystick.pricing.model import (
    ZERO,
    CustomAmount,
    DynamicPrice,
    FlatPrice,
    PercentagePrice,
    Price,
    Step,
)
from tallystick.pricing.percentage import Tallying
from tallystick.pricing.prorated import rate_held
from tallystick.pricing.rate import rate
from tallystick.pricing.usage import DynamicSum, Need, QuantityUsage, SummaryUsage, needs
from tallystick.pricing.use import UNUSED, Use, Uses

_NEEDS: Final[tuple[Need, ...]] = (
    "nothing", "quantity", "quantity_and_count", "events", "dynamic",
)  # fmt: skip


class Part(msgspec.Struct, frozen=True):
    """The units of time from `start` to `end` of the `whole` ones of a period, such as days."""

    start: int
    end: int
    whole: int


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """One amount that is billed, rounded once, half away from zero.

    `rated`: what the price asks for `use`; `exact` is the sum of the steps in major units.
    `minimum`, `maximum`: what brings the charges of all filters and groups together, `counted`, up
    to the price's minimum or down to its maximum; `use` is then that of all of them. `custom` is
    the amount in the price's own unit.
    """

    kind: Literal["rated", "minimum", "maximum"]
    use: Use
    steps: tuple[Step, ...]
    exact: Decimal
    amount: Money
    counted: Money | None = None
    custom: CustomAmount | None = None


def charges(price: Price, uses: Sequence[Use], part: Part | None = None) -> tuple[Charge, ...]:
    """Return what the price bills for a period, or for a `part` of one.

    One charge for each use, then what its minimum or maximum adds. Of uses over nothing that cost
    nothing one stays if there is no other, so that the customer sees it. A part of a period has
    its share of the minimum and the maximum.
    """
    rated = tuple(charge_for(price, use) for use in uses or UNUSED)
    kept = tuple(one for one in rated if one.use.quantity or not one.amount.is_zero())
    counted = sum((one.amount for one in rated), Money.zero(price.currency))
    return (*(kept or rated[:1]), *_to_bounds(price, rated, counted, part))


def charged(price: Price, uses: Sequence[Use], part: Part | None = None) -> Money:
    """Return the sum of the charges."""
    nothing = Money.zero(price.currency)
    return sum((one.amount for one in charges(price, uses, part)), nothing)


def charge_for(price: Price, use: Use) -> Charge:
    """Return what the price asks for one use, without its minimum and maximum."""
    own = own_price(price, use.filter)
    if use.held is not None:
        rated, amount = rate_held(own, use.quantity, use.held)
    else:
        rated = rate(own, _usage(own, use))
        amount = round_decimal(rated.amount, rated.currency)
    return Charge(
        kind="rated",
        use=use,
        steps=rated.steps,
        exact=rated.amount,
        amount=amount,
        custom=rated.custom,
    )


def own_price(price: Price, chosen: int | None) -> Price:
    """Return what rates the usage of a filter, by its position, or of none."""
    return price_of(price, None if chosen is None else price.filters[chosen])


def bound(price: Price, counted: Money, part: Part | None) -> Step | None:
    """Return what brings the sum of all charges within the price's bounds; None: it is.

    `flat` is the bound: of a minimum of 1,000.00 for 15 of 31 days, 483.87. A part without a day
    has no minimum, and the whole maximum.
    """
    least = _share(price.minimum, price.currency, part)
    is_empty = part is not None and part.start >= part.end
    most = _share(price.maximum, price.currency, None if is_empty else part)
    if least is not None and counted < least:
        missing = (least - counted).to_decimal()
        return Step(kind="minimum", flat=canonical(least.to_decimal()), amount=canonical(missing))
    if most is not None and counted > most:
        over = (most - counted).to_decimal()
        return Step(kind="maximum", flat=canonical(most.to_decimal()), amount=canonical(over))
    return None


def uses_of_totals(
    prices: Sequence[Price], totals: Mapping[str, Decimal]
) -> dict[str, tuple[Use, ...]]:
    """Return the uses of prices that need no more than their meters' totals, by price code."""
    return {
        price.code: (Use(quantity=totals[price.meter or ""]),)
        for price in prices
        if price.meter in totals and needs_total_only(price)
    }


def needs_total_only(price: Price) -> bool:
    """Tell whether the total of its meter says all that the price needs to know."""
    is_parted = bool(price.group_by or price.filters or price.prorate)
    return is_metered(price) and not is_parted and needs(price) == "quantity"


def needs_of_all(price: Price) -> Need:
    """Return what must be known to rate the price with those of all its filters."""
    asked = [needs(price), *(needs(one.price) for one in price.filters)]
    return max(asked, key=_NEEDS.index)


def is_metered(price: Price) -> bool:
    """Tell whether the price bills what a meter counted."""
    return price.meter is not None and not isinstance(price, FlatPrice)


def expected_uses(
    prices: Sequence[Price], uses: Uses, totals: Mapping[str, Decimal]
) -> dict[str, Sequence[Use]]:
    """Return the uses as they would be with other totals of the meters that `totals` names.

    An estimate for forecasts: groups and filters keep their shares. What is rated by its events or
    by the days it was held stays as it is.
    """
    return dict(uses) | {
        price.code: _scaled(uses.get(price.code, ()), totals[price.meter or ""])
        for price in prices
        if price.meter in totals and is_metered(price)
    }


def _scaled(uses: Sequence[Use], quantity: Decimal) -> tuple[Use, ...]:
    if any(use.events is not None or use.held is not None for use in uses):
        return tuple(uses)
    known = total(use.quantity for use in uses)
    if len(uses) <= 1 or known <= 0:
        return (replace(uses[0] if uses else UNUSED[0], quantity=quantity),)
    share = round(quantity / known, 12)
    return tuple(replace(use, quantity=multiply(use.quantity, share)) for use in uses)


def _usage(own: Price, use: Use) -> SummaryUsage:
    """Return what `rate` takes; where nothing was used, no events."""
    if use.events is not None:
        return use.events
    if isinstance(own, DynamicPrice):
        return DynamicSum(amount=ZERO, event_count=0, quantity=ZERO)
    if isinstance(own, PercentagePrice) and not use.quantity and needs(own) == "events":
        return Tallying(own).result()
    return QuantityUsage(quantity=use.quantity, event_count=use.event_count or 0)


def _to_bounds(
    price: Price, rated: Sequence[Charge], counted: Money, part: Part | None
) -> Iterator[Charge]:
    step = bound(price, counted, part)
    if step is not None and step.kind in ("minimum", "maximum"):
        yield Charge(
            kind="minimum" if step.kind == "minimum" else "maximum",
            use=Use(quantity=canonical(total(one.use.quantity for one in rated))),
            steps=(step,),
            exact=step.amount,
            amount=round_decimal(step.amount, price.currency),
            counted=counted,
        )


def _share(limit: Decimal | None, currency: str, part: Part | None) -> Money | None:
    """Return a part's share: rounded at both of its ends, so that parts sum to the whole."""
    if limit is None or part is None:
        return None if limit is None else round_decimal(limit, currency)
    numerator, denominator = limit.as_integer_ratio()
    numerator *= 10 ** look_up(currency).exponent
    start, end = (
        round_ratio(numerator * at, denominator * part.whole) for at in (part.start, part.end)
    )
    return Money(end - start, currency)
