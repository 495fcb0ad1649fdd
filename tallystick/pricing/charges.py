"""From a price and all that was used under it to the amounts that are billed. Pure.

The invoice, the report on running usage, forecasts and corrections all call `charges`; there is no
second way from usage to money.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Literal

import msgspec
from msgspec.structs import replace

from tallystick.money.amount import Money
from tallystick.money.exact import multiply, total
from tallystick.money.rounding import round_decimal
from tallystick.pricing.model import ZERO, FlatPrice, Price, Step
from tallystick.pricing.rate import rate

Group = Mapping[str, str | None]


class Use(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a price is rated for at once: all that was used, or what one group used.

    `group` holds the values of the price's `group_by` properties, None where events had none.
    """

    quantity: Decimal = ZERO
    group: dict[str, str | None] = {}


Uses = Mapping[str, Sequence[Use]]
"""What was used by the code of the price that bills it; absent: nothing."""

UNUSED: tuple[Use, ...] = (Use(),)


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """One amount that is billed, rounded once, half away from zero.

    `rated`: what the price asks for `use`; `exact` is the sum of the steps in major units.
    `minimum`: what the charges of all groups together, `counted`, are short of the price's minimum;
    it has no steps, and `use` is that of all groups.
    """

    kind: Literal["rated", "minimum"]
    use: Use
    steps: tuple[Step, ...]
    exact: Decimal
    amount: Money
    counted: Money | None = None


def charges(price: Price, uses: Sequence[Use]) -> tuple[Charge, ...]:
    """Return what the price bills for a period: one charge a group, then what its minimum adds.

    Without use there is one charge over nothing, so that the customer sees it.
    """
    rated = tuple(_rated(price, use) for use in uses or UNUSED)
    return (*rated, *_to_minimum(price, rated))


def charged(price: Price, uses: Sequence[Use]) -> Money:
    """Return the sum of the charges."""
    nothing = Money.zero(price.currency)
    return sum((one.amount for one in charges(price, uses)), nothing)


def missing_to_minimum(price: Price, counted: Money) -> Money:
    """Return what must be added to reach the price's minimum, zero without one."""
    nothing = Money.zero(counted.currency)
    if price.minimum is None:
        return nothing
    return max(round_decimal(price.minimum, price.currency) - counted, nothing)


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
    return is_metered(price) and not price.group_by


def is_metered(price: Price) -> bool:
    """Tell whether the price bills what a meter counted."""
    return price.meter is not None and not isinstance(price, FlatPrice)


def scaled(uses: Sequence[Use], quantity: Decimal) -> tuple[Use, ...]:
    """Return the uses as they would be with another total: an estimate for forecasts.

    Groups keep their shares, with 12 decimals.
    """
    known = total(use.quantity for use in uses)
    if len(uses) <= 1 or known <= 0:
        return (replace(uses[0] if uses else UNUSED[0], quantity=quantity),)
    share = round(quantity / known, 12)
    return tuple(replace(use, quantity=multiply(use.quantity, share)) for use in uses)


def expected_uses(
    prices: Sequence[Price], uses: Uses, totals: Mapping[str, Decimal]
) -> dict[str, Sequence[Use]]:
    """Return the uses as they would be with other totals of the meters that `totals` names."""
    return dict(uses) | {
        price.code: scaled(uses.get(price.code, ()), totals[price.meter or ""])
        for price in prices
        if price.meter in totals and is_metered(price)
    }


def _rated(price: Price, use: Use) -> Charge:
    rated = rate(price, use.quantity)
    amount = round_decimal(rated.amount, rated.currency)
    return Charge(kind="rated", use=use, steps=rated.steps, exact=rated.amount, amount=amount)


def _to_minimum(price: Price, rated: Sequence[Charge]) -> Iterator[Charge]:
    counted = sum((one.amount for one in rated), Money.zero(price.currency))
    missing = missing_to_minimum(price, counted)
    if not missing.is_zero():
        yield Charge(
            kind="minimum",
            use=Use(quantity=total(one.use.quantity for one in rated)),
            steps=(),
            exact=missing.to_decimal(),
            amount=missing,
            counted=counted,
        )
