"""Amounts and currencies as CCBill writes them.

Currencies go by their ISO number as text: `036` as a number would be 36, and octal in some
languages. CCBill takes six (github.com/CCBill/restful-api-guide, openapi.yaml).
"""

from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation
from typing import Final

from tallystick.money.amount import Money
from tallystick.money.currency import currency
from tallystick.money.errors import MoneyError
from tallystick.settings_ccbill import CcbillSettings

NUMBERS: Final[Mapping[str, str]] = {
    "USD": "840", "EUR": "978", "GBP": "826", "CAD": "124", "AUD": "036", "JPY": "392",
}  # fmt: skip
_CODES: Final = {number: code for code, number in NUMBERS.items()}
TEXT_CHARS_MAX: Final = 20


def refusal(amount: Money, limits: Mapping[str, tuple[int, int]]) -> str | None:
    """Return why CCBill would not charge it, as a decline code of ours; None: it would."""
    if amount.currency not in NUMBERS:
        return "currency_not_supported"
    least, most = limits.get(amount.currency, (1, amount.minor))
    if amount.minor < least:
        return "amount_too_small"
    return "amount_too_large" if amount.minor > most else None


def limits_of(settings: CcbillSettings) -> dict[str, tuple[int, int]]:
    """Return the limits of a price in minor units, by currency; a part of a unit counts inwards.

    `USD:2.95-100.00` is 295 to 10000.
    """
    found = {}
    for code, least, most in settings.price_limits:
        exponent = currency(code).exponent
        low = least.scaleb(exponent).to_integral_value(ROUND_CEILING)
        high = most.scaleb(exponent).to_integral_value(ROUND_FLOOR)
        found[code] = (int(low), int(high))
    return found


def code_of(number: str | None, letters: str | None) -> str | None:
    """Return the currency of a webhook by its number (`36`, `036`), else by its letters."""
    text = (number or "").strip()
    if text.isascii() and text.isdigit():
        return _CODES.get(text.zfill(3))
    return (letters or "").strip().upper() or None


def read_amount(text: str | None, code: str | None) -> Money | None:
    """Return an amount of major units (`18.0`, `1500`, `1500.00` yen); None when it is none."""
    if text is None or code is None or not 0 < len(text.strip()) <= TEXT_CHARS_MAX:
        return None
    try:
        value = Decimal(text.strip())
        money = Money.from_decimal(value, code)
    except (InvalidOperation, MoneyError):
        return None
    return money if money.minor >= 0 else None
