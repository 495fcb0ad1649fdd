"""From the bytes of a request to what it asks for; numbers stay exact. Raises BadInput."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec

from tallystick.corrections.model import Change
from tallystick.corrections.service import EVENTS_MAX
from tallystick.kernel.errors import BadInput, FieldError
from tallystick.metering import own_events
from tallystick.metering.bodies import check_batch, decode, refuse
from tallystick.metering.corrections import AMENDMENT
from tallystick.metering.model import Batch, Instant, Text, UsageEvent
from tallystick.metering.numbers import read_number


class Asked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every correction says; `subject` names the account for who may name several."""

    reason: str
    confirm: str | None = None
    preview: bool = False


class ReverseBody(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event to take out, by its source; `subject` is the account where the key has none."""

    source: Text | None = None
    subject: Text | None = None


class AmendBody(ReverseBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an event says now; what is left out stays. Properties are replaced as a whole."""

    type: Text | msgspec.UnsetType = msgspec.UNSET
    at: Instant | msgspec.UnsetType = msgspec.field(default=msgspec.UNSET, name="time")
    properties: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET

    @property
    def change(self) -> Change:
        """What changes."""
        return Change(
            type=None if self.type is msgspec.UNSET else self.type,
            at=None if self.at is msgspec.UNSET else self.at,
            properties=None if self.properties is msgspec.UNSET else self.properties,
        )


class BackfillBody(Asked, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Events in our own form, all of one account."""

    events: Annotated[list[msgspec.Raw], msgspec.Meta(min_length=1)]


_REVERSE: Final = msgspec.json.Decoder(ReverseBody)
_AMEND: Final = msgspec.json.Decoder(AmendBody, float_hook=read_number)
_BACKFILL: Final = msgspec.json.Decoder(BackfillBody)


def read_reversal(body: bytes) -> ReverseBody:
    """Read a request to take an event out."""
    asked = decode(_REVERSE, body)
    _check_texts(body, asked, "", {})
    return asked


def read_amendment(body: bytes) -> AmendBody:
    """Read a request to amend an event; it must change something."""
    asked = decode(_AMEND, body)
    change = asked.change
    if change == Change():
        raise BadInput.field("properties", "missing", "say what changes: type, time, properties")
    _check_texts(body, asked, change.type or "", change.properties or {})
    return asked


def read_backfill(body: bytes) -> tuple[BackfillBody, Sequence[UsageEvent]]:
    """Read a request to store events of any age; each names its instant."""
    asked = decode(_BACKFILL, body)
    if len(asked.events) > EVENTS_MAX:
        raise BadInput.field("events", "too_many_events", f"may be {EVENTS_MAX} at most")
    batch = own_events.read_many(b'{"events":[%b]}' % b",".join(map(bytes, asked.events)))
    refuse(
        [
            FieldError(batch.shape.path(at, batch.shape.at), "missing", "must say when it happened")
            for at, event in enumerate(batch.events)
            if event.at is None
        ]
    )
    return asked, batch.events


def _check_texts(
    body: bytes, asked: ReverseBody, event_type: str, properties: Mapping[str, Any]
) -> None:
    """Refuse what no event can hold: control characters, deep nesting."""
    event = UsageEvent(
        source=asked.source or "-",
        id="-",
        type=event_type,
        subject=asked.subject or "-",
        properties=dict(properties),
    )
    check_batch(Batch(AMENDMENT, [event]), body)
