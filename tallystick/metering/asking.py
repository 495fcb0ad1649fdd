"""From an event that asks to be recorded to what the gate decides on: pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Final
from uuid import UUID

import msgspec
from msgspec.structs import replace

from tallystick.catalog.model import Meter
from tallystick.kernel.errors import BadInput, FieldError
from tallystick.metering import own_events
from tallystick.metering.bodies import refuse
from tallystick.metering.decide import Work
from tallystick.metering.limits import AppliedLimit, Ask, added_by, is_additive
from tallystick.metering.model import Batch, UsageEvent
from tallystick.metering.prepare import AGES, Ages, Target, prepare, read_rules

_PLACE: Final = own_events.SHAPE.path(0) + "."
_encode: Final = msgspec.json.Encoder(decimal_format="number", order="sorted").encode


def read_event(fields: Mapping[str, msgspec.Raw], subject: str | None) -> UsageEvent:
    """Read an event in our own form; `subject` is whose it is when it names nobody.

    Raises BadInput naming its fields.
    """
    told = dict(fields)
    if subject is not None and told.get("subject", b"null") == b"null":
        told["subject"] = msgspec.Raw(msgspec.json.encode(subject))
    try:
        (event,) = own_events.read_many(b'{"events":[%b]}' % msgspec.json.encode(told)).events
    except BadInput as error:
        refuse(_renamed(error.errors))
        raise
    return event


def work_of(
    event: UsageEvent,
    account_id: UUID,
    meters: Sequence[Meter],
    limits: Mapping[str, tuple[AppliedLimit, ...]],
    *,
    now: datetime,
    wall: datetime,
    ages: Ages = AGES,
) -> Work:
    """Return what is to be decided, `meters` being all that count events of this type.

    Raises BadInput for what a meter can not count, and `meter_not_additive` for a hard limit on a
    meter to which an event does not just add.
    """
    targets = {event.subject: Target(account_id, now)}
    made = prepare(Batch(own_events.SHAPE, [event]), targets, read_rules(meters), now, ages)
    if made.unmatched:
        name = "type" if event.type else "meter"
        raise BadInput.field(name, "unknown_type", "is counted by no meter")
    refuse(_renamed(made.faults.get(0, ())))
    (row,) = made.rows
    return Work(
        row=row,
        stated_at=event.at,
        content=_content(row[3], event),
        asks=tuple(_asks(event, account_id, meters, limits)),
        now=now,
        wall=wall,
    )


def need_additive(meter: Meter, field: str) -> None:
    """Raise BadInput `meter_not_additive` for a meter that can not be asked for N more."""
    if not is_additive(meter):
        message = f"is measured by {meter.aggregation}; only a sum or a count can be checked"
        raise BadInput.field(field, "meter_not_additive", message)


def _asks(
    event: UsageEvent,
    account_id: UUID,
    meters: Sequence[Meter],
    limits: Mapping[str, tuple[AppliedLimit, ...]],
) -> list[Ask]:
    asks = []
    for meter in meters:
        applied = limits.get(meter.code, ())
        if any(limit.kind == "hard" for limit in applied):
            need_additive(meter, "type" if event.type else "meter")
        if applied and is_additive(meter):
            asks.append(Ask(account_id, meter, added_by(meter, event.properties), applied))
    return asks


def _content(event_type: str, event: UsageEvent) -> bytes:
    """Return 16 bytes that are the same for the same event and no other."""
    said = _encode([event_type, event.source, event.id, event.at, event.properties])
    return blake2b(said, digest_size=16).digest()


def _renamed(faults: Sequence[FieldError]) -> list[FieldError]:
    return [replace(fault, field=fault.field.removeprefix(_PLACE)) for fault in faults]
