"""What one event is for a meter: the rules by which the database counts it, in Python.

An event that gives a meter no value counts nothing for it; a new one is refused for it, with what
`value_faults` says. `usage_number`, `usage_text` and `usage_matches` in the schema say the same,
and a property test holds the two together.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from tallystick.catalog.expression import (
    DECIMALS,
    NoValue,
    Program,
    evaluate,
    properties_of,
    round_half_away_decimal,
)
from tallystick.catalog.meter_checks import VALUE_LENGTH_MAX
from tallystick.catalog.model import Meter, MeterFilter
from tallystick.metering.numbers import QUANTITY_END, Fault, plain_text, quantity_fault

ONE: Final = Decimal(1)
OPERATION: Final = "operation_type"
"""The property that, as `remove`, takes a unique value out again."""
_MISSING: Final = ("missing", "is what this meter counts once each; send a text or a number")
_LONG: Final = ("value_too_long", f"may have {VALUE_LENGTH_MAX} characters at most")


class _Unreadable(Exception):
    def __init__(self, name: str, fault: Fault) -> None:
        self.found = (name, fault)


def is_plain_sum(meter: Meter) -> bool:
    """Return whether all that matters of an event is that one property is no bad quantity."""
    return (
        meter.aggregation == "sum"
        and meter.property is not None
        and not (meter.allow_negative or meter.filters or meter.group_by)
    )


def needs_checks(meter: Meter) -> bool:
    """Return whether an event must be held against `value_faults` for this meter."""
    counts_all = meter.aggregation == "count" and not meter.group_by
    return not (counts_all or is_plain_sum(meter))


def value_faults(meter: Meter, properties: Mapping[str, Any]) -> Iterator[tuple[str, Fault]]:
    """Yield why an event has no value for a meter, each with the property it lies in.

    The property is empty when several are the cause: `divides_by_zero`, or a result that is
    `negative_quantity` or `too_large`. Nothing of an event that the meter's filters leave out.
    """
    if not matches(meter.filters, properties):
        return
    for name in meter.group_by:
        if len(text_of(properties.get(name)) or "") > VALUE_LENGTH_MAX:
            yield name, _LONG
    if meter.aggregation == "unique_count":
        yield from _unique_faults(meter.property or "", properties)
    elif meter.program is not None:
        yield from _computed_faults(meter.program, properties, signed=meter.allow_negative)
    elif meter.property is not None:
        fault = quantity_fault(properties.get(meter.property), signed=meter.allow_negative)
        if fault is not None:
            yield meter.property, fault


def number_of(meter: Meter, properties: Mapping[str, Any]) -> Decimal | None:
    """Return what an event counts for a meter that is no unique count; None: nothing."""
    if not matches(meter.filters, properties):
        return None
    if meter.aggregation == "count":
        return ONE
    if meter.program is not None:
        try:
            return _computed(meter.program, properties, signed=meter.allow_negative)
        except _Unreadable:
            return None
    value: Any = properties.get(meter.property or "")
    if quantity_fault(value, signed=meter.allow_negative) is not None:
        return None
    return Decimal(plain_text(value))


def matches(filters: tuple[MeterFilter, ...], properties: Mapping[str, Any]) -> bool:
    """Return whether an event passes all filters."""
    return all(_passes(one, text_of(properties.get(one.property))) for one in filters)


def text_of(value: Any) -> str | None:
    """Return a property as text; None when it is absent, null, a list or an object."""
    if value is None or isinstance(value, list | dict):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return plain_text(value)


def _passes(one: MeterFilter, text: str | None) -> bool:
    match one.operator:
        case "is":
            return text in one.values
        case "is_not":
            return text not in one.values
        case "exists":
            return text is not None
    return text is None


def _unique_faults(name: str, properties: Mapping[str, Any]) -> Iterator[tuple[str, Fault]]:
    text = text_of(properties.get(name))
    if text is None:
        yield name, _MISSING
    elif len(text) > VALUE_LENGTH_MAX:
        yield name, _LONG


def _computed_faults(
    program: Program, properties: Mapping[str, Any], *, signed: bool
) -> Iterator[tuple[str, Fault]]:
    bad = [
        (name, fault)
        for name in properties_of(program)
        if (fault := quantity_fault(properties.get(name), signed=True)) is not None
    ]
    yield from bad
    if not bad:
        try:
            _computed(program, properties, signed=signed)
        except _Unreadable as error:
            yield error.found


def _computed(program: Program, properties: Mapping[str, Any], *, signed: bool) -> Decimal:
    """Return the program's result with 12 decimals; raises _Unreadable."""

    def read(name: str) -> Decimal:
        fault = quantity_fault(properties.get(name), signed=True)
        if fault is not None:
            raise _Unreadable(name, fault)
        return Decimal(plain_text(properties[name]))

    try:
        found = round_half_away_decimal(evaluate(program, read), DECIMALS)
    except NoValue:
        raise _Unreadable("", ("divides_by_zero", "make this meter divide by zero")) from None
    if abs(found) >= QUANTITY_END:
        raise _Unreadable("", ("too_large", "make a value of more than 15 whole digits"))
    if found < 0 and not signed:
        raise _Unreadable("", ("negative_quantity", "make a value below zero"))
    return found
