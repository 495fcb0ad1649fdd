"""Revenue by month as a table and as bars, and the sheets that can be had as CSV. Pure."""

from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal
from itertools import groupby
from typing import Final

import msgspec
from babel.dates import format_date

from tallystick.console.formats import Formats
from tallystick.exports.recognition import MonthSum
from tallystick.exports.sheets import ACCOUNT_SHEETS
from tallystick.money.amount import Money

BAR_HEIGHT: Final = Decimal(100)
GROUP_WIDTH: Final = 24
"""Of each month: two bars of nine and the gap to the next."""
_TENTH: Final = Decimal("0.1")
_NOTHING: Final = Decimal(0)


class MonthRow(msgspec.Struct, frozen=True, kw_only=True):
    """A month's amounts in words."""

    month: str
    billed: str
    recognized: str
    deferred: str
    accrued: str


class MonthBars(msgspec.Struct, frozen=True, kw_only=True):
    """A month's two bars, from `x` on: heights of at most 100, and where their tops are."""

    x: int
    recognized_height: Decimal
    deferred_height: Decimal
    spoken: str

    @property
    def recognized_top(self) -> Decimal:
        """Where the bar begins, from above."""
        return BAR_HEIGHT - self.recognized_height

    @property
    def deferred_top(self) -> Decimal:
        """Where the bar begins, from above."""
        return BAR_HEIGHT - self.deferred_height


class RevenueView(msgspec.Struct, frozen=True, kw_only=True):
    """One currency: its months, its bars, and what they are as high as."""

    currency: str
    rows: tuple[MonthRow, ...]
    bars: tuple[MonthBars, ...]
    width: int
    top: str


class SheetLink(msgspec.Struct, frozen=True):
    """A file that can be had; `path` is below the exports of the API."""

    path: str
    text: str


def revenue_views(months: Sequence[MonthSum], formats: Formats) -> tuple[RevenueView, ...]:
    """Return each currency's months, which come by currency and in order."""
    by_currency = groupby(months, lambda one: one.billed.currency)
    return tuple(_view(currency, tuple(sums), formats) for currency, sums in by_currency)


def bar_height(amount: Money, top: Money) -> Decimal:
    """Return how high an amount stands where `top` stands 100 high; below zero is nothing."""
    if top.minor <= 0 or amount.minor <= 0:
        return _NOTHING
    return (BAR_HEIGHT * amount.minor / top.minor).quantize(_TENTH)


def sheet_links(*, of_account: bool) -> Iterator[SheetLink]:
    """Yield what can be had of one account, or of all."""
    for name in ACCOUNT_SHEETS:
        if of_account or name != "usage":
            yield SheetLink(f"{name}.csv", name.replace("-", " ").replace("_", " ").capitalize())
    yield SheetLink("journal.csv", "Journal")
    yield SheetLink("invoices.zip", "Invoices as PDF (ZIP)")


def month_field(day: date) -> str:
    """Return a month as its field holds it: 2026-01."""
    return f"{day:%Y-%m}"


def _view(currency: str, months: tuple[MonthSum, ...], formats: Formats) -> RevenueView:
    rows = tuple(_row(one, formats) for one in months)
    top = max(max(one.recognized, one.deferred) for one in months)
    return RevenueView(
        currency=currency,
        rows=rows,
        bars=tuple(
            _bars(at, one, row, top) for at, (one, row) in enumerate(zip(months, rows, strict=True))
        ),
        width=GROUP_WIDTH * len(months),
        top=formats.money(top),
    )


def _row(one: MonthSum, formats: Formats) -> MonthRow:
    return MonthRow(
        month=str(format_date(one.month, "MMM yyyy", locale=formats.babel)),
        billed=formats.money(one.billed),
        recognized=formats.money(one.recognized),
        deferred=formats.money(one.deferred),
        accrued=formats.money(one.accrued),
    )


def _bars(at: int, one: MonthSum, row: MonthRow, top: Money) -> MonthBars:
    return MonthBars(
        x=at * GROUP_WIDTH,
        recognized_height=bar_height(one.recognized, top),
        deferred_height=bar_height(one.deferred, top),
        spoken=f"{row.month}: recognised {row.recognized}, deferred {row.deferred}",
    )
