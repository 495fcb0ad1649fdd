"""From events to rows: pure, and quick, for it runs once per event.

A thousand events take about 1.1 ms of one core: half of it hashes their keys.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Final
from uuid import UUID

import msgspec
from asyncpg.pgproto import pgproto

from tallystick.catalog.model import Meter
from tallystick.kernel.errors import FieldError
from tallystick.metering.model import Shape, UsageEvent
from tallystick.metering.numbers import QUANTITY_END, quantity_fault

AHEAD_MAX: Final = timedelta(hours=1)
"""How far the clock of a sender may run ahead of the account's."""
EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)

Row = tuple[UUID, UUID, datetime, str, str, str, str]
"""Account, key, instant, event type, source, id, properties as JSON: a row of `usage_events`."""

_encode: Final = msgspec.json.Encoder(decimal_format="number").encode


class Target(msgspec.Struct, frozen=True):
    """The account that a subject names, and its present."""

    account_id: UUID
    now: datetime


class Rule(msgspec.Struct, frozen=True):
    """An event type that is counted, and which properties of its events are summed."""

    event_type: str
    properties: tuple[str, ...]


class Rules(msgspec.Struct, frozen=True):
    """Rules by event type, and by the code of each meter."""

    by_type: Mapping[str, Rule]
    by_meter: Mapping[str, Rule]


class Prepared(msgspec.Struct, frozen=True):
    """Rows to write, each with the position of its event; what matched nobody; faults."""

    rows: list[Row]
    positions: list[int]
    unmatched: dict[int, str]
    faults: list[FieldError]


def read_rules(meters: Sequence[Meter]) -> Rules:
    """Return what these meters want of events."""
    sums: dict[str, list[str]] = {meter.event_type: [] for meter in meters}
    for meter in meters:
        if meter.property is not None:
            sums[meter.event_type].append(meter.property)
    by_type = {name: Rule(name, tuple(properties)) for name, properties in sums.items()}
    return Rules(by_type, {meter.code: by_type[meter.event_type] for meter in meters})


def prepare(
    events: Sequence[UsageEvent], targets: Mapping[str, Target], rules: Rules, shape: Shape
) -> Prepared:
    """Return the rows of all events whose account and meter are known, and what is wrong.

    Faults are instants out of bounds (`in_the_future`, `too_early`) and properties that a meter
    can not sum (`missing`, `not_a_number`, `negative_quantity`, `too_large`, `too_many_decimals`).
    """
    made = Prepared([], [], {}, [])
    rows, positions = made.rows, made.positions
    by_type, by_meter = rules.by_type, rules.by_meter
    latest = {subject: target.now + AHEAD_MAX for subject, target in targets.items()}
    for position, event in enumerate(events):
        target = targets.get(event.subject)
        rule = by_type.get(event.type) if event.type else by_meter.get(event.meter or "")
        if target is None or rule is None:
            made.unmatched[position] = "unknown_type" if target else "unknown_subject"
            continue
        at = event.at or target.now
        if at > latest[event.subject] or at < EARLIEST:
            made.faults.append(_time_fault(shape, position, at))
        for name in rule.properties:
            value = event.properties.get(name)
            if not (value.__class__ is int and 0 <= value < QUANTITY_END):
                made.faults.extend(_quantity_faults(shape, position, name, value))
        rows.append(
            (target.account_id, event_key(event.source, event.id), at, rule.event_type,
             event.source, event.id, _encode(event.properties).decode())
        )  # fmt: skip
        positions.append(position)
    return made


def event_key(source: str, event_id: str) -> UUID:
    """Return the 16 bytes by which an account's event is unique.

    BLAKE2b over source, NUL and id; neither holds a NUL, so no two pairs look alike.
    """
    # asyncpg's own UUID: made of 16 bytes in a seventh of the time that uuid.UUID takes.
    return pgproto.UUID(blake2b(f"{source}\0{event_id}".encode(), digest_size=16).digest())


def _time_fault(shape: Shape, position: int, at: datetime) -> FieldError:
    field = shape.path(position, shape.at)
    if at < EARLIEST:
        return FieldError(field, "too_early", "must not be before 1970")
    return FieldError(field, "in_the_future", "is more than an hour ahead of the account's clock")


def _quantity_faults(shape: Shape, position: int, name: str, value: object) -> list[FieldError]:
    fault = quantity_fault(value)
    return [FieldError(shape.path(position, shape.properties, name), *fault)] if fault else []
