"""Events that were not looked at yet for periods that are billed already.

An event may be committed after an invoice read usage and before that invoice is committed. So what
settled by one look is told at a later one, when all that ran at the first has ended: by then each
invoice that did not see the event is there.
"""

from msgspec.structs import replace

from tallystick.kernel.db import Connection
from tallystick.metering import late_store
from tallystick.metering.late_store import Earliest, LateMark


async def new_events(conn: Connection) -> tuple[Earliest, ...]:
    """Return the earliest new events by account and type, each event once; the writer's scope.

    Nothing while others look. Where usage is kept outside PostgreSQL nothing is found.
    """
    mark = await late_store.lock_mark(conn)
    if mark is None:
        return ()
    found: tuple[Earliest, ...] = ()
    if is_told(mark):
        found = await late_store.earliest(conn, mark.upto, mark.next_upto)
    await late_store.move_mark(conn, moved(mark))
    return found


def is_told(mark: LateMark) -> bool:
    """Tell whether all that ran when the bound was set has ended."""
    return mark.settled >= mark.next_after


def moved(mark: LateMark) -> LateMark:
    """Return the mark behind a look: a bound that was reached, and the next one."""
    if mark.upto > mark.next:  # a dump restored into another server: its numbers are no longer ours
        return replace(mark, upto=0, next_upto=mark.settled, next_after=mark.next)
    if not is_told(mark):
        return mark
    return replace(mark, upto=mark.next_upto, next_upto=mark.settled, next_after=mark.next)
