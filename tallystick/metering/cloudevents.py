"""CloudEvents 1.0 in JSON, as the official OpenMeter clients send them.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

from typing import Annotated, Any, Final, Literal

import msgspec

from tallystick.metering.bodies import check_batch, decode, read_each
from tallystick.metering.model import EVENTS_MAX, Batch, Instant, Shape, Text, UsageEvent
from tallystick.metering.numbers import read_number

SINGLE: Final = Shape(name="cloudevents", place="")
BATCH: Final = Shape(name="cloudevents", place="[{}]")


class CloudEvent(UsageEvent, frozen=True, kw_only=True, gc=False):
    """An event as it stands on the wire; it is a usage event already, so none is copied.

    Other attributes are extensions and pass unread, as the specification wants.
    """

    specversion: Literal["1.0"]
    type: Text
    at: Instant | None = msgspec.field(default=None, name="time")
    properties: dict[str, Any] = msgspec.field(default_factory=dict, name="data")
    # No attribute can have this name: an extension called `meter` is nothing of ours.
    meter: str | None = msgspec.field(default=None, name="(meter)")
    data_base64: None = None  # bytes hold no quantity: a text here is refused


_SINGLE: Final = msgspec.json.Decoder(CloudEvent, float_hook=read_number)
_MANY: Final = msgspec.json.Decoder(
    Annotated[list[CloudEvent], msgspec.Meta(min_length=1, max_length=EVENTS_MAX)],
    float_hook=read_number,
)
_ITEMS: Final = msgspec.json.Decoder(
    Annotated[list[msgspec.Raw], msgspec.Meta(min_length=1, max_length=EVENTS_MAX)]
)


def read_single(body: bytes) -> Batch:
    """Read one event (`application/cloudevents+json`); raises BadInput."""
    return check_batch(Batch(SINGLE, [decode(_SINGLE, body)]), body)


def read_many(body: bytes) -> Batch:
    """Read an array of events (`application/cloudevents-batch+json`); raises BadInput."""
    return check_batch(Batch(BATCH, decode(_MANY, body)), body)


def read_one_by_one(body: bytes) -> Batch:
    """Read an array whose events may be bad; raises BadInput when all of them are."""
    return read_each(decode(_ITEMS, body), lambda item: read_many(b"[%b]" % item), BATCH)
