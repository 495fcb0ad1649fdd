"""Limits of plans: read from JSON, checked, and brought into one form."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, get_args

from tallystick.catalog.model import Limit, LimitKind, LimitPeriod, Limits
from tallystick.kernel.errors import BadInput, FieldError
from tallystick.pricing.bounds import quantity_problems

LIMITS_MAX: Final = 100
_NUMBER: Final = re.compile(r"-?[0-9]{1,64}(\.[0-9]{1,64})?")
_NOT_A_DECIMAL: Final = 'must be a string such as "1000".'
_PERIODS: Final = get_args(LimitPeriod)
_KINDS: Final = get_args(LimitKind)


def read_limits(data: Mapping[str, object]) -> dict[str, Decimal | tuple[Limit, ...]]:
    """Return limits by meter code from JSON.

    A decimal string is a soft limit per billing period; else one object {limit, per, kind}, or a
    list of them. Raises BadInput naming every bad field, such as `limits.api_calls[1].per`.
    """
    wrong: list[FieldError] = []
    found = {code: _read(f"limits.{code}", value, wrong) for code, value in data.items()}
    if wrong:
        detail = "; ".join(f"{fault.field}: {fault.message}" for fault in wrong)
        raise BadInput("validation_failed", detail, errors=wrong)
    return found


def all_limits(limits: Limits) -> dict[str, tuple[Limit, ...]]:
    """Return the limits of each meter, the short form written out."""
    return {
        code: (Limit(limit=terms),) if isinstance(terms, Decimal) else terms
        for code, terms in limits.items()
    }


def limit_problems(limits: Limits, meter_codes: Collection[str]) -> Iterator[FieldError]:
    """Yield what forbids these limits; `meter_codes` are the meters that exist."""
    if len(limits) > LIMITS_MAX:
        yield FieldError("limits", "too_many", f"may be {LIMITS_MAX} at most")
    for code, terms in limits.items():
        field = f"limits.{code}"
        if code not in meter_codes:
            yield FieldError(field, "meter_not_found", "there is no such meter")
        if isinstance(terms, Decimal):
            yield from quantity_problems(field, terms)
        else:
            yield from _terms_problems(field, terms)


def _terms_problems(field: str, terms: Sequence[Limit]) -> Iterator[FieldError]:
    if not terms:
        yield FieldError(field, "missing", "say what the limit is, or leave the meter out")
    if len({one.per for one in terms}) < len(terms):
        yield FieldError(field, "limit_repeated", "may have one limit per period, day and minute")
    for at, one in enumerate(terms):
        yield from quantity_problems(f"{field}[{at}].limit", one.limit)


def _read(field: str, value: object, wrong: list[FieldError]) -> Decimal | tuple[Limit, ...]:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return Decimal(value)
    if isinstance(value, dict):
        return (_read_one(field, value, wrong),)
    if isinstance(value, list):
        return tuple(_read_one(f"{field}[{at}]", one, wrong) for at, one in enumerate(value))
    wrong.append(FieldError(field, "not_a_decimal_string", _NOT_A_DECIMAL))
    return Decimal(0)


def _read_one(field: str, value: object, wrong: list[FieldError]) -> Limit:
    if not isinstance(value, dict):
        wrong.append(FieldError(field, "invalid", "must be an object with limit, per and kind"))
        return Limit(limit=Decimal(0))
    faults = list(_faults(field, value))
    wrong.extend(faults)
    return (
        Limit(limit=Decimal(0)) if faults else Limit(**value | {"limit": Decimal(value["limit"])})
    )


def _faults(field: str, value: Mapping[str, Any]) -> Iterator[FieldError]:
    amount = value.get("limit")
    if not (isinstance(amount, str) and _NUMBER.fullmatch(amount)):
        yield FieldError(f"{field}.limit", "not_a_decimal_string", _NOT_A_DECIMAL)
    if value.get("per", "period") not in _PERIODS:
        yield FieldError(f"{field}.per", "invalid", "must be period, day or minute")
    if value.get("kind", "soft") not in _KINDS:
        yield FieldError(f"{field}.kind", "invalid", "must be hard or soft")
    for name in value.keys() - {"limit", "per", "kind"}:
        yield FieldError(f"{field}.{name}", "unknown_field", "is not a field of a limit")
