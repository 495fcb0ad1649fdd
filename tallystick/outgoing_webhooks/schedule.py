"""What follows from an answer: done, again later, or given up. Pure; the clock is an argument."""

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

import msgspec

from tallystick.outgoing_webhooks.model import Answer

# The waits that Standard Webhooks proposes ("Deliverability and reliability"): together a little
# over three days.
WAITS: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
TRIES_MAX: Final = len(WAITS) + 1
JITTER: Final = 0.1
"""Waits are longer by up to a tenth: what failed together is not sent together again."""
DISABLE_AFTER: Final = timedelta(days=5)
"""So long an endpoint may answer with nothing but failures."""


class Arrived(msgspec.Struct, frozen=True, tag=True):
    """The endpoint has it."""


class Again(msgspec.Struct, frozen=True, tag=True):
    """To be tried again at `at`."""

    at: datetime


class GivenUp(msgspec.Struct, frozen=True, tag=True):
    """Not to be tried again by itself; `gone`: the endpoint wants no more of anything."""

    gone: bool = False


Next = Arrived | Again | GivenUp


def follow_up(answer: Answer, round_count: int, now: datetime, chance: float) -> Next:
    """Return what follows from the answer to try number `round_count`; `chance` in [0, 1)."""
    code = answer.status_code
    if code is not None and HTTPStatus.OK <= code < HTTPStatus.MULTIPLE_CHOICES:
        return Arrived()
    if code == HTTPStatus.GONE:
        return GivenUp(gone=True)
    if round_count >= TRIES_MAX:
        return GivenUp()
    return Again(now + WAITS[round_count - 1] * (1 + JITTER * chance))


def is_hopeless(failing_since: datetime, now: datetime) -> bool:
    """Tell whether an endpoint that fails since then is to be disabled."""
    return now - failing_since >= DISABLE_AFTER
