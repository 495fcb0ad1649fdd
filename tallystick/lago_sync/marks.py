"""Which events are read next, for which meters: pure.

Each meter has its mark, for a new one starts at the beginning while the others stand at the end.
Meters at the same mark go on together, so that events are read once and not once for each.
"""

from collections.abc import Mapping
from uuid import UUID

import msgspec

from tallystick.metering.walk import START
from tallystick.metering.walk_model import Position


class Stretch(msgspec.Struct, frozen=True):
    """Events behind `after`, up to and with `upto` (None: to the end), for these meters."""

    meter_ids: frozenset[UUID]
    after: Position
    upto: Position | None


def next_stretch(marks: Mapping[UUID, Position]) -> Stretch | None:
    """Return the stretch of the hindmost meters, up to where the next ones stand.

    There they meet and go on together. None without meters.
    """
    if not marks:
        return None
    standing = sorted(set(marks.values()))
    group = frozenset(meter for meter, mark in marks.items() if mark == standing[0])
    return Stretch(group, standing[0], standing[1] if len(standing) > 1 else None)


def with_new(marks: Mapping[UUID, Position], meter_ids: frozenset[UUID]) -> dict[UUID, Position]:
    """Return the marks of all these meters; one without a mark stands at the beginning."""
    return {meter_id: marks.get(meter_id, START) for meter_id in meter_ids}
