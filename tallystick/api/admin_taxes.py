"""For staff: tax rates, and who is free of taxes."""

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Final

import msgspec
from litestar import get, post
from litestar.params import Parameter
from msgspec import Meta

from tallystick.accounts import service as accounts
from tallystick.api import fields
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.documents.document import TaxCategory
from tallystick.kernel import ids
from tallystick.kernel.clock import account_now
from tallystick.kernel.db import STAFF, WRITER
from tallystick.kernel.errors import BadInput
from tallystick.money.exact import plain
from tallystick.taxes import service
from tallystick.taxes.checks import PERCENT_DECIMALS_MAX, SOURCE_LENGTH_MAX
from tallystick.taxes.model import (
    STANDARD,
    CheckOutcome,
    Exemption,
    NewExemption,
    NewTaxRate,
    TaxRate,
)
from tallystick.taxes.outlook import TaxesToday, taxes_today

BASE: Final = "/api/v1/admin/tax-rates"
OF_ACCOUNT: Final = "/api/v1/admin/accounts/{account_id:str}"
TAGS: Final = ["Admin: taxes"]
READ: Final = {"permission": "staff:read"}
FINANCE: Final = {"permission": "staff:finance"}
_PERCENT: Final = re.compile(r"[0-9]{1,3}(\.[0-9]{1,6})?")
Day = Annotated[date, Meta(extra_json_schema={"pattern": "^2[01][0-9]{2}-", "format": "date"})]
TaxCode = Annotated[str, Meta(extra_json_schema={"pattern": "^[a-z][a-z0-9_]{0,62}$"})]
Percent = Annotated[
    str,
    Meta(
        extra_json_schema={
            "pattern": r"^(100(\.0{1,6})?|[0-9]{1,2}(\.[0-9]{1,6})?)$",
            "description": "0 to 100 of the net price, as a decimal string; above 0 in category S, "
            f"0 in every other; at most {PERCENT_DECIMALS_MAX} decimals.",
        }
    ),
]
Source = Annotated[
    str,
    Meta(
        extra_json_schema={
            "minLength": 1,
            "maxLength": SOURCE_LENGTH_MAX,
            "format": "single-line",
            "description": "Where it was looked up: an address, or the name of a law.",
        }
    ),
]
CountryOf = Annotated[
    str | None, Parameter(pattern="^[A-Za-z]{2}$", min_length=2, description="A country.")
]
DayOf = Annotated[
    str | None,
    Parameter(
        pattern="^2[01][0-9]{2}-[0-9]{2}-[0-9]{2}$",
        min_length=10,
        schema_extra={"format": "date"},
        description="A day: the rates that hold then.",
    ),
]


class TaxRateFields(Body, frozen=True, kw_only=True):
    """What a tax takes of one kind of supply in one place, in [valid_from, valid_until)."""

    country: fields.Country
    name: fields.Line
    percent: Percent
    valid_from: Day
    region: fields.Region | None = None
    tax_code: TaxCode = STANDARD
    category: TaxCategory = "S"
    reason: fields.Line | None = None
    inclusive: bool = False
    replaces_national: bool = False
    valid_until: Day | None = None


class TaxRateBody(TaxRateFields, frozen=True, kw_only=True):
    """A rate to be known, with where it was looked up and when; it never changes."""

    source: Source
    looked_up_on: Day


class TaxRateAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A rate, and where it comes from."""

    id: str
    country: str
    region: str | None
    tax_code: str
    name: str
    percent: str
    category: TaxCategory
    reason: str | None
    inclusive: bool
    replaces_national: bool
    valid_from: date
    valid_until: date | None
    source: str
    looked_up_on: date
    created: datetime


class TaxRateList(msgspec.Struct, frozen=True):
    """Rates by place and tax, the newest of each first; at most 5,000."""

    tax_rates: list[TaxRateAnswer]
    total: int


class EndBody(Body, frozen=True, kw_only=True):
    """The day from which it does not hold any more; its first day: it never held."""

    valid_until: Day


class ExemptionBody(Body, frozen=True, kw_only=True):
    """Why an account pays no tax in [valid_from, valid_until); without a country: anywhere."""

    reason: fields.Line
    valid_from: Day
    certificate: fields.Line | None = None
    country: fields.Country | None = None
    region: fields.Region | None = None
    valid_until: Day | None = None


class ExemptionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An account's exemption from taxes."""

    id: str
    reason: str
    certificate: str | None
    country: str | None
    region: str | None
    valid_from: date
    valid_until: date | None
    created: datetime


class AppliedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A tax that would be charged today."""

    name: str
    percent: str
    category: TaxCategory | None
    reason: str | None
    inclusive: bool


class AccountTaxes(msgspec.Struct, frozen=True, kw_only=True):
    """An account's taxes: who it is for them, what holds today, or why that can not be told."""

    country: str
    region: str | None
    tax_number: str | None
    tax_number_outcome: CheckOutcome | None
    tax_number_checked_at: datetime | None
    taxes: list[AppliedAnswer]
    problem: str | None
    exemptions: list[ExemptionAnswer]


@get(BASE, opt=READ, tags=TAGS, summary="Tax rates")
async def list_tax_rates(
    services: Services, country: CountryOf = None, on: DayOf = None
) -> TaxRateList:
    """List rates, of a country and on a day where they are named."""
    day = None if on is None else _day(on)
    async with services.db.transaction(STAFF) as conn:
        found = await service.list_rates(conn, country and country.upper(), day)
    return TaxRateList([rate_answer(one) for one in found], len(found))


