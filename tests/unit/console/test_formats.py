"""Numbers and dates as an account's people write them."""

from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from tallystick.console.formats import Formats
from tallystick.money.amount import Money

PARIS = ZoneInfo("Europe/Paris")
NOVEMBER = (datetime(2026, 10, 31, 23, tzinfo=UTC), datetime(2026, 11, 30, 23, tzinfo=UTC))


@pytest.mark.parametrize(
    ("locale", "day", "days", "money", "percent"),
    [
        ("en-US", "Nov 1, 2026", "Nov 1\u2009\u2013\u200930, 2026", "\u20ac1,234.50", "8.25%"),
        ("en-GB", "1 Nov 2026", "1\u201330 Nov 2026", "\u20ac1,234.50", "8.25%"),
        (
            "de-DE",
            "01.11.2026",
            "1.\u201330. Nov. 2026",
            "1.234,50\u00a0\u20ac",
            "8,25\u00a0%",
        ),
    ],
)
def test_each_locale_writes_in_its_own_way(
    locale: str, day: str, days: str, money: str, percent: str
) -> None:
    formats = Formats(locale, PARIS)
    assert formats.day(NOVEMBER[0]) == day
    assert formats.days(*NOVEMBER) == days
    assert formats.money(Money(123450, "EUR")) == money
    assert formats.percent(Decimal("8.25")) == percent


def test_the_end_of_a_period_is_not_one_of_its_days() -> None:
    assert Formats("en-GB", PARIS).days(*NOVEMBER).startswith("1\u201330")


def test_an_empty_period_is_one_day() -> None:
    assert Formats("en-GB", PARIS).days(NOVEMBER[0], NOVEMBER[0]) == "1 Nov 2026"


def test_what_has_no_date_is_a_dash() -> None:
    assert Formats("en-GB", PARIS).day(None) == "\u2013"


def test_staff_read_instants_in_utc() -> None:
    assert Formats("en-GB", PARIS).utc(NOVEMBER[0]) == "31 Oct 2026, 23:00 UTC"


def test_almost_all_is_not_all() -> None:
    assert Formats("en-GB", PARIS).whole_percent(Decimal("99.99")) == "99%"
