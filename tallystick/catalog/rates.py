"""What money was worth in other money, by the day: for reports alone; an invoice never converts."""

import re
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Final

import msgspec

from tallystick.catalog import rate_store
from tallystick.catalog.faults import NAME_LENGTH_MAX, raise_any, text_problems
from tallystick.catalog.rate_store import ExchangeRate
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import FieldError
from tallystick.money.currency import currency
from tallystick.money.errors import UnknownCurrency
from tallystick.pricing.bounds import price_problems

RATES_MAX: Final = 1000
NUMBER: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,12})?")
_FIRST: Final = date(2000, 1, 1)
_LAST: Final = date(2199, 12, 31)


class NewRate(msgspec.Struct, frozen=True, kw_only=True):
    """One of `base` was worth `rate` of `quote` on a day, as `source` says."""

    base: str
    quote: str
    rate_on: date
    rate: Decimal
    source: str


async def set_rate(conn: Connection, new: NewRate, now: datetime) -> ExchangeRate:
    """Write the rate of a day, in place of the one that was there; the audit keeps both.

    Raises BadInput naming every field that can not be taken.
    """
    raise_any(list(_problems(new)))
    kept = ExchangeRate(
        base=currency(new.base).code,
        quote=currency(new.quote).code,
        rate_on=new.rate_on,
        rate=new.rate,
        source=new.source,
        recorded_at=now,
    )
    await rate_store.save(conn, kept)
    return kept


async def rate_at(conn: Connection, base: str, quote: str, day: date) -> ExchangeRate | None:
    """Return the newest rate of that day or before, with its day and source; None without any."""
    return await rate_store.newest(conn, base, quote, day)


async def list_rates(
    conn: Connection, base: str | None = None, quote: str | None = None
) -> tuple[ExchangeRate, ...]:
    """Return the thousand newest rates, of these currencies where they are named."""
    return await rate_store.rates(conn, base, quote, RATES_MAX)


def _problems(new: NewRate) -> Iterator[FieldError]:
    for field in ("base", "quote"):
        try:
            currency(getattr(new, field))
        except UnknownCurrency as error:
            yield FieldError(field, error.code, error.detail)
    if new.base.upper() == new.quote.upper():
        yield FieldError("quote", "repeated", "must be another currency than base")
    if not _FIRST <= new.rate_on <= _LAST:
        yield FieldError("rate_on", "out_of_range", "must be in the years 2000 to 2199")
    yield from price_problems("rate", new.rate)
    if new.rate == 0:
        yield FieldError("rate", "out_of_range", "must be above 0")
    yield from text_problems("source", new.source, NAME_LENGTH_MAX)
