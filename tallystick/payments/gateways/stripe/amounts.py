"""Amounts as Stripe counts them (https://docs.stripe.com/currencies).

Stripe's minor units are not ISO 4217's everywhere: 1.00 MGA is 100 minor units by ISO and 1 at
Stripe, 100 ISK are 100 by ISO and 10000 at Stripe. What can not be said exactly is refused.
"""

from collections.abc import Mapping
from typing import Final

from tallystick.money.amount import Money
from tallystick.money.currency import currency as look_up

_ZERO_DECIMAL: Final = (
    "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF",
    "XOF", "XPF",
)  # fmt: skip
# Whole units only, and yet written with two zeros, as Stripe did before they lost their cents.
_WHOLE_WITH_ZEROS: Final = ("ISK", "UGX")
_THREE_DECIMAL: Final = ("BHD", "JOD", "KWD", "OMR", "TND")

EXPONENTS: Final[Mapping[str, int]] = {
    **dict.fromkeys(_ZERO_DECIMAL, 0),
    **dict.fromkeys(_WHOLE_WITH_ZEROS, 2),
    **dict.fromkeys(_THREE_DECIMAL, 3),
}
"""Decimals at Stripe where they are not two."""

AMOUNT_MAX: Final = 99_999_999
AMOUNT_MIN: Final[Mapping[str, int]] = {
    "USD": 50, "AED": 200, "AUD": 50, "BRL": 50, "CAD": 50, "CHF": 50, "CZK": 1500,
    "DKK": 250, "EUR": 50, "GBP": 30, "HKD": 400, "HUF": 17500, "INR": 50, "JPY": 50, "MXN": 1000,
    "MYR": 200, "NOK": 300, "NZD": 50, "PLN": 200, "RON": 200, "SEK": 300, "SGD": 50, "THB": 1000,
}  # fmt: skip
"""The smallest charge, in Stripe's minor units; elsewhere Stripe converts and decides itself."""


class NotChargeable(ValueError):
    """Stripe can not say this amount; `code` is a decline code of ours."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def to_stripe(amount: Money) -> int:
    """Return the amount in Stripe's minor units; raises NotChargeable when it has none for it."""
    exponent, iso = _exponents(amount.currency)
    shifted = amount.minor * 10**exponent
    if shifted % 10**iso:
        raise NotChargeable("amount_not_chargeable")
    units = int(shifted // 10**iso)
    if exponent == 3 and units % 10:  # noqa: PLR2004 - cards know two decimals: the third is 0
        raise NotChargeable("amount_not_chargeable")
    return units


def from_stripe(units: int, code: str) -> Money:
    """Return what Stripe's minor units are in ours; raises ValueError when it is not exact."""
    exponent, iso = _exponents(code.upper())
    shifted = units * 10**iso
    if shifted % 10**exponent:
        raise NotChargeable("amount_not_chargeable")
    return Money(int(shifted // 10**exponent), code.upper())


def refusal(amount: Money) -> str | None:
    """Return why Stripe would refuse to charge it, as a decline code of ours; None: it would not.

    Asked before the call: what Stripe's own validation refuses is a call for nothing.
    """
    try:
        units = to_stripe(amount)
    except NotChargeable as error:
        return error.code
    if units < AMOUNT_MIN.get(amount.currency, 1):
        return "amount_too_small"
    return "amount_too_large" if units > AMOUNT_MAX else None


def _exponents(code: str) -> tuple[int, int]:
    """Return Stripe's exponent and ISO's; Stripe takes no other currency with more than two."""
    iso = look_up(code).exponent
    exponent = EXPONENTS.get(code, 2)
    if iso > exponent and code not in EXPONENTS:
        raise NotChargeable("currency_not_supported")
    return exponent, iso
