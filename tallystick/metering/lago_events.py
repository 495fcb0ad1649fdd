"""Events as the official Lago clients send them: `{"event": {…}}`, `{"events": [{…}]}`.

Lago's `code` is the code of a meter, its subscription or customer is the account's external id,
its `timestamp` counts seconds since 1970 and comes as a string even if given as a number.
"""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final

import msgspec

from tallystick.kernel.errors import FieldError
from tallystick.metering.bodies import check_batch, decode, read_each, refuse
from tallystick.metering.model import EVENTS_MAX, Batch, Shape, Text, UsageEvent
from tallystick.metering.numbers import read_number

SOURCE: Final = "lago"
AMOUNT: Final = "precise_total_amount_cents"
_NAMES: Final = {
    "id": "transaction_id",
    "subject": "external_subscription_id",
    "type": "code",
    "at": "timestamp",
    "properties": "properties",
}
SINGLE: Final = Shape(name="lago", place="event", **_NAMES)
MANY: Final = Shape(name="lago", place="events[{}]", **_NAMES)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Eleven digits of seconds reach the year 5138; finer than a microsecond is cut off.
_SECONDS: Final = re.compile(r"(?P<whole>[0-9]{1,11})(\.(?P<part>[0-9]{1,12}))?")


class LagoEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An event as it stands on the wire; the clients send nulls for what they do not know."""

    transaction_id: Text
    code: Text
    external_subscription_id: Text | None = None
    external_customer_id: Text | None = None
    timestamp: Any = None
    properties: dict[str, Any] | None = None
    precise_total_amount_cents: str | None = None


class SingleBody(msgspec.Struct, frozen=True):
    """The body for one event."""

    event: LagoEvent


class ManyBody(msgspec.Struct, frozen=True):
    """The body for several."""

    events: Annotated[list[LagoEvent], msgspec.Meta(min_length=1, max_length=EVENTS_MAX)]


class _Items(msgspec.Struct, frozen=True):
    events: Annotated[list[msgspec.Raw], msgspec.Meta(min_length=1, max_length=EVENTS_MAX)]


_ITEMS: Final = msgspec.json.Decoder(_Items)
_SINGLE: Final = msgspec.json.Decoder(SingleBody, float_hook=read_number)
_MANY: Final = msgspec.json.Decoder(ManyBody, float_hook=read_number)


def read_single(body: bytes) -> Batch:
    """Read one event; raises BadInput."""
    return _batch(SINGLE, [decode(_SINGLE, body).event], body)


def read_many(body: bytes) -> Batch:
    """Read several events; raises BadInput."""
    return _batch(MANY, decode(_MANY, body).events, body)


def read_one_by_one(body: bytes) -> Batch:
    """Read a body whose events may be bad; raises BadInput when all of them are."""
    items = decode(_ITEMS, body).events
    return read_each(items, lambda item: read_many(b'{"events":[%b]}' % item), MANY)


def read_timestamp(value: Any) -> datetime | None:
    """Return the instant of so many seconds since 1970, or None when it is none."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        value = f"{value:f}" if isinstance(value, Decimal) else str(value)
    shown = _SECONDS.fullmatch(value) if isinstance(value, str) else None
    if shown is None:
        return None
    micros = int(shown["whole"]) * 1_000_000 + int((shown["part"] or "").ljust(6, "0")[:6])
    return _EPOCH + timedelta(microseconds=micros)


def _batch(shape: Shape, told: list[LagoEvent], body: bytes) -> Batch:
    found: list[FieldError] = []
    events = [_event(shape, position, event, found) for position, event in enumerate(told)]
    refuse(found)
    return check_batch(Batch(shape, events), body)


def _event(shape: Shape, position: int, told: LagoEvent, found: list[FieldError]) -> UsageEvent:
    """Return the event in our words, and add to `found` what is wrong with it."""
    subject = told.external_subscription_id or told.external_customer_id
    at = read_timestamp(told.timestamp)
    if subject is None:
        found.append(FieldError(shape.path(position, shape.subject), "missing", "is missing"))
    if at is None and told.timestamp is not None:
        message = "must be seconds since 1970, such as 1767323045.678"
        found.append(FieldError(shape.path(position, shape.at), "invalid_time", message))
    properties = told.properties or {}
    if told.precise_total_amount_cents is not None:
        properties = {AMOUNT: told.precise_total_amount_cents, **properties}
    return UsageEvent(
        source=SOURCE,
        id=told.transaction_id,
        meter=told.code,
        subject=subject or "",
        at=at,
        properties=properties,
    )
