"""Prices for some of the usage: an event belongs to the most specific filter that it matches.

A filter matches when each of its properties has one of its values; a property without values takes
any value that is there. The filter with more properties is the more specific one, then the one
that names values of more of them, then the one that stands first. What no filter matches is rated
by the price itself. Values are compared as text, as a meter's filters and groups are.
"""

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Final

from msgspec.structs import fields, replace

from tallystick.kernel.errors import FieldError
from tallystick.pricing.model import BasePrice, FlatPrice, Price, PriceFilter

FILTERS_MAX: Final = 100
PROPERTIES_MAX: Final = 10
VALUES_MAX: Final = 200
TEXT_LENGTH_MAX: Final = 255
_OWN: Final = ("currency", "included")  # of what all prices have, a filter's price has these
_WHOLE: Final = tuple(one for one in fields(BasePrice) if one.name not in _OWN)


def filter_of(price: Price, properties: Mapping[str, str | None]) -> PriceFilter | None:
    """Return the filter that usage with these properties belongs to; None: to none."""
    matching = (one for one in price.filters if _matches(one, properties))
    return max(matching, key=_specificity, default=None)


def price_for(price: Price, properties: Mapping[str, str | None]) -> Price:
    """Return what rates usage with these properties, without filters and bounds of the period."""
    return price_of(price, filter_of(price, properties))


def price_of(price: Price, chosen: PriceFilter | None) -> Price:
    """Return what rates the usage of this filter, or of none: in the price's custom unit."""
    if chosen is None:
        return replace(price, filters=(), minimum=None, maximum=None)
    return replace(chosen.price, custom_unit=price.custom_unit)


def filter_properties(price: Price) -> tuple[str, ...]:
    """Return the event properties by which the filters tell usage apart, each once."""
    return tuple(dict.fromkeys(name for one in price.filters for name in one.values))


def group_problems(group_by: tuple[str, ...]) -> Iterator[FieldError]:
    """Yield what is wrong with the properties by which lines are kept apart."""
    if len(group_by) > PROPERTIES_MAX:
        yield FieldError("group_by", "too_many", f"may be {PROPERTIES_MAX} at most.")
    for at, name in enumerate(group_by):
        yield from _name_problems(f"group_by[{at}]", name)
        if name in group_by[:at]:
            yield FieldError(f"group_by[{at}]", "repeated", "stands there already.")


def problems(price: Price) -> Iterator[FieldError]:
    """Yield what is wrong with the filters, apart from the figures of their prices."""
    if isinstance(price, FlatPrice):
        for name in ("filters", "group_by"):
            if getattr(price, name):
                yield FieldError(name, "without_usage", "a flat price has no usage to tell apart.")
        return
    if len(price.filters) > FILTERS_MAX:
        yield FieldError("filters", "too_many", f"may be {FILTERS_MAX} at most.")
        return
    for at, one in enumerate(price.filters):
        yield from _values_problems(f"filters[{at}].values", one)
        yield from _price_problems(f"filters[{at}].price", one.price, price)
    for (_, one), (at, other) in combinations(enumerate(price.filters), 2):
        if _collide(one, other):
            message = "takes usage that a filter before it takes, and neither is more specific."
            yield FieldError(f"filters[{at}].values", "filters_overlap", message)


def _matches(one: PriceFilter, properties: Mapping[str, str | None]) -> bool:
    for name, values in one.values.items():
        value = properties.get(name)
        if value is None or (values and value not in values):
            return False
    return True


def _specificity(one: PriceFilter) -> tuple[int, int]:
    return len(one.values), sum(bool(values) for values in one.values.values())


def _collide(one: PriceFilter, other: PriceFilter) -> bool:
    """Tell whether two filters over the same properties, as specific, take the same usage."""
    if one.values.keys() != other.values.keys():
        return False
    return all(
        bool(set(values) & set(other.values[name])) if values else not other.values[name]
        for name, values in one.values.items()
    )


def _values_problems(field: str, one: PriceFilter) -> Iterator[FieldError]:
    if not 1 <= len(one.values) <= PROPERTIES_MAX:
        yield FieldError(field, "out_of_range", f"must be 1 to {PROPERTIES_MAX} properties.")
    for name, values in one.values.items():
        place = f"{field}.{name}"
        yield from _name_problems(place, name)
        if len(values) > VALUES_MAX:
            yield FieldError(place, "too_many", f"may be {VALUES_MAX} at most.")
        if len({*values}) < len(values):
            yield FieldError(place, "repeated", "names a value twice.")
        if any(len(value) > TEXT_LENGTH_MAX or "\0" in value for value in values):
            message = f"a value has {TEXT_LENGTH_MAX} characters at most, and no NUL."
            yield FieldError(place, "value_too_long", message)


def _price_problems(field: str, part: Price, whole: Price) -> Iterator[FieldError]:
    if type(part) is not type(whole):
        yield FieldError(f"{field}.model", "model_differs", "must be the model of the price.")
    if part.currency.upper() != whole.currency.upper():
        message = "must be the currency of the price, or left out."
        yield FieldError(f"{field}.currency", "currency_differs", message)
    for one in _WHOLE:
        if getattr(part, one.name) != one.default:
            message = "is said of the whole price, not of a filter's."
            yield FieldError(f"{field}.{one.encode_name}", "not_in_filter", message)


def _name_problems(field: str, name: str) -> Iterator[FieldError]:
    if not (name.strip() and len(name) <= TEXT_LENGTH_MAX and name.isprintable()):
        message = f"must have 1 to {TEXT_LENGTH_MAX} characters that can be printed."
        yield FieldError(field, "invalid_text", message)
