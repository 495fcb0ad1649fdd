"""How long to wait after a failure: pure, randomness comes in."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

FIRST: Final = timedelta(seconds=2)
LONGEST: Final = timedelta(minutes=10)
ASKED_LONGEST: Final = timedelta(hours=1)
_MILLI: Final = timedelta(milliseconds=1)
_DOUBLINGS_MAX: Final = 20


def wait_after(
    failure_count: int, asked_s: int | None, random_below: Callable[[int], int]
) -> timedelta:
    """Return the wait after so many failures in a row: about 2 s, 4 s ... ten minutes.

    A random part of up to half keeps several workers from coming back at the same moment. What
    the server asked for (`asked_s`) is waited for, up to an hour.
    """
    doubled = FIRST * (1 << min(max(failure_count - 1, 0), _DOUBLINGS_MAX))
    longest_ms = min(doubled, LONGEST) // _MILLI
    drawn = longest_ms // 2 + random_below(longest_ms // 2 + 1)
    asked = min(timedelta(seconds=min(asked_s or 0, 86_400)), ASKED_LONGEST)
    return max(drawn * _MILLI, asked)
