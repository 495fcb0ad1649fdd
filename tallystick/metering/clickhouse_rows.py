"""From rows of events to rows of ClickHouse, and from a meter to its SQL: pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Any, Final
from uuid import UUID

import msgspec

from tallystick.catalog.model import Meter, MeterFilter
from tallystick.metering.numbers import plain_text, quantity_fault, read_number
from tallystick.metering.prepare import Row
from tallystick.metering.usage_sql import fill
from tallystick.metering.values import OPERATION, text_of
from tallystick.money.exact import canonical

COLUMNS: Final = (
    "account_id", "key", "at", "event_type", "source", "event_id", "properties", "texts",
    "numbers", "content", "fence",
)  # fmt: skip
SCALE: Final = 12
"""A number is kept as a whole number of 10^-12: sums of Decimals are many times slower."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_LENGTH_MAX: Final = "255"
_decode: Final = msgspec.json.Decoder(dict[str, Any], float_hook=read_number).decode
_encode: Final = msgspec.json.Encoder(order="sorted").encode

Parameters = dict[str, Any]


def micros(at: datetime) -> int:
    """Return an instant as microseconds since 1970."""
    return (at - _EPOCH) // _MICROSECOND


def instant(value: int) -> datetime:
    """Return the instant of so many microseconds since 1970."""
    return _EPOCH + value * _MICROSECOND


def to_stored(row: Row, fence: int, content: UUID) -> tuple[Any, ...]:
    """Return an event as ClickHouse keeps it; `content` is that of `content_of`."""
    account_id, key, at, event_type, source, event_id, properties = row
    told = _decode(properties)
    return (
        account_id, key, micros(at), event_type, source, event_id, properties,
        {name: text for name, value in told.items() if (text := text_of(value)) is not None},
        dict(_numbers(told)), content, fence,
    )  # fmt: skip


def content_of(row: Row) -> UUID:
    """Return a digest of all that an event says but its instant; 1 and 1.0 say the same."""
    _, _, _, event_type, source, event_id, properties = row
    said = _encode([event_type, source, event_id, _tagged(_decode(properties))])
    return UUID(bytes=blake2b(said, digest_size=16).digest())


def unscaled(value: int) -> Decimal:
    """Return what a whole number of 10^-12 is."""
    return from_scaled(value, SCALE)


def from_scaled(value: int, places: int) -> Decimal:
    """Return so many units of 10^-places, exactly, however many digits it has."""
    return canonical(Decimal(f"{value}e-{places}"))


def value_sql(meter: Meter) -> tuple[str, Parameters]:
    """Return the SQL of an event's number for a meter that has no program, and its parameters."""
    if meter.aggregation == "count":
        return f"toInt128({10**SCALE})", {}
    return "numbers[{property:String}]", {"property": meter.property}


def counted_sql(meter: Meter) -> tuple[str, Parameters]:
    """Return the SQL of whether an event counts for a meter, and its parameters."""
    tests = ["event_type = {event_type:String}"]
    parameters: Parameters = {"event_type": meter.event_type}
    if meter.aggregation == "unique_count":
        tests.append("mapContains(texts, {property:String})")
        parameters["property"] = meter.property
    elif meter.aggregation != "count" and meter.program is None:
        tests.append("mapContains(numbers, {property:String})")
        parameters["property"] = meter.property
        if not meter.allow_negative:
            tests.append("NOT startsWith(texts[{property:String}], '-')")  # "-0" is none either
    for at, one in enumerate(meter.filters):
        tests.append(fill(_TESTS[one.operator], at=str(at)))
        parameters |= dict(_filter_parameters(at, one))
    return " AND ".join(tests), parameters


def group_sql(group_by: Sequence[str]) -> tuple[str, Parameters]:
    """Return the SQL of an event's values of some properties, an array, and its parameters."""
    parts = [fill(_DIMENSION, at=str(at)) for at in range(len(group_by))]
    sql = f"[{', '.join(parts)}]" if parts else "emptyArrayString()"
    return sql, {f"group_{at}": name for at, name in enumerate(group_by)}


def uuids_sql(values: Sequence[UUID]) -> str:
    """Return ids as literals: there may be more than parameters may hold."""
    return ", ".join(f"'{UUID(bytes=value.bytes)}'" for value in values)


# The value of a `remove` takes it out again; what is longer than new ones may be is a hash.
UNIQUE_SQL: Final = fill(
    """if(lengthUTF8(texts[{property:String}]) <= {length}, texts[{property:String}],
        lower(hex(SHA256(texts[{property:String}]))))""",
    length=_LENGTH_MAX,
)
IS_THERE_SQL: Final = f"texts['{OPERATION}'] != 'remove'"
_HAS: Final = "mapContains(texts, {filter_{at}:String})"
_IN: Final = "has({values_{at}:Array(String)}, texts[{filter_{at}:String}])"
_TESTS: Final = {
    "is": f"({_HAS} AND {_IN})",
    "is_not": f"NOT ({_HAS} AND {_IN})",
    "exists": _HAS,
    "is_absent": f"NOT {_HAS}",
}
_DIMENSION: Final = fill(
    """if(mapContains(texts, {group_{at}:String}),
        substringUTF8(texts[{group_{at}:String}], 1, {length}), NULL)""",
    length=_LENGTH_MAX,
)


def _numbers(told: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for name, value in told.items():
        if quantity_fault(value, signed=True) is None:
            yield name, int(Decimal(plain_text(value)).scaleb(SCALE))


def _filter_parameters(at: int, one: MeterFilter) -> Iterator[tuple[str, Any]]:
    yield f"filter_{at}", one.property
    if one.operator in ("is", "is_not"):
        yield f"values_{at}", list(one.values)


def _tagged(value: Any) -> Any:
    """Return JSON in which a number is told by its value, as PostgreSQL compares them."""
    if isinstance(value, dict):
        return {name: _tagged(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return ["list", *(_tagged(inner) for inner in value)]
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        text = plain_text(value)
        return ["number", text.rstrip("0").rstrip(".") if "." in text else text]
    return value
