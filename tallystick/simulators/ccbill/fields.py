"""Reading a request's members one by one, so that an answer can name all that is wrong."""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from tallystick.money.currency import currencies
from tallystick.simulators.ccbill.errors import Wrong, invalid
from tallystick.simulators.ccbill.ids import short_form

REQUIRED = "Attribute required."
SIZE = "Problem with attribute size."
VALUES = "Problem with the attribute values."
TYPE = "Problem with the attribute data type."
DIGITS = "Problem with the attribute digit format."
CHARACTERS = "Unsupported characters."
# The currencies that CCBill bills in, by ISO 4217 number.
CURRENCIES = {
    currencies()[code].numeric: code for code in ("USD", "EUR", "GBP", "CAD", "AUD", "JPY")
}
WHOLE_DIGITS_MAX = 10


class Fields:
    """Members of a JSON object or query; numbers may come as text, as CCBill's samples have it."""

    def __init__(self, raw: Mapping[str, Any], under: str = "") -> None:
        self.wrong: list[Wrong] = []
        self._raw = raw
        self._under = under

    def blame(self, name: str, message: str) -> None:
        """Say that a member is wrong."""
        self.wrong.append((f"{self._under}{name}", message))

    def done(self) -> None:
        """Go on when all is well. Raises CcbillError 400/200000."""
        if self.wrong:
            raise invalid(*self.wrong)

    def has(self, name: str) -> bool:
        """Tell whether a member is given and not null."""
        return self._raw.get(name) is not None

    def nest(self, name: str) -> "Fields":
        """Return the members of a nest, sharing the list of what is wrong."""
        found = self._raw.get(name)
        if not isinstance(found, Mapping):
            self.blame(name, REQUIRED if found is None else TYPE)
        nest = Fields(found if isinstance(found, Mapping) else {}, f"{self._under}{name}.")
        nest.wrong = self.wrong
        return nest

    def text(
        self,
        name: str,
        pattern: str = ".*",
        message: str = VALUES,
        *,
        required: bool = True,
        size: int = 256,
    ) -> str:
        """Return a text, "" when it is not there."""
        value = self._raw.get(name)
        if value is None or value == "":
            if required:
                self.blame(name, REQUIRED)
            return ""
        text = str(value) if isinstance(value, str | int | Decimal) else ""
        problem = _problem(text, pattern, message, size)
        if problem:
            self.blame(name, problem)
        return text

    def whole(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """Return a whole number, `default` when it is not there; without one it is required."""
        value = self._raw.get(name)
        if value is None or value == "":
            if default is None:
                self.blame(name, REQUIRED)
            return default if default is not None else low
        number = _whole(value)
        if number is None:
            self.blame(name, TYPE)
            return low
        if not low <= number <= high:
            self.blame(name, VALUES)
        return number

    def price(self, name: str, *, required: bool = True) -> Decimal | None:
        """Return a price with up to two decimals."""
        value = self._raw.get(name)
        if value is None or value == "":
            if required:
                self.blame(name, REQUIRED)
            return None
        price = _decimal(value)
        if price is None:
            self.blame(name, TYPE)
        elif price != price.quantize(Decimal("0.01")):
            self.blame(name, DIGITS)
            return None
        return None if price is None else price.quantize(Decimal("0.01"))

    def flag(self, name: str) -> bool:
        """Return a yes or no; 1 and 0, and their texts, are taken too."""
        value = self._raw.get(name)
        if value in (None, "", False, 0, "0", "false"):
            return False
        if value not in (True, 1, "1", "true"):
            self.blame(name, TYPE)
        return True

    def identifier(self, name: str, *, required: bool = True) -> str:
        """Return a subscription's id without leading zeros, "0" when it is not there."""
        value = self._raw.get(name)
        if value is None or value == "":
            if required:
                self.blame(name, REQUIRED)
            return "0"
        if not re.fullmatch(r"\d{1,19}", str(value)):
            self.blame(name, "Invalid Subscription ID.")
            return "0"
        return short_form(str(value))

    def currency(self, name: str, default: str = "USD") -> str:
        """Return the alphabetic code of an ISO 4217 number: 36 and "036" are both AUD."""
        value = self._raw.get(name)
        if value is None or value == "":
            return default
        code = CURRENCIES.get(str(value).rjust(3, "0"))
        if code is None:
            self.blame(name, VALUES)
        return code or default


def _problem(text: str, pattern: str, message: str, size: int) -> str | None:
    if not text:
        return TYPE
    if not text.isascii():
        return CHARACTERS
    if len(text) > size:
        return SIZE
    return None if re.fullmatch(pattern, text, re.DOTALL) else message


def _whole(value: object) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and re.fullmatch(r"\d{1,10}", value):
        return int(value)
    return None


def _decimal(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        return None
    try:
        price = Decimal(value)
    except InvalidOperation:
        return None
    return price if price.is_finite() and price.adjusted() < WHOLE_DIGITS_MAX else None
