"""What the terms of a plan must be besides its prices: periods, trial, proration, commitment."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final, get_args

from tallystick.catalog.faults import CODE, CODE_MESSAGE, raise_any
from tallystick.catalog.model import Billing, Interval, PlanTerms, Proration
from tallystick.kernel.errors import FieldError
from tallystick.money.currency import currency
from tallystick.money.errors import UnknownCurrency
from tallystick.pricing.bounds import price_problems

INTERVAL_COUNT_MAX: Final = 120
TRIAL_DAYS_MAX: Final = 3650
INTERVALS: Final = get_args(Interval)
_MONTHS: Final[Mapping[str, int]] = MappingProxyType(
    {"month": 1, "quarter": 3, "half_year": 6, "year": 12}
)
_DAYS: Final[Mapping[str, int]] = MappingProxyType({"day": 1, "week": 7})
_NUMBER: Final = re.compile(r"-?[0-9]{1,64}(\.[0-9]{1,64})?")


def read_amounts(field: str, data: Mapping[str, object]) -> dict[str, Decimal]:
    """Return amounts by currency from JSON, where each is a decimal string in major units.

    Raises BadInput naming every bad one, such as `minimum_commitment.USD`.
    """
    wrong = [
        FieldError(f"{field}.{code}", "not_a_decimal_string", 'must be such as "99.00"')
        for code, text in data.items()
        if not (isinstance(text, str) and _NUMBER.fullmatch(text))
    ]
    raise_any(wrong)
    return {code: Decimal(str(text)) for code, text in data.items()}


def terms_problems(new: PlanTerms) -> Iterator[FieldError]:
    """Yield what is wrong with the terms; meters and features are looked at elsewhere."""
    yield from _interval_problems(new)
    if new.tier is not None and not CODE.fullmatch(new.tier):
        yield FieldError("tier", "invalid_code", CODE_MESSAGE)
    if new.billing not in get_args(Billing):
        yield FieldError("billing", "invalid", "must be in_advance or in_arrears")
    if not 0 <= new.trial_days <= TRIAL_DAYS_MAX:
        yield FieldError("trial_days", "out_of_range", f"must be from 0 to {TRIAL_DAYS_MAX}")
    if new.proration not in get_args(Proration):
        yield FieldError("proration", "invalid", "must be by_day, by_second or none")
    yield from _commitment_problems(new.minimum_commitment)


def usage_periods(terms: PlanTerms) -> int | None:
    """Return how many usage intervals one period has, None when they do not divide it.

    Months divide months, days divide weeks; no number of days divides a month of the calendar.
    """
    every = terms.usage_interval or terms.interval
    for lengths in (_MONTHS, _DAYS):
        if terms.interval in lengths and every in lengths:
            whole = lengths[terms.interval] * terms.interval_count
            return None if whole % lengths[every] else whole // lengths[every]
    return None


def _interval_problems(new: PlanTerms) -> Iterator[FieldError]:
    if new.interval not in INTERVALS:
        yield FieldError("interval", "unknown_interval", f"must be one of {', '.join(INTERVALS)}")
    if not 1 <= new.interval_count <= INTERVAL_COUNT_MAX:
        message = f"must be from 1 to {INTERVAL_COUNT_MAX}"
        yield FieldError("interval_count", "out_of_range", message)
    if new.fixed_months and new.interval in _DAYS:
        yield FieldError("fixed_months", "without_months", "needs an interval of months")
    if new.usage_interval is None:
        return
    if new.usage_interval not in INTERVALS:
        message = f"must be one of {', '.join(INTERVALS)}"
        yield FieldError("usage_interval", "unknown_interval", message)
    elif usage_periods(new) is None:
        message = "must divide the period: months a quarter or a year, days a week"
        yield FieldError("usage_interval", "does_not_divide", message)


def _commitment_problems(given: Mapping[str, Decimal]) -> Iterator[FieldError]:
    counts = Counter(code.upper() for code in given)
    for code, amount in given.items():
        field = f"minimum_commitment.{code}"
        try:
            currency(code)
        except UnknownCurrency as error:
            yield FieldError(field, error.code, error.detail)
        if counts[code.upper()] > 1:
            yield FieldError(field, "repeated", "names a currency that is named before")
        yield from price_problems(field, amount)
