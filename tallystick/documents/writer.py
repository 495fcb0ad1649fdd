"""How a document writes money, numbers and days: in its locale, its currency, its time zone."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import msgspec
from babel import Locale
from babel.dates import format_date, format_interval
from babel.numbers import format_percent

from tallystick.money.amount import Money
from tallystick.money.exact import exact_context, shift
from tallystick.money.text import show_decimal, show_money, show_price


class Writer(msgspec.Struct, frozen=True):
    """How this document writes money, numbers and days."""

    currency: str
    locale: str
    zone: ZoneInfo

    @property
    def babel(self) -> Locale:
        """Return the locale as Babel knows it."""
        return Locale.parse(self.locale.replace("-", "_"))

    def money(self, minor: int) -> str:
        """Return whole minor units as money: "$1,234.50"."""
        return show_money(Money(minor, self.currency), self.locale)

    def price(self, amount: Decimal | None) -> str | None:
        """Return an exact amount in major units with all its decimals: "$0.0004"."""
        return None if amount is None else show_price(amount, self.currency, self.locale)

    def number(self, value: Decimal) -> str:
        """Return a quantity: "12,500"."""
        return show_decimal(value, self.locale)

    def percent(self, percent: Decimal) -> str:
        """Return a rate: 8.25 is "8.25%"."""
        with exact_context():
            return format_percent(shift(percent, -2), locale=self.babel, decimal_quantization=False)

    def day(self, day: date) -> str:
        """Return a date: "December 15, 2026"."""
        return format_date(day, "long", locale=self.babel)

    def period(self, start: datetime, end: datetime) -> str:
        """Return the days from the start to the last one that lies before the end."""
        last = max(start, end - timedelta(microseconds=1))
        return format_interval(
            start.astimezone(self.zone).date(),
            last.astimezone(self.zone).date(),
            "yMMMd",
            locale=self.babel,
        )

    def sample(self) -> str:
        """Return every kind of letter that this locale needs for its numbers and dates."""
        money = self.money(-123456789)
        months = [date(2026, month, 28) for month in range(1, 13)]
        spans = [self.period(start, start + timedelta(days=9)) for start in _noons(months)]
        return " ".join([money, self.percent(Decimal("8.5")), *map(self.day, months), *spans])


def _noons(days: Iterable[date]) -> Iterator[datetime]:
    return (datetime(day.year, day.month, day.day, 12, tzinfo=UTC) for day in days)
