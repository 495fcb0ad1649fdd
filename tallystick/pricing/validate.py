"""Prices are checked once, when they are created; what is stored is then trusted.

`read_price` takes what was sent (JSON already decoded to dicts), `validate` takes a struct.
"""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, assert_never

import msgspec

from tallystick.kernel.errors import BadInput, FieldError
from tallystick.money.currency import currency
from tallystick.money.errors import UnknownCurrency
from tallystick.pricing import flat, graduated, per_unit
from tallystick.pricing.bounds import price_problems, quantity_problems
from tallystick.pricing.model import FlatPrice, GraduatedPrice, PerUnitPrice, Price

_NUMBER = re.compile(r"-?[0-9]{1,64}(\.[0-9]{1,64})?([eE][-+]?[0-9]{1,2})?")
_MISSING = re.compile(r"(missing required|contains unknown) field `(?P<name>[^`]+)`")
_PATH = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")


def read_price(data: object) -> Price:
    """Return the price that this JSON object describes, checked.

    Every Decimal must come as a string: a JSON number may have been a float on its way, and 0.1
    as a float is 0.1000000000000000055.

    Raises BadInput naming every field that can not be taken, such as `tiers[1].up_to`.
    """
    try:
        price = msgspec.convert(data, Price)
    except msgspec.ValidationError as error:
        raise _as_bad_input(str(error)) from error
    _raise_any(list(_not_texts(data, price, "")))
    return validate(price)


def validate(price: Price) -> Price:
    """Return the price with its currency in upper case, if all its figures can be rated.

    Raises BadInput naming every field that can not be taken.
    """
    found = list(_common_problems(price))
    found.extend(_model_problems(price))
    _raise_any(found)
    return msgspec.structs.replace(price, currency=currency(price.currency).code)


def _common_problems(price: Price) -> Iterator[FieldError]:
    try:
        currency(price.currency)
    except UnknownCurrency as error:
        yield FieldError("currency", error.code, error.detail)
    yield from quantity_problems("included", price.included)
    if price.minimum is not None:
        yield from price_problems("minimum", price.minimum)


def _model_problems(price: Price) -> Iterator[FieldError]:
    match price:
        case FlatPrice():
            return flat.problems(price)
        case PerUnitPrice():
            return per_unit.problems(price)
        case GraduatedPrice():
            return graduated.problems(price)
        case _:
            assert_never(price)


def _not_texts(data: Any, value: object, path: str) -> Iterator[FieldError]:
    """Yield each place where a Decimal was read from anything but a plain decimal string."""
    if isinstance(value, Decimal):
        if not (isinstance(data, str) and _NUMBER.fullmatch(data)):
            yield FieldError(path, "not_a_decimal_string", 'must be a string such as "0.02".')
    elif isinstance(value, tuple):
        for at, item in enumerate(value):
            yield from _not_texts(data[at], item, f"{path}[{at}]")
    elif isinstance(value, msgspec.Struct) and isinstance(data, Mapping):
        for name in value.__struct_fields__:
            if name in data:
                inner = f"{path}.{name}" if path else name
                yield from _not_texts(data[name], getattr(value, name), inner)


def _as_bad_input(message: str) -> BadInput:
    """Turn msgspec's sentence ("Expected ... - at `$.tiers[0].unit`") into ours."""
    place = _PATH.search(message)
    path = place["path"] if place else ""
    named = _MISSING.search(message)
    if named:
        path = f"{path}.{named['name']}" if path else named["name"]
    return BadInput.field(path or "price", "malformed", _PATH.sub("", message) + ".")


def _raise_any(found: list[FieldError]) -> None:
    if found:
        first = found[0]
        raise BadInput("validation_failed", f"{first.field}: {first.message}", errors=found)
