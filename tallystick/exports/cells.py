"""Values as the text of a cell. Pure.

Amounts stand twice, as everywhere: in minor units, exactly, and in major units for people. Instants
are RFC 3339 in UTC. What a customer may have written never begins a formula: programs that open CSV
take `=1+1` for one (https://owasp.org/www-community/attacks/CSV_Injection).
"""

import csv
import io
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from tallystick.exports.model import Row
from tallystick.money.amount import Money

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def amount(minor: int, currency: str) -> tuple[str, str]:
    """Return the amount in major units with all decimals of the currency, and in minor units."""
    return f"{Money(minor, currency).to_decimal():f}", str(minor)


def number(value: Decimal | None) -> str:
    """Return the number with all its digits, never with an exponent."""
    return "" if value is None else f"{value:f}"


def instant(at: datetime | None) -> str:
    """Return the instant in UTC, to the second or finer if it is: 2026-01-31T09:00:00Z."""
    return "" if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def text(value: str | None) -> str:
    """Return what somebody wrote; an apostrophe keeps what looks like a formula from being one."""
    if not value:
        return ""
    return f"'{value}" if value.startswith(_FORMULA) else value


def csv_bytes(rows: Iterable[Row]) -> bytes:
    """Return the rows as CSV (RFC 4180: lines end in CR LF, quotes are doubled), in UTF-8."""
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue().encode()
