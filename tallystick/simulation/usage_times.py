"""When the usage of a story happened: at one instant, in the order of the steps. Pure."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from tallystick.simulation.scenario import Step, Usage

_MICROSECOND_MAX: Final = 999_999


def usage_times(steps: Sequence[Step]) -> dict[int, datetime]:
    """Return when each `usage` step happened, by its place.

    Metering knows no order within one instant, yet the latest value, or which event was free, goes
    by it. So of a meter's events at 10:00:00 the second happened a microsecond after the first,
    and so on, never beyond that second: a period's edge lies on one. What has the id of an event
    before has its time too, and counts once.
    """
    times: dict[int, datetime] = {}
    known: dict[tuple[str, datetime, str], datetime] = {}
    counts: Counter[tuple[str, datetime]] = Counter()
    for place, step in enumerate(steps):
        if not isinstance(step, Usage):
            continue
        said = step.time or step.at
        event = step.meter, said, step.id or f"step {place}"
        if event not in known:
            later = min(counts[step.meter, said], _MICROSECOND_MAX - said.microsecond)
            known[event] = said + timedelta(microseconds=later)
            counts[step.meter, said] += 1
        times[place] = known[event]
    return times
