"""From events to rows: pure, and quick, for it runs once per event.

A thousand events take about 1.1 ms of one core: half of it hashes their keys.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any, Final
from uuid import UUID

import msgspec
from asyncpg.pgproto import pgproto

from tallystick.catalog.model import Meter
from tallystick.kernel.errors import FieldError
from tallystick.metering.model import Batch
from tallystick.metering.numbers import QUANTITY_END, quantity_fault
from tallystick.metering.values import is_plain_sum, needs_checks, value_faults

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)

Row = tuple[UUID, UUID, datetime, str, str, str, str]
"""Account, key, instant, event type, source, id, properties as JSON: a row of `usage_events`."""

_encode: Final = msgspec.json.Encoder(decimal_format="number").encode


class Ages(msgspec.Struct, frozen=True):
    """How far an event's instant may be from the account's present.

    `age_max` None: any instant from 1970 on.
    """

    ahead_max: timedelta = timedelta(hours=1)
    age_max: timedelta | None = None

    def earliest(self, now: datetime) -> datetime:
        """Return the earliest instant that is taken."""
        if self.age_max is None or self.age_max > now - EARLIEST:
            return EARLIEST
        return now - self.age_max


AGES: Final = Ages()


class Target(msgspec.Struct, frozen=True):
    """The account that a subject names, and its present."""

    account_id: UUID
    now: datetime


class Rule(msgspec.Struct, frozen=True):
    """An event type that is counted, which properties of its events are summed, and what else.

    `meters` are those that ask more of an event than a plain sum does.
    """

    event_type: str
    properties: tuple[str, ...]
    meters: tuple[Meter, ...] = ()


class Rules(msgspec.Struct, frozen=True):
    """Rules by event type, and by the code of each meter."""

    by_type: Mapping[str, Rule]
    by_meter: Mapping[str, Rule]


class Prepared(msgspec.Struct, frozen=True):
    """Rows to write, each with the index of its event; what matched nobody; faults by event."""

    rows: list[Row]
    indexes: list[int]
    unmatched: dict[int, str]
    faults: dict[int, list[FieldError]]


def read_rules(meters: Sequence[Meter]) -> Rules:
    """Return what these meters want of events."""
    by_type = {}
    for name in dict.fromkeys(meter.event_type for meter in meters):
        own = [meter for meter in meters if meter.event_type == name]
        sums = [str(meter.property) for meter in own if is_plain_sum(meter)]
        others = [meter for meter in own if needs_checks(meter)]
        by_type[name] = Rule(name, tuple(sums), tuple(others))
    return Rules(by_type, {meter.code: by_type[meter.event_type] for meter in meters})


def prepare(
    batch: Batch, targets: Mapping[str, Target], rules: Rules, now: datetime, ages: Ages = AGES
) -> Prepared:
    """Return the rows of all events whose account and meter are known, and what is wrong.

    Faults are instants out of bounds (`in_the_future`, `too_early`, `too_old`; seen from `now`
    where the account is not known) and properties that give a meter no value (`missing`,
    `not_a_number`, `negative_quantity`, `too_large`, `too_many_decimals`, `value_too_long`,
    `divides_by_zero`).
    """
    made = Prepared([], [], {}, {})
    rows, indexes = made.rows, made.indexes
    by_type, by_meter = rules.by_type, rules.by_meter
    known = {subject: _known(target, ages) for subject, target in targets.items()}
    nobody = (None, now, ages.earliest(now), now + ages.ahead_max)
    for index, event in enumerate(batch.events):
        account_id, present, earliest, latest = known.get(event.subject, nobody)
        at = event.at or present
        found = []
        if at > latest or at < earliest:
            found.append(_time_fault(batch, index, at, latest, ages))
        rule = by_type.get(event.type) if event.type else by_meter.get(event.meter or "")
        if account_id is None or rule is None:
            made.unmatched[index] = "unknown_subject" if account_id is None else "unknown_type"
        else:
            for name in rule.properties:
                value = event.properties.get(name)
                if not (value.__class__ is int and 0 <= value < QUANTITY_END):
                    found.extend(_quantity_faults(batch, index, name, value))
            for meter in rule.meters:
                found.extend(_value_faults(batch, index, meter, event.properties))
        if found:
            made.faults[index] = found
        elif account_id is not None and rule is not None:
            rows.append(
                (account_id, event_key(event.source, event.id), at, rule.event_type,
                 event.source, event.id, _encode(event.properties).decode())
            )  # fmt: skip
            indexes.append(index)
    return made


def event_key(source: str, event_id: str) -> UUID:
    """Return the 16 bytes by which an account's event is unique.

    BLAKE2b over source, NUL and id; neither holds a NUL, so no two pairs look alike.
    """
    # asyncpg's own UUID: made of 16 bytes in a seventh of the time that uuid.UUID takes.
    return pgproto.UUID(blake2b(f"{source}\0{event_id}".encode(), digest_size=16).digest())


def _known(target: Target, ages: Ages) -> tuple[UUID | None, datetime, datetime, datetime]:
    """Return the account, its present, and the earliest and latest instant of its events."""
    now = target.now
    return target.account_id, now, ages.earliest(now), now + ages.ahead_max


def _time_fault(batch: Batch, index: int, at: datetime, latest: datetime, ages: Ages) -> FieldError:
    field = batch.shape.path(batch.positions[index], batch.shape.at)
    if at < EARLIEST:
        return FieldError(field, "too_early", "must not be before 1970")
    if ages.age_max is not None and at < latest - ages.ahead_max:
        return FieldError(field, "too_old", f"must not be more than {ages.age_max.days} days ago")
    ahead = f"{int(ages.ahead_max.total_seconds())} s"
    return FieldError(field, "in_the_future", f"is more than {ahead} ahead of the account's clock")


def _quantity_faults(batch: Batch, index: int, name: str, value: object) -> list[FieldError]:
    fault = quantity_fault(value)
    if fault is None:
        return []
    field = batch.shape.path(batch.positions[index], batch.shape.properties, name)
    return [FieldError(field, *fault)]


def _value_faults(
    batch: Batch, index: int, meter: Meter, properties: Mapping[str, Any]
) -> Iterator[FieldError]:
    for name, fault in value_faults(meter, properties):
        field = batch.shape.path(batch.positions[index], batch.shape.properties, name)
        yield FieldError(field, *fault)