@post(BASE, opt=FINANCE, tags=TAGS, summary="Add a tax rate")
async def add_tax_rate(data: TaxRateBody, services: Services) -> TaxRateAnswer:
    """Let a rate be known; the one that the tax had until then ends on its first day."""
    new = new_rate(data, data.source, data.looked_up_on)
    async with services.db.transaction(WRITER) as conn:
        return rate_answer(await service.add_rate(conn, new, services.clock()))


@post(f"{BASE}/{{tax_rate_id:str}}/end", opt=FINANCE, tags=TAGS, summary="End a tax rate")
async def end_tax_rate(tax_rate_id: str, data: EndBody, services: Services) -> TaxRateAnswer:
    """Say when a rate ends; that is said once."""
    wanted = ids.parse("tax_rate", tax_rate_id)
    async with services.db.transaction(WRITER) as conn:
        return rate_answer(await service.end_rate(conn, wanted, data.valid_until))


@get(f"{OF_ACCOUNT}/taxes", opt=READ, tags=TAGS, summary="Taxes of an account")
async def read_account_taxes(account_id: str, services: Services) -> AccountTaxes:
    """Show what an account would be taxed with today, why, and its exemptions."""
    wanted = ids.parse("account", account_id)
    async with services.db.transaction(STAFF) as conn:
        account = await accounts.get_account(conn, wanted)
        now = await account_now(conn, wanted, services.clock())
        return account_taxes(await taxes_today(conn, account, now))


@post(f"{OF_ACCOUNT}/tax-exemptions", opt=FINANCE, tags=TAGS, summary="Exempt an account")
async def add_exemption(
    account_id: str, data: ExemptionBody, services: Services
) -> ExemptionAnswer:
    """Free an account from taxes, with the reason that its invoices print."""
    wanted = ids.parse("account", account_id)
    told = msgspec.structs.asdict(data)
    new = NewExemption(**told | {"country": _upper(data.country), "region": _upper(data.region)})
    async with services.db.transaction(WRITER) as conn:
        await accounts.get_account(conn, wanted)
        return exemption_answer(await service.add_exemption(conn, wanted, new, services.clock()))


@post(
    f"{OF_ACCOUNT}/tax-exemptions/{{tax_exemption_id:str}}/end",
    opt=FINANCE,
    tags=TAGS,
    summary="End an exemption",
)
async def end_exemption(
    account_id: str, tax_exemption_id: str, data: EndBody, services: Services
) -> ExemptionAnswer:
    """Say when an exemption ends; that is said once."""
    account, wanted = ids.parse("account", account_id), ids.parse("tax_exemption", tax_exemption_id)
    async with services.db.transaction(WRITER) as conn:
        return exemption_answer(
            await service.end_exemption(conn, account, wanted, data.valid_until)
        )


def new_rate(told: TaxRateFields, source: str, looked_up_on: date) -> NewTaxRate:
    """Return what a body, or a part of a file, says; raises BadInput for its percent."""
    if not _PERCENT.fullmatch(told.percent):
        message = 'must be a string such as "19" or "8.25"'
        raise BadInput.field("percent", "not_a_decimal_string", message)
    known = {name: getattr(told, name) for name in TaxRateFields.__struct_fields__}
    known |= {"country": told.country.upper(), "region": _upper(told.region)}
    known["percent"] = Decimal(told.percent)
    return NewTaxRate(**known, source=source, looked_up_on=looked_up_on)


def rate_answer(one: TaxRate) -> TaxRateAnswer:
    """Show a rate."""
    told = {name: getattr(one, name) for name in NewTaxRate.__struct_fields__}
    told["percent"] = plain(one.percent)
    return TaxRateAnswer(**told, id=ids.show("tax_rate", one.tax_rate_id), created=one.created_at)


def exemption_answer(one: Exemption) -> ExemptionAnswer:
    """Show an exemption."""
    told = {name: getattr(one, name) for name in NewExemption.__struct_fields__}
    shown = ids.show("tax_exemption", one.tax_exemption_id)
    return ExemptionAnswer(**told, id=shown, created=one.created_at)


def account_taxes(found: TaxesToday) -> AccountTaxes:
    """Show an account's taxes."""
    return AccountTaxes(
        country=found.buyer.country,
        region=found.buyer.region,
        tax_number=found.tax_number,
        tax_number_outcome=found.number_check.outcome if found.number_check else None,
        tax_number_checked_at=found.number_check.checked_at if found.number_check else None,
        taxes=[
            AppliedAnswer(
                name=tax.name,
                percent=plain(tax.percent),
                category=tax.category,
                reason=tax.reason,
                inclusive=tax.inclusive,
            )
            for tax in found.taxes
        ],
        problem=found.problem,
        exemptions=[exemption_answer(one) for one in found.exemptions],
    )


def _upper(code: str | None) -> str | None:
    return code.upper() if code is not None and code.isascii() else code


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise BadInput.field("on", "invalid_time", "must be a day such as 2026-03-01") from error


ROUTES: Final = (
    list_tax_rates,
    add_tax_rate,
    end_tax_rate,
    read_account_taxes,
    add_exemption,
    end_exemption,
)
