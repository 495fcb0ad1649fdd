"""The simulator's time: the machine's, moved ahead as far as somebody asked for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Seconds since 1970, UTC, as Stripe's `created`.
Clock = Callable[[], int]


class SimulatedClock:
    """Gives seconds since 1970, UTC. It goes on by itself, and jumps ahead when told."""

    def __init__(self, real: Clock, ahead: int = 0) -> None:
        self._real = real
        self._held: int | None = None
        self.ahead = ahead

    def __call__(self) -> int:
        """Return the simulated time."""
        return self._real() + self.ahead if self._held is None else self._held

    @contextmanager
    def at(self, instant: int) -> Iterator[None]:
        """Stand still at the instant at which something was due, while it is done."""
        self._held = instant
        try:
            yield
        finally:
            self._held = None
