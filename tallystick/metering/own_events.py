"""Our own way of writing events: `{"events": [{"id", "type", "subject", "properties"}]}`."""

from typing import Annotated, Any, Final

import msgspec

from tallystick.kernel.errors import FieldError
from tallystick.metering.bodies import check_batch, decode, read_each, refuse
from tallystick.metering.model import EVENTS_MAX, Batch, Instant, Shape, Text, UsageEvent
from tallystick.metering.numbers import read_number

SHAPE: Final = Shape(name="tallystick", place="events[{}]", properties="properties")
SOURCE: Final = "api"
"""The source of events that name none."""


class OwnEvent(UsageEvent, frozen=True, kw_only=True, gc=False, forbid_unknown_fields=True):
    """An event as it stands on the wire: `type` or `meter`, `properties` or `data`."""

    source: Text = SOURCE
    type: Annotated[str, msgspec.Meta(max_length=255)] = ""
    at: Instant | None = msgspec.field(default=None, name="time")
    data: dict[str, Any] | None = None


class OwnBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a request."""

    events: Annotated[list[OwnEvent], msgspec.Meta(min_length=1, max_length=EVENTS_MAX)]


class _Items(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    events: Annotated[list[msgspec.Raw], msgspec.Meta(min_length=1, max_length=EVENTS_MAX)]


_ITEMS: Final = msgspec.json.Decoder(_Items)
_BODY: Final = msgspec.json.Decoder(OwnBody, float_hook=read_number)


def read_many(body: bytes) -> Batch:
    """Read our own body; raises BadInput."""
    events = decode(_BODY, body).events
    refuse([fault for at, event in enumerate(events) for fault in _faults(at, event)])
    plain = [event if event.data is None else _with_data(event) for event in events]
    return check_batch(Batch(SHAPE, plain), body)


def read_one_by_one(body: bytes) -> Batch:
    """Read a body whose events may be bad; raises BadInput when all of them are."""
    items = decode(_ITEMS, body).events
    return read_each(items, lambda item: read_many(b'{"events":[%b]}' % item), SHAPE)


def _faults(position: int, event: OwnEvent) -> list[FieldError]:
    found = []
    if bool(event.type) == bool(event.meter):
        message = "say either the type of the event or the meter it is for"
        found.append(FieldError(SHAPE.path(position, "type"), "type_or_meter", message))
    if event.data is not None and event.properties:
        message = "is another name for properties; send one of them"
        found.append(FieldError(SHAPE.path(position, "data"), "properties_or_data", message))
    return found


def _with_data(event: OwnEvent) -> OwnEvent:
    return msgspec.structs.replace(event, properties=event.data, data=None)
