"""The currencies of ISO 4217 with their exponents.

The figures are those of the standard's own table (the `iso4217` package carries it). Babel is not
asked: it gives the Malagasy ariary (MGA) no decimals where the standard gives it two, which would
bill a hundred times too much. What a gateway thinks of a currency is the gateway's adapter's care.
"""

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

import msgspec

from tallystick.money.errors import UnknownCurrency


class Currency(msgspec.Struct, frozen=True):
    """One currency: `code` "KWD", `exponent` 3 (decimals), `numeric` "414", `name` in English."""

    code: str
    exponent: int
    numeric: str
    name: str


def currency(code: str) -> Currency:
    """Return the currency with this alphabetic code, in any case ("usd", "USD").

    Gold, the drawing right, the testing code and their like have no minor unit in ISO 4217, so no
    amount of them can be kept here: they are refused like a code that does not exist.

    Raises UnknownCurrency.
    """
    known = currencies()
    found = known.get(code) or known.get(code.upper() if code.isascii() else code)
    if found is None:
        raise UnknownCurrency(
            f"{code[:8]!r} is not an ISO 4217 currency with a minor unit; send a code such as USD."
        )
    return found


@cache
def currencies() -> Mapping[str, Currency]:
    """Return every currency with a minor unit, by its upper-case code."""
    import iso4217  # noqa: PLC0415 -- it parses 40 ms of XML when imported; read once, when needed

    return MappingProxyType(
        {
            entry.code: Currency(
                code=entry.code,
                exponent=entry.exponent,
                numeric=f"{entry.number:03}",
                name=entry.currency_name,
            )
            for entry in iso4217.Currency
            if entry.exponent is not None
        }
    )
