"""Prices are checked once, when they are created; what is stored is then trusted.

`read_price` takes what was sent (JSON already decoded to dicts), `validate` takes a struct.
"""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, assert_never

import msgspec
from msgspec.structs import fields, replace

from tallystick.kernel.errors import BadInput, FieldError
from tallystick.money.currency import currency
from tallystick.money.errors import UnknownCurrency
from tallystick.pricing import (
    block,
    capacity,
    custom_unit,
    dynamic,
    filters,
    flat,
    graduated,
    graduated_percentage,
    in_advance,
    minimum,
    package,
    per_unit,
    percentage,
    volume,
)
from tallystick.pricing.bounds import quantity_problems
from tallystick.pricing.model import (
    BlockPrice,
    CapacityPrice,
    DynamicPrice,
    FlatPrice,
    GraduatedPercentagePrice,
    GraduatedPrice,
    PackagePrice,
    PercentagePrice,
    PerUnitPrice,
    Price,
    PriceFilter,
    VolumePrice,
)

_NUMBER = re.compile(r"-?[0-9]{1,64}(\.[0-9]{1,64})?([eE][-+]?[0-9]{1,2})?")
TAX_CODE = re.compile(r"[a-z][a-z0-9_]{0,62}")
TAX_CODE_MESSAGE = "must be a-z, 0-9 and _, begin with a letter and have 63 characters at most."
_COUNTS = ("free_events", "up_to_blocks")
_MISSING = re.compile(r"(missing required|contains unknown) field `(?P<name>[^`]+)`")
_PATH = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")


def read_price(data: object, *, exact_numbers: bool = False) -> Price:
    """Return the price that this JSON object describes, checked.

    Every Decimal must come as a string: a JSON number may have been a float on its way, and 0.1
    as a float is 0.1000000000000000055. Only counts (`free_events`, `up_to_blocks`) may be whole
    numbers. With `exact_numbers` (the JSON was decoded without floats) numbers are taken too.

    Raises BadInput naming every field that can not be taken, such as `tiers[1].up_to`.
    """
    whole = _with_whole_filters(data)
    try:
        price = msgspec.convert(whole, Price)
    except msgspec.ValidationError as error:
        raise _as_bad_input(str(error)) from error
    if not exact_numbers:
        _raise_any(list(_not_texts(whole, price, "")))
    return validate(price)


def validate(price: Price) -> Price:
    """Return the price with its currency in upper case, if all its figures can be rated.

    Raises BadInput naming every field that can not be taken.
    """
    _raise_any(list(_problems(price)))
    code = currency(price.currency).code
    return replace(
        price, currency=code, filters=tuple(_in_currency(one, code) for one in price.filters)
    )


def _in_currency(one: PriceFilter, code: str) -> PriceFilter:
    return replace(one, price=replace(one.price, currency=code))


def _with_whole_filters(data: object) -> object:
    """Return the JSON with the price's model and currency in each filter that leaves them out."""
    if not isinstance(data, dict) or not isinstance(data.get("filters"), list | tuple):
        return data
    said = {name: data[name] for name in ("model", "currency") if name in data}
    made = [_whole_filter(f"filters[{at}]", one, said) for at, one in enumerate(data["filters"])]
    return data | {"filters": made}


def _whole_filter(field: str, one: Any, said: Mapping[str, Any]) -> Any:
    if not isinstance(one, dict) or not isinstance(one.get("price"), dict):
        return one
    if one["price"].get("filters"):  # refused here, so that nobody sends a thousand within another
        message = "a filter's price has no filters."
        raise BadInput.field(f"{field}.price.filters", "not_in_filter", message)
    return one | {"price": {**said, **one["price"]}}


def _problems(price: Price) -> Iterator[FieldError]:
    yield from _common_problems(price)
    yield from _model_problems(price)
    for at, one in enumerate(price.filters):
        field = f"filters[{at}].price"
        for fault in (*_included_problems(one.price), *_model_problems(one.price)):
            yield replace(fault, field=f"{field}.{fault.field}")


def _common_problems(price: Price) -> Iterator[FieldError]:
    try:
        currency(price.currency)
    except UnknownCurrency as error:
        yield FieldError("currency", error.code, error.detail)
    yield from _included_problems(price)
    yield from minimum.problems(price)
    yield from filters.group_problems(price.group_by)
    yield from filters.problems(price)
    yield from in_advance.problems(price)
    if price.custom_unit is not None:
        yield from custom_unit.problems(price.custom_unit)
    if price.tax_code is not None and not TAX_CODE.fullmatch(price.tax_code):
        yield FieldError("tax_code", "invalid_code", TAX_CODE_MESSAGE)


def _included_problems(price: Price) -> Iterator[FieldError]:
    return quantity_problems("included", price.included)


def _model_problems(price: Price) -> Iterator[FieldError]:  # noqa: C901, PLR0911 -- one a model
    match price:
        case FlatPrice():
            return flat.problems(price)
        case PerUnitPrice():
            return per_unit.problems(price)
        case PackagePrice():
            return package.problems(price)
        case GraduatedPrice():
            return graduated.problems(price)
        case VolumePrice():
            return volume.problems(price)
        case CapacityPrice():
            return capacity.problems(price)
        case BlockPrice():
            return block.problems(price)
        case PercentagePrice():
            return percentage.problems(price)
        case GraduatedPercentagePrice():
            return graduated_percentage.problems(price)
        case DynamicPrice():
            return dynamic.problems(price)
        case _:
            assert_never(price)


def _not_texts(data: Any, value: object, path: str) -> Iterator[FieldError]:
    """Yield each place where a Decimal was read from anything but a plain decimal string."""
    if isinstance(value, Decimal):
        is_count = type(data) is int and path.endswith(_COUNTS)
        if not is_count and not (isinstance(data, str) and _NUMBER.fullmatch(data)):
            yield FieldError(path, "not_a_decimal_string", 'must be a string such as "0.02".')
    elif isinstance(value, tuple):
        for at, item in enumerate(value):
            yield from _not_texts(data[at], item, f"{path}[{at}]")
    elif isinstance(value, msgspec.Struct) and isinstance(data, Mapping):
        for field in fields(value):
            name = field.encode_name
            if name in data:
                inner = f"{path}.{name}" if path else name
                yield from _not_texts(data[name], getattr(value, field.name), inner)


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
