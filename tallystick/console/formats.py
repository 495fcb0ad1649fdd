"""How numbers, money and dates are written: in the account's locale and time zone. Pure."""

from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from zoneinfo import ZoneInfo

import msgspec
from babel import Locale
from babel.dates import format_date, format_interval, format_time
from babel.numbers import format_percent

from tallystick.accounts.model import Account
from tallystick.money.amount import Money
from tallystick.money.text import show_decimal, show_money, show_price

NONE = "\u2013"


class Formats(msgspec.Struct, frozen=True):
    """What an account's pages are written with: its locale ("fr-FR") and its time zone."""

    locale: str
    zone: ZoneInfo

    @property
    def babel(self) -> Locale:
        """Return the locale as Babel knows it."""
        return Locale.parse(self.locale.replace("-", "_"))

    def money(self, amount: Money) -> str:
        """Return an amount with all decimals of its currency: "€1,234.50"."""
        return show_money(amount, self.locale)

    def price(self, amount: Decimal, currency: str) -> str:
        """Return an exact amount of major units with every decimal it has: "€0.00004"."""
        return show_price(amount, currency, self.locale)

    def number(self, value: Decimal) -> str:
        """Return a quantity: "12,500"."""
        return show_decimal(value, self.locale)

    def percent(self, percent: Decimal) -> str:
        """Return a rate: 8.25 is "8.25%"."""
        share = percent.scaleb(-2)
        return str(format_percent(share, locale=self.babel, decimal_quantization=False))

    def whole_percent(self, percent: Decimal) -> str:
        """Return a share without decimals, rounded down: 99.9 is "99%", not all of it yet."""
        return self.percent(percent.to_integral_value(ROUND_DOWN))

    def day(self, at: datetime | None) -> str:
        """Return the instant's day in the account's time zone: "1 Nov 2026"; a dash for None."""
        return NONE if at is None else self.date(at.astimezone(self.zone).date())

    def date(self, day: date) -> str:
        """Return a date: "1 Nov 2026"."""
        return str(format_date(day, "medium", locale=self.babel))

    def days(self, start: datetime, end: datetime) -> str:
        """Return the days of [start, end), from the first to the last one inside it."""
        last = max(start, end - timedelta(microseconds=1))
        first_day, last_day = (at.astimezone(self.zone).date() for at in (start, last))
        return str(format_interval(first_day, last_day, "yMMMd", locale=self.babel))

    def instant(self, at: datetime) -> str:
        """Return an instant to the minute in the account's time zone: "1 Nov 2026, 14:30"."""
        wall = at.astimezone(self.zone)
        return f"{self.date(wall.date())}, {format_time(wall.time(), 'HH:mm', locale=self.babel)}"

    def utc(self, at: datetime) -> str:
        """Return an instant to the minute in UTC, for staff: "1 Nov 2026, 00:00 UTC"."""
        wall = at.astimezone(UTC)
        day = format_date(wall.date(), "medium", locale=self.babel)
        return f"{day}, {format_time(wall.time(), 'HH:mm', locale=self.babel)} UTC"


def formats_of(account: Account) -> Formats:
    """Return how this account reads."""
    return Formats(account.locale, ZoneInfo(account.timezone))
