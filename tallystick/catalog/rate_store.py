"""SQL of exchange rates."""

from datetime import date, datetime
from decimal import Decimal
from typing import Final

import msgspec

from tallystick.kernel.db import Connection

SAVE: Final = """
INSERT INTO exchange_rates (base, quote, rate_on, rate, source, recorded_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (base, quote, rate_on) DO UPDATE SET rate = $4, source = $5, recorded_at = $6
"""
NEWEST: Final = """
SELECT * FROM exchange_rates WHERE base = $1 AND quote = $2 AND rate_on <= $3
ORDER BY rate_on DESC LIMIT 1
"""
RATES: Final = """
SELECT * FROM exchange_rates
WHERE ($1::text IS NULL OR base = $1) AND ($2::text IS NULL OR quote = $2)
ORDER BY rate_on DESC, base, quote LIMIT $3
"""


class ExchangeRate(msgspec.Struct, frozen=True, kw_only=True):
    """One of `base` was worth `rate` of `quote` on a day, as `source` says."""

    base: str
    quote: str
    rate_on: date
    rate: Decimal
    source: str
    recorded_at: datetime


async def save(conn: Connection, rate: ExchangeRate) -> None:
    """Write the rate in place of the day's."""
    await conn.execute(
        SAVE, rate.base, rate.quote, rate.rate_on, rate.rate, rate.source, rate.recorded_at
    )


async def newest(conn: Connection, base: str, quote: str, day: date) -> ExchangeRate | None:
    """Return the newest rate of that day or before."""
    row = await conn.fetchrow(NEWEST, base, quote, day)
    return None if row is None else msgspec.convert(dict(row), ExchangeRate)


async def rates(
    conn: Connection, base: str | None, quote: str | None, limit: int
) -> tuple[ExchangeRate, ...]:
    """Return the newest rates, of these currencies where they are named."""
    rows = await conn.fetch(RATES, base, quote, limit)
    return tuple(msgspec.convert(dict(row), ExchangeRate) for row in rows)
