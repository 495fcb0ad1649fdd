"""What money refuses.

MoneyError (a ValueError)
├── UnknownCurrency    no ISO 4217 currency with a minor unit has this code
├── CurrencyMismatch   two currencies in one sum or comparison
├── BadAmount          not an amount: malformed, too exact, too large, or shares of nothing
└── UnknownLocale      no locale of this name
"""

from typing import ClassVar


class MoneyError(ValueError):
    """Base of what this room raises. `code` is stable; `detail` is a sentence for people."""

    default_code: ClassVar[str] = "money_error"

    def __init__(self, detail: str, *, code: str | None = None) -> None:
        super().__init__(detail)
        self.code = code or self.default_code
        self.detail = detail


class UnknownCurrency(MoneyError):
    """No ISO 4217 currency with a minor unit has this code."""

    default_code = "unknown_currency"


class CurrencyMismatch(MoneyError):
    """Two currencies met in one sum or one comparison; nothing here converts."""

    default_code = "currency_mismatch"


class BadAmount(MoneyError):
    """This is no amount, or not one that can be kept exactly."""

    default_code = "amount_malformed"


class UnknownLocale(MoneyError):
    """No locale of this name is known."""

    default_code = "unknown_locale"
