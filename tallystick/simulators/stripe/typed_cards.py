"""The checks on card data that a person typed in."""

from datetime import UTC, datetime

import msgspec

from tallystick.simulators.stripe.cards import (
    INCORRECT_NUMBER,
    NOT_A_TEST_CARD,
    Card,
    Decline,
    by_number,
)
from tallystick.simulators.stripe.declines import refused

CENTURY = 100
BAD_MONTH = Decline(
    "invalid_expiry_month", "Your card's expiration month is invalid.", param="exp_month"
)
BAD_YEAR = Decline(
    "invalid_expiry_year", "Your card's expiration year is invalid.", param="exp_year"
)
BAD_CVC = Decline("invalid_cvc", "Your card's security code is invalid.", param="cvc")


class TypedCard(msgspec.Struct, frozen=True):
    """Number, expiry and security code as they came from the page."""

    number: str
    exp_month: int
    exp_year: int
    cvc: str | None = None


class CheckedCard(msgspec.Struct, frozen=True):
    """A test card, with the expiry and code that were typed for it."""

    card: Card
    typed: TypedCard


def checked(typed: TypedCard, at: int) -> CheckedCard:
    """Return the test card that was typed at the given time (seconds since 1970, UTC).

    Raises StripeError (402) for a wrong check digit, a number that is no test card, a date that
    is past, or a code of the wrong length.
    """
    digits = "".join(typed.number.split())
    if not digits.isdecimal() or not passes_luhn(digits):
        raise refused(INCORRECT_NUMBER)
    card = by_number(digits)
    if card is None:
        raise refused(NOT_A_TEST_CARD)
    year = typed.exp_year + 2000 if typed.exp_year < CENTURY else typed.exp_year
    now = datetime.fromtimestamp(at, UTC)
    if not 1 <= typed.exp_month <= 12:  # noqa: PLR2004 the months of a year
        raise refused(BAD_MONTH)
    if not now.year <= year <= now.year + 50:
        raise refused(BAD_YEAR)
    if (year, typed.exp_month) < (now.year, now.month):
        raise refused(BAD_MONTH)
    length = 4 if card.brand == "amex" else 3
    if typed.cvc is not None and not (typed.cvc.isdecimal() and len(typed.cvc) == length):
        raise refused(BAD_CVC)
    return CheckedCard(card, msgspec.structs.replace(typed, number=digits, exp_year=year))


def passes_luhn(digits: str) -> bool:
    """Tell whether the check digit is right (ISO/IEC 7812-1): every second digit counts double."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 + place % 2)
        total += doubled - 9 * (doubled > 9)  # noqa: PLR2004 the sum of two digits
    return total % 10 == 0
