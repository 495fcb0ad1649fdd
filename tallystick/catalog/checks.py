"""What a version of a plan must be; all faults are told at once."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Final, get_args

import msgspec

from tallystick.catalog.currencies import currency_problems
from tallystick.catalog.faults import (
    CODE,
    CODE_MESSAGE,
    NAME_LENGTH_MAX,
    raise_any,
    text_problems,
    under,
)
from tallystick.catalog.feature_checks import feature_problems, normal_values
from tallystick.catalog.feature_model import Feature
from tallystick.catalog.limits import limit_problems
from tallystick.catalog.model import Billing, NewPlanVersion, PlanCredits, Rollover
from tallystick.catalog.plan_terms import terms_problems
from tallystick.kernel.errors import BadInput, FieldError
from tallystick.money.currency import currency
from tallystick.money.errors import UnknownCurrency
from tallystick.pricing.model import FlatPrice, Price
from tallystick.pricing.validate import read_price, validate

PRICES_MAX: Final = 100
CREDITS_MAX: Final = 10**12
CREDIT_DECIMALS_MAX: Final = 5
PERIODS_MAX: Final = 120


def read_prices(
    data: Sequence[object], *, currency: str, billing: Billing = "in_arrears"
) -> tuple[Price, ...]:
    """Return the prices that these JSON objects describe, each in `currency` unless it names one.

    A flat price that does not say when it is billed is billed as `billing` says. Raises BadInput
    naming every bad field of every bad price, such as `prices[0].unit`.
    """
    read, wrong = [], list[FieldError]()
    for at, item in enumerate(data):
        try:
            read.append(read_price(_with_plans(item, currency, billing)))
        except BadInput as error:
            wrong.extend(under(f"prices[{at}]", error.errors))
    raise_any(wrong)
    return tuple(read)


def check_plan_version(
    new: NewPlanVersion,
    meter_codes: Collection[str],
    features: Mapping[str, Feature] = MappingProxyType({}),
) -> NewPlanVersion:
    """Return the version with its currency in upper case, if everything in it can be billed.

    `meter_codes` are the meters that exist, `features` the features by code. Raises BadInput
    naming every field that can not be taken, such as `prices[1].meter` or `limits.api_calls`.
    """
    raise_any(
        [
            *_plan_problems(new),
            *terms_problems(new),
            *_price_problems(new, meter_codes),
            *currency_problems(new),
            *limit_problems(new.limits, meter_codes),
            *_credit_problems(new.credits),
            *feature_problems(new.features, features),
        ]
    )
    return msgspec.structs.replace(
        new,
        currency=currency(new.currency).code,
        prices=tuple(validate(price) for price in new.prices),
        minimum_commitment={
            currency(code).code: amount for code, amount in new.minimum_commitment.items()
        },
        features=normal_values(new.features, features),
    )


def mentioned_meters(new: NewPlanVersion) -> set[str]:
    """Return the code of every meter that a price or a limit names."""
    return {price.meter for price in new.prices if price.meter is not None} | set(new.limits)


def _plan_problems(new: NewPlanVersion) -> Iterator[FieldError]:
    if not CODE.fullmatch(new.plan_code):
        yield FieldError("plan_code", "invalid_code", CODE_MESSAGE)
    yield from text_problems("plan_name", new.plan_name, NAME_LENGTH_MAX)
    try:
        currency(new.currency)
    except UnknownCurrency as error:
        yield FieldError("currency", error.code, error.detail)
    if len(new.prices) > PRICES_MAX:
        yield FieldError("prices", "too_many", f"may be {PRICES_MAX} at most")


def _price_problems(new: NewPlanVersion, meter_codes: Collection[str]) -> Iterator[FieldError]:
    code_counts = Counter((price.currency.upper(), price.code) for price in new.prices)
    meter_counts = Counter((price.currency.upper(), price.meter) for price in new.prices)
    for at, price in enumerate(new.prices):
        field = f"prices[{at}]"
        if not CODE.fullmatch(price.code):
            yield FieldError(f"{field}.code", "invalid_code", CODE_MESSAGE)
        elif code_counts[price.currency.upper(), price.code] > 1:
            message = "must be unique in the version, once for each currency"
            yield FieldError(f"{field}.code", "code_repeated", message)
        yield from _figure_problems(field, price)
        yield from _metering_problems(field, price, meter_codes)
        if price.meter is not None and meter_counts[price.currency.upper(), price.meter] > 1:
            message = "has another price already; usage would be billed twice"
            yield FieldError(f"{field}.meter", "meter_repeated", message)


def _figure_problems(field: str, price: Price) -> Iterator[FieldError]:
    try:
        validate(price)
    except BadInput as error:
        yield from under(field, error.errors)


def _metering_problems(
    field: str, price: Price, meter_codes: Collection[str]
) -> Iterator[FieldError]:
    if isinstance(price, FlatPrice):
        if price.meter is not None:
            message = "a flat price does not depend on usage; leave the meter out"
            yield FieldError(f"{field}.meter", "meter_of_flat", message)
        return
    if price.meter is None:
        yield FieldError(f"{field}.meter", "missing", "say which meter counts the units")
    elif price.meter not in meter_codes:
        yield FieldError(f"{field}.meter", "meter_not_found", "there is no such meter")


def _credit_problems(given: PlanCredits | None) -> Iterator[FieldError]:
    if given is None:
        return
    figures = {"amount": given.amount, "rollover_max": given.rollover_max}
    for name, value in figures.items():
        if value is not None and not _is_credits(value):
            message = f"must be above 0, up to {CREDITS_MAX}, with {CREDIT_DECIMALS_MAX} decimals"
            yield FieldError(f"credits.{name}", "out_of_range", message)
    if (given.rollover == "up_to") != (given.rollover_max is not None):
        yield FieldError("credits.rollover_max", "invalid", "goes with rollover up_to, and only so")
    if given.rollover not in get_args(Rollover):
        yield FieldError("credits.rollover", "invalid", "must be none, all or up_to")
    periods = given.rollover_periods
    if periods is not None and (given.rollover == "none" or not 1 <= periods <= PERIODS_MAX):
        message = f"must be from 1 to {PERIODS_MAX}, and only with a rollover"
        yield FieldError("credits.rollover_periods", "out_of_range", message)


def _is_credits(value: Decimal) -> bool:
    if not value.is_finite() or not 0 < value <= CREDITS_MAX:
        return False
    exponent = value.normalize().as_tuple().exponent
    return isinstance(exponent, int) and -exponent <= CREDIT_DECIMALS_MAX


def _with_plans(data: object, currency: str, billing: Billing) -> object:
    """Return the price as JSON, with the plan's currency and, where it is flat, its `billing`."""
    if not isinstance(data, dict):
        return data
    if data.get("model") == "flat":
        return {"currency": currency, "billing": billing, **data}
    return {"currency": currency, **data}
