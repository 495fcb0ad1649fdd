"""All that the simulator remembers: objects by family and key, changed in whole transactions."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tallystick.simulators.stripe.errors import Json
from tallystick.simulators.stripe.ids import Ids
from tallystick.simulators.stripe.state_store import Change, StateFile

# Seconds since 1970, UTC, as Stripe's `created`.
Clock = Callable[[], int]


class State:
    """Objects in memory, and in a file where one is given.

    What `put` takes is never changed in place: a changed object is a new one. That makes a
    snapshot in an event free, and undoing a request a matter of putting the old ones back.
    """

    def __init__(self, clock: Clock, ids: Ids, file: StateFile | None = None) -> None:
        self.now = clock
        self.ids = ids
        self._file = file
        self._families: dict[str, dict[str, Json]] = {}
        self._before: dict[tuple[str, str], Json | None] = {}
        self.after_change: Callable[[list[Change]], None] = _nobody
        for family, key, value in file.load() if file else ():
            self._families.setdefault(family, {})[key] = value

    def get(self, family: str, key: str) -> Json | None:
        """Return the object, or None."""
        return self._families.get(family, {}).get(key)

    def newest_first(self, family: str) -> Iterator[Json]:
        """Walk a family from the object made last to the first one; change nothing meanwhile."""
        return reversed(self._families.get(family, {}).values())

    def put(self, family: str, key: str, value: Json) -> Json:
        """Make or replace an object and return it; only inside `change`."""
        self._remember(family, key)
        self._families.setdefault(family, {})[key] = value
        return value

    def save(self, thing: Json) -> Json:
        """Make or replace an API object under its own `object` and `id`."""
        return self.put(thing["object"], thing["id"], thing)

    def drop(self, family: str, key: str) -> None:
        """Forget an object; only inside `change`."""
        self._remember(family, key)
        self._families.get(family, {}).pop(key, None)

    def clear(self) -> None:
        """Forget everything, in the file too."""
        self._families.clear()
        if self._file:
            self._file.clear()

    def close(self) -> None:
        """Close the file."""
        if self._file:
            self._file.close()

    @contextmanager
    def change(self) -> Iterator[None]:
        """Keep all that is put inside, written to the file first; or nothing, on an exception."""
        self._before = {}
        try:
            yield
            changes = self._changes()
            if self._file:
                self._file.write(changes)
        except BaseException:
            for (family, key), old in self._before.items():
                self._restore(family, key, old)
            raise
        finally:
            self._before = {}
        self.after_change(changes)

    def _changes(self) -> list[Change]:
        return [(family, key, self.get(family, key)) for family, key in self._before]

    def _remember(self, family: str, key: str) -> None:
        self._before.setdefault((family, key), self.get(family, key))

    def _restore(self, family: str, key: str, old: Json | None) -> None:
        if old is None:
            self._families.get(family, {}).pop(key, None)
        else:
            self._families.setdefault(family, {})[key] = old


def _nobody(_changes: list[Change]) -> None:
    """Nobody listens."""
