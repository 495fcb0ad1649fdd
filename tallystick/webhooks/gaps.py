"""When a gateway has to be asked for the list of its events, and since when. Pure."""

from datetime import datetime, timedelta
from typing import Final, Literal

from tallystick.webhooks.model import Signs

SILENCE: Final = timedelta(minutes=15)
"""So long nothing may be heard of a gateway while a charge there waits for its result."""
REGULAR: Final = timedelta(days=1)
"""So often it is asked in any case; so there is never more to list than a day and the overlap."""
JUST_ASKED: Final = timedelta(minutes=5)
"""After a start it is not asked again when another process has only just done so."""
OVERLAP: Final = timedelta(hours=1)
"""So much further back it is asked: events are listed by when they happened, not by when told."""

Reason = Literal["start", "silence", "regular"]


def reason_to_ask(signs: Signs, now: datetime, *, started: bool) -> Reason | None:
    """Return why to ask; None: nothing says that an event could be missing.

    `started`: nobody asked since this process began.
    """
    if known_until(signs) is None:
        return None
    if started and _is_over(signs.finished_at, JUST_ASKED, now):
        return "start"
    is_silent = signs.oldest_open_at is not None and all(
        _is_over(at, SILENCE, now)
        for at in (signs.oldest_open_at, signs.last_received_at, signs.finished_at)
    )
    if is_silent:
        return "silence"
    return "regular" if _is_over(signs.finished_at, REGULAR, now) else None


def ask_since(signs: Signs, now: datetime) -> datetime:
    """Return since when events are to be listed."""
    return (known_until(signs) or now) - OVERLAP


def known_until(signs: Signs) -> datetime | None:
    """Return until when all is known; None where nothing of ours was ever at this gateway."""
    if signs.checked_until is not None:
        return signs.checked_until
    begun = [at for at in (signs.first_received_at, signs.oldest_open_at) if at is not None]
    return min(begun, default=None)


def _is_over(at: datetime | None, wait: timedelta, now: datetime) -> bool:
    return at is None or now - at >= wait
