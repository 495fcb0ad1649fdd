"""Invoice numbers: without gaps, in a series of each year."""

from datetime import date
from typing import Final

PREFIX: Final = "INV"
DIGITS_MIN: Final = 6


def series_of(issued_on: date) -> str:
    """Return the series of an invoice by the year that is printed on it: "INV-2026"."""
    return f"{PREFIX}-{issued_on.year}"


def show_number(series: str, number: int) -> str:
    """Return the number as printed: "INV-2026-000001"; it grows a digit after 999,999."""
    return f"{series}-{number:0{DIGITS_MIN}d}"
