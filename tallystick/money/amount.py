"""An amount of money: whole minor units and a currency, never apart."""

from decimal import Decimal

import msgspec

from tallystick.money.currency import currency as look_up
from tallystick.money.errors import BadAmount, CurrencyMismatch
from tallystick.money.exact import canonical, require_finite, shift

MINOR_MAX = 2**63 - 1  # what a bigint column holds: 92 thousand billion dollars
DIGITS_MAX = 19  # the digits of MINOR_MAX


class Money(msgspec.Struct, frozen=True):
    """So many minor units (cents of USD, yen, fils of KWD) of an upper-case ISO 4217 currency.

    Sums and comparisons stay within one currency and raise CurrencyMismatch otherwise; equality
    never raises. Raises TypeError for minor units that are not an int, UnknownCurrency, and
    BadAmount beyond what the database can hold.
    """

    minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.minor) is not int:
            raise TypeError(f"minor units are an int, not {type(self.minor).__name__}")
        unit = look_up(self.currency)
        if unit.code != self.currency:
            raise BadAmount(f"Write the currency as {unit.code}.", code="currency_not_upper_case")
        if abs(self.minor) > MINOR_MAX:
            raise BadAmount("The amount is too large to be billed.", code="amount_too_large")

    @classmethod
    def zero(cls, currency: str) -> "Money":
        """Return nothing, in this currency: the start of a sum."""
        return cls(0, look_up(currency).code)

    @classmethod
    def from_decimal(cls, amount: Decimal, currency: str) -> "Money":
        """Return an amount of major units exactly: `Decimal("1.5")` USD is 150 minor units.

        Raises BadAmount when it is not a whole number of minor units (1.005 USD), not finite or
        too large; TypeError for floats and anything else that is not a Decimal.
        """
        unit = look_up(currency)
        require_finite(amount)
        if amount and amount.adjusted() >= DIGITS_MAX:
            raise BadAmount("The amount is too large to be billed.", code="amount_too_large")
        minor = shift(canonical(amount), unit.exponent)
        if minor != minor.to_integral_value():
            raise BadAmount(
                f"{unit.code} has {unit.exponent} decimals; the amount has more.",
                code="too_many_decimals",
            )
        return cls(int(minor), unit.code)

    def to_decimal(self) -> Decimal:
        """Return the amount in major units with all decimals of the currency: 150 is 1.50 USD."""
        return shift(Decimal(self.minor), -look_up(self.currency).exponent)

    def is_zero(self) -> bool:
        """Tell whether nothing is left."""
        return self.minor == 0

    def __add__(self, other: "Money") -> "Money":
        if not isinstance(other, Money):
            return NotImplemented
        return Money(self.minor + self._same(other), self.currency)

    def __sub__(self, other: "Money") -> "Money":
        if not isinstance(other, Money):
            return NotImplemented
        return Money(self.minor - self._same(other), self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.minor, self.currency)

    def __lt__(self, other: "Money") -> bool:
        if not isinstance(other, Money):
            return NotImplemented
        return self.minor < self._same(other)

    def __le__(self, other: "Money") -> bool:
        if not isinstance(other, Money):
            return NotImplemented
        return self.minor <= self._same(other)

    def __gt__(self, other: "Money") -> bool:
        if not isinstance(other, Money):
            return NotImplemented
        return self.minor > self._same(other)

    def __ge__(self, other: "Money") -> bool:
        if not isinstance(other, Money):
            return NotImplemented
        return self.minor >= self._same(other)

    def _same(self, other: "Money") -> int:
        """Return the other's minor units if they are of this currency."""
        if other.currency != self.currency:
            raise CurrencyMismatch(
                f"{self.currency} and {other.currency} can not be added or compared."
            )
        return other.minor
