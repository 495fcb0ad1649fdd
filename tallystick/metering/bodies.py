"""From bytes to events: the checks that all ways of writing them share.

Whatever the bytes are, the answer is events or BadInput that names the field.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

import msgspec

from tallystick.kernel.errors import BadInput, FieldError
from tallystick.metering.model import (
    EVENTS_MAX,
    TEXT_LENGTH_MAX,
    Batch,
    EventResult,
    Shape,
    Status,
    UsageEvent,
)

DEPTH_MAX: Final = 10
ERRORS_MAX: Final = 100
"""How many faults one answer names."""

FAULTS_MAX: Final = 10
"""How many faults the answer for one event names."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_PATH: Final = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_FIELD: Final = re.compile(r"Object (missing required|contains unknown) field `(?P<name>[^`]*)`")
# msgspec says what is wrong in one sentence; its beginning decides our code.
_CODES: Final = {
    "Object missing": ("missing", "is missing"),
    "Object contains unknown": ("unknown_field", "is no field of an event"),
    "Expected `str` of length": ("invalid_length", "must have 1 to 255 characters"),
    "Expected `array` of length >=": ("no_events", "must hold an event at least"),
    "Expected `array` of length": ("too_many_events", f"may be {EVENTS_MAX} at most"),
    "Expected `datetime` with": ("timezone_missing", "must say its offset, such as Z or +02:00"),
    "Invalid RFC3339": ("invalid_time", "must be an RFC 3339 instant"),
    "Integer value out": ("number_out_of_range", "holds a number that is too long"),
    "number out of range": ("number_out_of_range", "holds a number above 1e64"),  # `read_number`
}

_FIELDS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_NESTED: Final = frozenset({dict, list})

T = TypeVar("T")


def decode(decoder: msgspec.json.Decoder[T], body: bytes) -> T:
    """Decode JSON; raises BadInput whose field is the path within the body, or `body`."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _as_bad_input(str(error)) from error
    except RecursionError as error:
        raise BadInput.field("body", "too_deep", f"may nest {DEPTH_MAX} levels at most") from error
    except UnicodeDecodeError as error:
        raise BadInput.field("body", "malformed_json", "must be UTF-8") from error
    except msgspec.DecodeError as error:
        raise BadInput.field("body", "malformed_json", f"is not JSON: {error}") from error


def read_each(
    items: Sequence[msgspec.Raw], read_one: Callable[[bytes], Batch], shape: Shape
) -> Batch:
    """Read a request's events one by one, so that a bad one does not sink the others.

    Slow: for requests that can not be read as a whole. `read_one` reads an event as the only one
    of a request. Raises BadInput with the faults of all events when none of them can be read.
    """
    events: list[UsageEvent] = []
    places: list[int] = []
    invalid: dict[int, EventResult] = {}
    for position, item in enumerate(items):
        try:
            events.extend(read_one(bytes(item)).events)
        except BadInput as error:
            invalid[position] = _invalid(shape, position, item, error.errors)
        else:
            places.append(position)
    if not events:
        refuse([fault for result in invalid.values() for fault in result.errors])
    return Batch(shape, events, places, invalid)


def check_batch(batch: Batch, body: bytes) -> Batch:
    """Return the batch if all its texts and properties can be kept.

    Raises BadInput that names what can not: control characters, NUL, deep nesting.
    """
    shape, events = batch.shape, batch.events
    found = list(_text_faults(shape, events))
    # A NUL stands in JSON as this escape; bodies without it need no look into every text.
    careful = b"\\u0000" in body
    for position, event in enumerate(events):
        for value in event.properties.values():
            if careful or value.__class__ in _NESTED:
                found.extend(_property_faults(shape, position, event, careful=careful))
                break
    refuse(found)
    return batch


def refuse(found: Sequence[FieldError]) -> None:
    """Raise BadInput with these faults, the first hundred of them; nothing when there is none."""
    if found:
        first, more = found[0], len(found) - 1
        also = f" (and {more} more)" if more else ""
        detail = f"{first.field}: {first.message}{also}"
        raise BadInput("validation_failed", detail, errors=found[:ERRORS_MAX])


def _invalid(
    shape: Shape, position: int, item: msgspec.Raw, errors: Sequence[FieldError]
) -> EventResult:
    """Return the answer for an event that was read as the only one of a request."""
    only, place = shape.path(0), shape.path(position)
    faults = []
    for fault in errors[:FAULTS_MAX]:
        inside = fault.field.removeprefix(only) if fault.field.startswith(only) else ""
        faults.append(FieldError(place + inside, fault.code, fault.message))
    return EventResult(_id_of(item, shape.id), Status.INVALID, faults[0].code, tuple(faults))


def _id_of(item: msgspec.Raw, name: str) -> str | None:
    """Return the id of an event that can not be read otherwise, or None."""
    try:
        found = msgspec.json.decode(_FIELDS.decode(item).get(name, b"null"), type=str)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return None if len(found) > TEXT_LENGTH_MAX or _CONTROL.search(found) else found


def _text_faults(shape: Shape, events: Sequence[UsageEvent]) -> Iterator[FieldError]:
    """Yield each name that holds control characters.

    One question to all texts together answers for nearly every request.
    """
    named = (
        (shape.id, [event.id for event in events]),
        ("source", [event.source for event in events]),
        (shape.subject, [event.subject for event in events]),
        (shape.type, [event.type for event in events]),
        (shape.type, [event.meter or "" for event in events]),
    )
    for name, texts in named:
        if "".join(texts).isprintable():
            continue
        for position, text in enumerate(texts):
            if _CONTROL.search(text):
                message = "must not hold control characters"
                yield FieldError(shape.path(position, name), "control_character", message)


def _property_faults(
    shape: Shape, position: int, event: UsageEvent, *, careful: bool
) -> Iterator[FieldError]:
    for name, value in event.properties.items():
        if _is_deep(value, DEPTH_MAX):
            field = shape.path(position, shape.properties, name)
            yield FieldError(field, "too_deep", f"may nest {DEPTH_MAX} levels at most")
        elif careful and ("\0" in name or _holds_nul(value)):
            field = shape.path(position, shape.properties, name.replace("\0", "\\u0000"))
            yield FieldError(field, "control_character", "must not hold the character NUL")


def _is_deep(value: Any, levels: int) -> bool:
    """Tell whether a value nests more levels than these."""
    if value.__class__ not in _NESTED:
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deep(item, levels - 1) for item in inner)


def _holds_nul(value: Any) -> bool:
    if isinstance(value, dict):
        return any("\0" in name or _holds_nul(item) for name, item in value.items())
    if isinstance(value, list):
        return any(map(_holds_nul, value))
    return isinstance(value, str) and "\0" in value


def _as_bad_input(message: str) -> BadInput:
    """Turn msgspec's sentence ("Expected `str`, got `int` - at `$[3].id`") into ours."""
    place = _PATH.search(message)
    path = place["path"].replace("[...]", "") if place else ""
    named = _FIELD.search(message)
    if named:
        path = f"{path}.{named['name']}" if path else named["name"]
    for beginning, (code, told) in _CODES.items():
        if message.startswith(beginning):
            return BadInput.field(path or "body", code, told)
    return BadInput.field(path or "body", "malformed", _PATH.sub("", message).replace("`", ""))
