"""Which way of writing events a request uses; all ways meet in one `Batch`."""

from typing import Final, Protocol

import msgspec

from tallystick.kernel.errors import BadInput
from tallystick.metering import cloudevents, lago_events, own_events
from tallystick.metering.bodies import decode
from tallystick.metering.model import Batch

CLOUDEVENT: Final = "application/cloudevents+json"
CLOUDEVENT_BATCH: Final = "application/cloudevents-batch+json"
JSON: Final = "application/json"

_Raw = msgspec.Raw | msgspec.UnsetType


class _Root(msgspec.Struct, frozen=True):
    """The keys of a body by which it is recognized, their values unread."""

    specversion: _Raw = msgspec.UNSET
    event: _Raw = msgspec.UNSET
    events: _Raw = msgspec.UNSET


class _Item(msgspec.Struct, frozen=True):
    transaction_id: _Raw = msgspec.UNSET


class _Items(msgspec.Struct, frozen=True):
    events: list[msgspec.Raw]


_ROOT: Final = msgspec.json.Decoder(_Root)
_ITEMS: Final = msgspec.json.Decoder(_Items)
_ITEM: Final = msgspec.json.Decoder(_Item)


def read_events(content_type: str, body: bytes, *, each: bool = False) -> Batch:
    """Read the body of `POST /events`.

    CloudEvents by their content types; `application/json` by its root: an array or `specversion`
    is CloudEvents, `event` (or `events` with Lago's `transaction_id`) Lago's, `events` our own.

    A bad event refuses the whole request: raises BadInput naming what can not be taken. Where the
    answer tells of each event (`each`, and always for our own form) it is one of `invalid`, as
    long as another event is good.
    """
    match content_type.partition(";")[0].strip().lower():
        case "application/cloudevents+json":
            return cloudevents.read_single(body)
        case "application/cloudevents-batch+json":
            return _read(cloudevents, body, each=each)
        case "application/json":
            return _read_json(body, each=each)
    raise BadInput.field(
        "Content-Type",
        "unsupported_content_type",
        f"must be {CLOUDEVENT}, {CLOUDEVENT_BATCH} or {JSON}",
    )


def read_lago_events(body: bytes, *, each: bool = False) -> Batch:
    """Read the body of `POST /events/batch`, which is Lago's; raises BadInput likewise."""
    return _read(lago_events, body, each=each)


class _Form(Protocol):
    def read_many(self, body: bytes) -> Batch: ...
    def read_one_by_one(self, body: bytes) -> Batch: ...


def _read(form: _Form, body: bytes, *, each: bool) -> Batch:
    """Read all events at once, or, where that fails, each for itself."""
    try:
        return form.read_many(body)
    except BadInput:
        if not each:
            raise
    return form.read_one_by_one(body)


def _read_json(body: bytes, *, each: bool) -> Batch:
    if body.lstrip()[:1] == b"[":
        return _read(cloudevents, body, each=each)
    root = decode(_ROOT, body)
    if not isinstance(root.specversion, msgspec.UnsetType):
        return cloudevents.read_single(body)
    if not isinstance(root.event, msgspec.UnsetType):
        return lago_events.read_single(body)
    if not isinstance(root.events, msgspec.UnsetType) and _are_lagos(body):
        return _read(lago_events, body, each=each)
    return _read(own_events, body, each=True)


def _are_lagos(body: bytes) -> bool:
    """Tell whether the first event has Lago's name of an id."""
    if b'"transaction_id"' not in body:
        return False
    items = decode(_ITEMS, body).events
    try:
        first = _ITEM.decode(items[0])
    except (IndexError, msgspec.DecodeError):
        return False
    return not isinstance(first.transaction_id, msgspec.UnsetType)
