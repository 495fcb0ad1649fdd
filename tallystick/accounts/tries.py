"""How often somebody may guess: failed sign-ins per e-mail address and per network address.

Counted in this process's memory: with several processes the bound is that many times higher.
"""

from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Final

from tallystick.kernel.errors import TooMany

WINDOW: Final = timedelta(minutes=15)
PAIR_TRIES_MAX: Final = 10
# Wider: an office shares one address, and guesses at one person may come from many.
SINGLE_TRIES_MAX: Final = 100
KEYS_MAX: Final = 20_000

_Key = tuple[str, str]


class FailedTries:
    """Failed tries of the last 15 minutes, by e-mail and address together and by each alone."""

    def __init__(self, keys_max: int = KEYS_MAX) -> None:
        self._keys_max = keys_max
        self._tries: OrderedDict[_Key, list[datetime]] = OrderedDict()

    def begin(self, email: str, address: str, now: datetime) -> None:
        """Count a try before its password is checked, so that many at once do not slip through.

        Raises TooMany `too_many_sign_ins` with `retry_after` in seconds; that try is not counted.
        """
        limits = _limits(email, address)
        for key, tries_max in limits.items():
            recent = self._recent(key, now)
            if len(recent) >= tries_max:
                raise _too_many(recent[-tries_max] + WINDOW - now)
        for key in limits:
            self._tries.setdefault(key, []).append(now)
            self._tries.move_to_end(key)
        while len(self._tries) > self._keys_max:
            self._tries.popitem(last=False)

    def succeeded(self, email: str, address: str, at: datetime) -> None:
        """Take back the try begun at this instant: it was no failure."""
        for key in _limits(email, address):
            if at in (tries := self._tries.get(key, [])):
                tries.remove(at)

    def _recent(self, key: _Key, now: datetime) -> list[datetime]:
        tries = self._tries.get(key)
        if tries is None:
            return []
        tries[:] = [at for at in tries if at > now - WINDOW]
        return tries


def _limits(email: str, address: str) -> dict[_Key, int]:
    return {
        (email, address): PAIR_TRIES_MAX,
        (email, ""): SINGLE_TRIES_MAX,
        ("", address): SINGLE_TRIES_MAX,
    }


def _too_many(wait: timedelta) -> TooMany:
    seconds = max(1, -(-wait // timedelta(seconds=1)))
    return TooMany(
        "too_many_sign_ins",
        "Too many failed sign-ins; wait and try again.",
        extra={"retry_after": seconds},
    )
