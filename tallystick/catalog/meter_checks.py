"""What a meter must be, so that each of its events has one meaning; all faults are told at once."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final, get_args
from uuid import UUID

from tallystick.catalog import expression
from tallystick.catalog.faults import NAME_LENGTH_MAX, raise_any, text_problems
from tallystick.catalog.model import (
    Aggregation,
    FilterOperator,
    Meter,
    MeterFilter,
    NewMeter,
    RoundingMode,
)
from tallystick.kernel.errors import FieldError

EVENT_TYPE_LENGTH_MAX: Final = 255
FILTERS_MAX: Final = 50
FILTER_VALUES_MAX: Final = 200
VALUE_LENGTH_MAX: Final = 255
GROUP_BY_MAX: Final = 100
PRECISION_MAX: Final = 12
RECURRING: Final = frozenset({"sum", "unique_count", "latest", "weighted_sum"})
"""The aggregations that have something to carry into the next period."""
_PROPERTYLESS: Final = frozenset({"count"})
_TEXTUAL: Final = frozenset({"count", "unique_count"})
_CODE: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")


def make_meter(new: NewMeter, meter_id: UUID, created_at: datetime) -> Meter:
    """Return the meter with its defaults filled in; raises BadInput naming every bad field."""
    program, faults = _program(new.expression)
    raise_any([*_meter_problems(new), *faults])
    return Meter(
        meter_id=meter_id,
        code=new.code,
        name=new.code if new.name is None else new.name,
        unit=new.unit,
        event_type=new.code if new.event_type is None else new.event_type,
        aggregation=new.aggregation,
        property=new.property,
        created_at=created_at,
        expression=new.expression,
        program=program,
        filters=new.filters,
        group_by=new.group_by,
        rounding=new.rounding,
        recurring=new.recurring,
        allow_negative=_takes_negatives(new),
    )


def _takes_negatives(new: NewMeter) -> bool:
    """Return whether values below zero count: as a plain sum's they are a mistake more often."""
    if new.aggregation in _TEXTUAL:
        return False
    if new.allow_negative is not None:
        return new.allow_negative
    return new.aggregation != "sum" or new.recurring


def _program(text: str | None) -> tuple[expression.Program | None, list[FieldError]]:
    if text is None:
        return None, []
    try:
        program = expression.parse(text)
    except expression.BadExpression as error:
        return None, [FieldError("expression", "invalid_expression", str(error))]
    if not expression.properties_of(program):
        message = "names no property of the events; each of them would count the same"
        return None, [FieldError("expression", "invalid_expression", message)]
    return program, []


def _meter_problems(new: NewMeter) -> Iterator[FieldError]:
    if not _CODE.fullmatch(new.code):
        message = "must be 1 to 63 of a-z, 0-9 and _, a letter first"
        yield FieldError("code", "invalid_code", message)
    if new.name is not None:
        yield from text_problems("name", new.name, NAME_LENGTH_MAX)
    yield from text_problems("unit", new.unit, NAME_LENGTH_MAX)
    if new.event_type is not None:
        yield from text_problems("event_type", new.event_type, EVENT_TYPE_LENGTH_MAX)
    if new.aggregation in get_args(Aggregation):
        yield from _value_problems(new)
    else:
        message = f"must be one of {', '.join(get_args(Aggregation))}"
        yield FieldError("aggregation", "unknown_aggregation", message)
    yield from _group_problems(new.group_by)
    yield from _filters_problems(new.filters)
    yield from _rounding_problems(new)


def _value_problems(new: NewMeter) -> Iterator[FieldError]:
    if new.property is not None:
        yield from text_problems("property", new.property, NAME_LENGTH_MAX)
    if new.aggregation in _PROPERTYLESS:
        if new.property is not None:
            message = "a count reads no property; leave it out"
            yield FieldError("property", "property_of_count", message)
    elif new.property is None and new.expression is None:
        message = f"say which property of the events a {new.aggregation} reads"
        yield FieldError("property", "missing", message)
    if new.property is not None and new.expression is not None:
        message = "say either a property or an expression"
        yield FieldError("expression", "property_or_expression", message)
    if new.expression is not None and new.aggregation in _TEXTUAL:
        message = f"a {new.aggregation} computes nothing; leave it out"
        yield FieldError("expression", "not_computed", message)
    if new.allow_negative and new.aggregation in _TEXTUAL:
        message = f"a {new.aggregation} reads no number; leave it out"
        yield FieldError("allow_negative", "not_computed", message)
    if new.recurring and new.aggregation not in RECURRING:
        message = f"nothing of a {new.aggregation} carries over into the next period"
        yield FieldError("recurring", "not_recurring", message)


def _group_problems(group_by: tuple[str, ...]) -> Iterator[FieldError]:
    if len(group_by) > GROUP_BY_MAX:
        yield FieldError("group_by", "too_many", f"may be {GROUP_BY_MAX} at most")
    for at, name in enumerate(group_by):
        yield from text_problems(f"group_by[{at}]", name, NAME_LENGTH_MAX)
        if name in group_by[:at]:
            yield FieldError(f"group_by[{at}]", "repeated", "stands there already")


def _filters_problems(filters: tuple[MeterFilter, ...]) -> Iterator[FieldError]:
    if len(filters) > FILTERS_MAX:
        yield FieldError("filters", "too_many", f"may be {FILTERS_MAX} at most")
    for at, one in enumerate(filters):
        yield from _filter_problems(f"filters[{at}]", one)


def _filter_problems(field: str, one: MeterFilter) -> Iterator[FieldError]:
    yield from text_problems(f"{field}.property", one.property, NAME_LENGTH_MAX)
    if one.operator not in get_args(FilterOperator):
        message = f"must be one of {', '.join(get_args(FilterOperator))}"
        yield FieldError(f"{field}.operator", "invalid", message)
    elif bool(one.values) != (one.operator in ("is", "is_not")):
        message = "go with is and is_not, and only with them"
        yield FieldError(f"{field}.values", "missing" if not one.values else "invalid", message)
    if len(one.values) > FILTER_VALUES_MAX:
        yield FieldError(f"{field}.values", "too_many", f"may be {FILTER_VALUES_MAX} at most")
    for at, value in enumerate(one.values):
        if len(value) > VALUE_LENGTH_MAX or "\0" in value:
            message = f"may have {VALUE_LENGTH_MAX} characters at most, and no NUL"
            yield FieldError(f"{field}.values[{at}]", "invalid_text", message)


def _rounding_problems(new: NewMeter) -> Iterator[FieldError]:
    if new.rounding is None:
        return
    if new.rounding.mode not in get_args(RoundingMode):
        yield FieldError("rounding.mode", "invalid", "must be round, ceil or floor")
    if not -PRECISION_MAX <= new.rounding.precision <= PRECISION_MAX:
        message = f"must be from -{PRECISION_MAX} to {PRECISION_MAX}"
        yield FieldError("rounding.precision", "out_of_range", message)
