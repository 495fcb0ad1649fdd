"""What a price is charged for: the usage of a period, or a part of it rated on its own."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import msgspec

from tallystick.pricing.model import ZERO
from tallystick.pricing.usage import DynamicSum, EventTally


class Level(msgspec.Struct, frozen=True):
    """So many units were held on so many days in a row."""

    quantity: Decimal
    days: int


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """What a recurring meter held at the end of each day, in order, of a period's `whole` days.

    The days are those of a time zone; they may be fewer than all: those of a part of the period.
    """

    levels: tuple[Level, ...]
    whole: int
    timezone: str


class Use(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is rated at once: all that was used, or what one group or filter of it was.

    `group` holds the values of the price's `group_by` properties, None where events had none;
    `filter` is the position of the price's filter that took it, None: no filter did. `event_count`,
    `events` and `held` are there where the price needs to know them.
    """

    quantity: Decimal = ZERO
    group: dict[str, str | None] = {}
    filter: int | None = None
    event_count: int | None = None
    events: EventTally | DynamicSum | None = None
    held: Held | None = None


Uses = Mapping[str, Sequence[Use]]
"""What was used by the code of the price that bills it; absent: nothing."""

UNUSED: tuple[Use, ...] = (Use(),)
