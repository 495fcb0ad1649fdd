"""For staff: exchange rates by the day. Reports use them; an invoice never converts."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Final

import msgspec
from litestar import get, put
from litestar.params import Parameter
from msgspec import Meta

from tallystick.api import fields
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.catalog import rates
from tallystick.catalog.rate_store import ExchangeRate
from tallystick.kernel.db import STAFF, WRITER
from tallystick.kernel.errors import BadInput
from tallystick.money.exact import plain

PATH: Final = "/api/v1/admin/exchange-rates"
TAGS: Final = ["Admin: catalogue"]
Code = Annotated[
    str | None, Parameter(pattern="^[A-Za-z]{3}$", min_length=3, description="A currency.")
]


class RateBody(Body, frozen=True, kw_only=True):
    """One of `base` was worth `rate` (a decimal string) of `quote` on the day `rate_on`."""

    base: fields.Currency
    quote: fields.Currency
    rate_on: Annotated[
        date, Meta(extra_json_schema={"pattern": "^2[01][0-9]{2}-", "format": "date"})
    ]
    rate: fields.Amount
    source: fields.Line


class RateAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A rate, and where it comes from."""

    base: str
    quote: str
    rate_on: date
    rate: str
    source: str
    recorded_at: datetime


class RateList(msgspec.Struct, frozen=True):
    """The thousand newest rates, newest day first."""

    exchange_rates: list[RateAnswer]
    total: int


@get(PATH, opt={"permission": "staff:read"}, tags=TAGS, summary="Exchange rates")
async def list_rates(services: Services, base: Code = None, quote: Code = None) -> RateList:
    """List rates, of these currencies where they are named."""
    async with services.db.transaction(STAFF) as conn:
        found = await rates.list_rates(conn, base and base.upper(), quote and quote.upper())
    return RateList([rate_answer(one) for one in found], len(found))


@put(PATH, opt={"permission": "staff:admin"}, tags=TAGS, summary="Set an exchange rate")
async def set_rate(data: RateBody, services: Services) -> RateAnswer:
    """Write the rate of a day; one that was there is replaced, and kept in the audit."""
    if not rates.NUMBER.fullmatch(data.rate):
        raise BadInput.field("rate", "not_a_decimal_string", 'must be a string such as "1.0842"')
    new = rates.NewRate(
        base=data.base,
        quote=data.quote,
        rate_on=data.rate_on,
        rate=Decimal(data.rate),
        source=data.source,
    )
    async with services.db.transaction(WRITER) as conn:
        return rate_answer(await rates.set_rate(conn, new, services.clock()))


def rate_answer(one: ExchangeRate) -> RateAnswer:
    """Show a rate."""
    return RateAnswer(
        base=one.base.lower(),
        quote=one.quote.lower(),
        rate_on=one.rate_on,
        rate=plain(one.rate),
        source=one.source,
        recorded_at=one.recorded_at,
    )


ROUTES: Final = (list_rates, set_rate)
