"""From exact numbers to whole minor units: the only places where anything is rounded.

Integers alone: no decimal context, no float, no doubt. A tie goes away from zero, as finance
people expect of an invoice (2.5 cents bill 3, and their refund is -3).
"""

from collections.abc import Sequence
from decimal import Decimal
from operator import index

from tallystick.money.amount import DIGITS_MAX, Money
from tallystick.money.currency import currency as look_up
from tallystick.money.errors import BadAmount
from tallystick.money.exact import require_finite


def round_ratio(numerator: int, denominator: int) -> int:
    """Return the whole number nearest to the ratio; a tie goes away from zero.

    Raises BadAmount unless the denominator is above zero, TypeError for anything but integers.
    """
    over, under = index(numerator), index(denominator)
    if under <= 0:
        raise BadAmount("A ratio needs a denominator above zero.", code="ratio_undefined")
    size = (2 * abs(over) + under) // (2 * under)
    return size if over >= 0 else -size


def round_decimal(amount: Decimal, currency: str) -> Money:
    """Round an exact amount in major units to minor units, once, half away from zero.

    The ambient decimal context has no say: `Decimal("0.125")` USD is 13 cents under any.

    Raises BadAmount for NaN, infinity and what is too large; UnknownCurrency; TypeError for floats.
    """
    unit = look_up(currency)
    require_finite(amount)
    place = amount.adjusted() + unit.exponent  # of the first digit, counted in minor units
    if not amount or place < -1:  # below a tenth of a minor unit: no need to write out 1e-99999
        return Money(0, unit.code)
    if place >= DIGITS_MAX:
        raise BadAmount("The amount is too large to be billed.", code="amount_too_large")
    numerator, denominator = amount.as_integer_ratio()
    return Money(round_ratio(numerator * 10**unit.exponent, denominator), unit.code)


def allocate(total: Money, weights: Sequence[int]) -> tuple[Money, ...]:
    """Split an amount by weights so that the parts sum to it exactly.

    By largest remainder: each part is its share rounded down, and the minor units left over go one
    each to the largest remainders, a tie to the earlier position. 100 cents by 1, 1, 1 are
    34, 33, 33. A negative total gives the parts of the positive one, negated, so that a credit
    note mirrors its invoice. A weight of zero gets nothing.

    Raises BadAmount when there are no weights, all are zero, or one is below zero.
    """
    shares = [index(weight) for weight in weights]
    whole = sum(shares)
    if whole <= 0 or min(shares) < 0:
        raise BadAmount("Shares need weights of zero or more, not all zero.", code="bad_weights")
    size = abs(total.minor)
    parts = [size * share // whole for share in shares]
    by_remainder = sorted(range(len(shares)), key=lambda at: -(size * shares[at] % whole))
    for at in by_remainder[: size - sum(parts)]:
        parts[at] += 1
    sign = 1 if total.minor >= 0 else -1
    return tuple(Money(sign * part, total.currency) for part in parts)
