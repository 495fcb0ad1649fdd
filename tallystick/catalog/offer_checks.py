"""What add-ons and coupons must be; all faults are told at once."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final, get_args

from msgspec.structs import replace

from tallystick.catalog.faults import CODE, CODE_MESSAGE, NAME_LENGTH_MAX, raise_any, text_problems
from tallystick.catalog.feature_checks import feature_problems, normal_values
from tallystick.catalog.feature_model import Feature
from tallystick.catalog.offer_model import Charge, Duration, NewAddOn, NewCoupon
from tallystick.kernel.errors import FieldError
from tallystick.money.currency import currency
from tallystick.money.errors import UnknownCurrency
from tallystick.money.exact import canonical
from tallystick.money.rounding import round_decimal
from tallystick.pricing.bounds import price_problems

PERIODS_MAX: Final = 120
SCOPE_MAX: Final = 100
REDEMPTIONS_MAX: Final = 2**31 - 1
CURRENCIES_MAX: Final = 30
COUPON_CODE: Final = re.compile(r"[A-Z0-9][A-Z0-9_-]{0,62}")
_COUPON_MESSAGE: Final = "must be 1 to 63 letters, digits, _ and -, not _ or - first"
_HUNDRED: Final = Decimal(100)


def check_add_on(new: NewAddOn, features: Mapping[str, Feature]) -> NewAddOn:
    """Return the add-on in its kept form, or raise BadInput naming every bad field."""
    raise_any([*_add_on_problems(new), *feature_problems(new.features, features)])
    return replace(
        new, amounts=_normal(new.amounts), features=normal_values(new.features, features)
    )


def check_coupon(new: NewCoupon) -> NewCoupon:
    """Return the coupon in its kept form, its code in upper case, or raise BadInput."""
    shouted = replace(new, code=new.code.upper())
    raise_any(list(_coupon_problems(shouted)))
    return replace(
        shouted,
        percent=None if new.percent is None else canonical(new.percent),
        amounts=None if new.amounts is None else _normal(new.amounts),
    )


def _add_on_problems(new: NewAddOn) -> Iterator[FieldError]:
    if not CODE.fullmatch(new.code):
        yield FieldError("code", "invalid_code", CODE_MESSAGE)
    yield from text_problems("name", new.name, NAME_LENGTH_MAX)
    if new.charge not in get_args(Charge):
        yield FieldError("charge", "invalid", "must be once or per_period")
    yield from _amount_problems(new.amounts)


def _coupon_problems(new: NewCoupon) -> Iterator[FieldError]:
    if not COUPON_CODE.fullmatch(new.code):
        yield FieldError("code", "invalid_code", _COUPON_MESSAGE)
    yield from text_problems("name", new.name, NAME_LENGTH_MAX)
    yield from _worth_problems(new)
    if new.duration not in get_args(Duration):
        yield FieldError("duration", "invalid", "must be once, periods or forever")
    if (new.duration == "periods") != (new.periods is not None):
        yield FieldError("periods", "invalid", "goes with the duration periods, and only so")
    elif new.periods is not None and not 1 <= new.periods <= PERIODS_MAX:
        yield FieldError("periods", "out_of_range", f"must be from 1 to {PERIODS_MAX}")
    for field in ("plans", "prices", "meters"):
        yield from _scope_problems(field, getattr(new, field))
    for field in ("redemptions_max", "redemptions_per_account_max"):
        limit = getattr(new, field)
        if limit is not None and not 1 <= limit <= REDEMPTIONS_MAX:
            yield FieldError(field, "out_of_range", "must be 1 or more")
    if new.valid_from and new.valid_until and new.valid_until <= new.valid_from:
        yield FieldError("valid_until", "ends_before_start", "must be after valid_from")


def _worth_problems(new: NewCoupon) -> Iterator[FieldError]:
    if (new.percent is None) == (new.amounts is None):
        yield FieldError("percent", "percent_or_amounts", "give a percent or amounts, one of them")
    if new.amounts is not None:
        yield from _amount_problems(new.amounts)
        for code, amount in new.amounts.items():
            if amount == 0:
                yield FieldError(f"amounts.{code}", "out_of_range", "must be above 0")
    if new.percent is not None:
        faults = list(price_problems("percent", new.percent))
        yield from faults
        if not faults and not 0 < new.percent <= _HUNDRED:
            yield FieldError("percent", "out_of_range", "must be above 0, up to 100")


def _amount_problems(amounts: Mapping[str, Decimal]) -> Iterator[FieldError]:
    if not 1 <= len(amounts) <= CURRENCIES_MAX:
        message = f"must be of 1 to {CURRENCIES_MAX} currencies"
        yield FieldError("amounts", "out_of_range", message)
    counts = Counter(code.upper() for code in amounts)
    for code, amount in amounts.items():
        field = f"amounts.{code}"
        if counts[code.upper()] > 1:
            yield FieldError(field, "repeated", "names a currency that is named before")
        faults = list(price_problems(field, amount))
        yield from faults
        try:
            known = currency(code)
        except UnknownCurrency as error:
            yield FieldError(field, error.code, error.detail)
        else:
            if not faults and amount != round_decimal(amount, code).to_decimal():
                message = f"may have {known.exponent} decimals: it stands on an invoice"
                yield FieldError(field, "too_many_decimals", message)


def _scope_problems(field: str, codes: Sequence[str]) -> Iterator[FieldError]:
    if len(codes) > SCOPE_MAX:
        yield FieldError(field, "too_many", f"may be {SCOPE_MAX} at most")
    for at, code in enumerate(codes):
        if not CODE.fullmatch(code):
            yield FieldError(f"{field}[{at}]", "invalid_code", CODE_MESSAGE)
    if len(set(codes)) < len(codes):
        yield FieldError(field, "repeated", "names a code twice")


def _normal(amounts: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {currency(code).code: canonical(amount) for code, amount in sorted(amounts.items())}
