"""What a rate and an exemption must be; all faults are told at once. Pure."""

import re
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Final, get_args

from tallystick.accounts.checks import COUNTRY_RULE, REGION_RULE, is_country
from tallystick.catalog.faults import NAME_LENGTH_MAX, text_problems
from tallystick.documents.document import TaxCategory
from tallystick.kernel.errors import FieldError
from tallystick.pricing.validate import TAX_CODE, TAX_CODE_MESSAGE
from tallystick.taxes.model import NewExemption, NewTaxRate

SOURCE_LENGTH_MAX: Final = 500
PERCENT_DECIMALS_MAX: Final = 6
_PERCENT_MAX: Final = Decimal(100)
_REGION: Final = re.compile(r"[A-Z0-9]{1,3}")
_FIRST: Final = date(1900, 1, 1)
_LAST: Final = date(2199, 12, 31)


def rate_problems(new: NewTaxRate) -> Iterator[FieldError]:
    """Yield what keeps a rate from being known."""
    yield from _place_problems(new.country, new.region)
    if not TAX_CODE.fullmatch(new.tax_code):
        yield FieldError("tax_code", "invalid_code", TAX_CODE_MESSAGE)
    yield from text_problems("name", new.name, NAME_LENGTH_MAX)
    yield from _percent_problems(new)
    yield from text_problems("source", new.source, SOURCE_LENGTH_MAX)
    if new.replaces_national and new.region is None:
        yield FieldError("replaces_national", "invalid", "is only said of a region's rate")
    yield from _day_problems("looked_up_on", new.looked_up_on)
    yield from _span_problems(new.valid_from, new.valid_until)


def exemption_problems(new: NewExemption) -> Iterator[FieldError]:
    """Yield what keeps an exemption from being given."""
    yield from text_problems("reason", new.reason, NAME_LENGTH_MAX)
    if new.certificate is not None:
        yield from text_problems("certificate", new.certificate, NAME_LENGTH_MAX)
    if new.country is not None:
        yield from _place_problems(new.country, new.region)
    elif new.region is not None:
        yield FieldError("region", "incomplete", "needs its country")
    yield from _span_problems(new.valid_from, new.valid_until)


def _place_problems(country: str, region: str | None) -> Iterator[FieldError]:
    if not is_country(country):
        yield FieldError(*COUNTRY_RULE)
    if region is not None and not _REGION.fullmatch(region):
        yield FieldError(*REGION_RULE)


def _percent_problems(new: NewTaxRate) -> Iterator[FieldError]:
    percent = new.percent
    if not (percent.is_finite() and 0 <= percent <= _PERCENT_MAX):
        yield FieldError("percent", "out_of_range", "must be 0 to 100")
    elif -int(percent.as_tuple().exponent) > PERCENT_DECIMALS_MAX:
        message = f"may have {PERCENT_DECIMALS_MAX} decimals"
        yield FieldError("percent", "too_many_decimals", message)
    elif new.category not in get_args(TaxCategory):
        yield FieldError("category", "invalid", "must be S, Z, E, AE, K, G or O")
    elif (new.category == "S") != (percent > 0):
        yield FieldError("category", "invalid", "S has a percent above 0, every other one has 0")
    elif new.category in {"S", "Z"} and new.reason is not None:
        yield FieldError("reason", "unexpected", "is only said where nothing is charged")
    elif new.category not in {"S", "Z"} and new.reason is None:
        yield FieldError("reason", "missing", "must say why nothing is charged")
    if new.reason is not None:
        yield from text_problems("reason", new.reason, NAME_LENGTH_MAX)


def _span_problems(start: date, until: date | None) -> Iterator[FieldError]:
    yield from _day_problems("valid_from", start)
    if until is not None:
        yield from _day_problems("valid_until", until)
        if until < start:
            yield FieldError("valid_until", "ends_before_start", "must not be before valid_from")


def _day_problems(field: str, day: date) -> Iterator[FieldError]:
    if not _FIRST <= day <= _LAST:
        yield FieldError(field, "out_of_range", "must be in the years 1900 to 2199")
