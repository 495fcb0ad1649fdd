"""Our totals against Lago's: pure."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

import msgspec

from tallystick.catalog.model import Meter

NOT_COMPARED: Final = frozenset({"weighted_sum"})
"""Lago weighs by the part of the period that is over, we by the whole of it."""
_ZERO: Final = Decimal(0)


class Line(msgspec.Struct, frozen=True):
    """One meter in one period; `theirs` None: no charge of the plan in Lago counts it."""

    meter: Meter
    ours: Decimal
    theirs: Decimal | None

    @property
    def is_equal(self) -> bool:
        """Whether both count the same."""
        return self.ours == (self.theirs or _ZERO)


def comparable(meters: Sequence[Meter]) -> tuple[Meter, ...]:
    """Return the meters whose totals mean the same here and there."""
    return tuple(meter for meter in meters if meter.aggregation not in NOT_COMPARED)


def lines(
    meters: Sequence[Meter], ours: Mapping[str, Decimal], theirs: Mapping[str, Decimal]
) -> tuple[Line, ...]:
    """Return a line for each meter that either side has used, in the meters' order."""
    made = [Line(meter, ours.get(meter.code, _ZERO), theirs.get(meter.code)) for meter in meters]
    return tuple(line for line in made if line.ours or line.theirs)
