"""What a simulator remembers: objects by family and key, changed in whole transactions."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from tallystick.simulators.state_store import Change, StateFile

Thing = TypeVar("Thing")


class Objects(Generic[Thing]):
    """Objects in memory, and in a file where one is given.

    What `put` takes is never changed in place: a changed object is a new one. That makes a
    snapshot in an event free, and undoing a request a matter of putting the old ones back.
    """

    def __init__(
        self, file: StateFile | None = None, read: Callable[[str, Any], Thing] | None = None
    ) -> None:
        """Load what the file has; `read` makes the object of a family from its JSON."""
        self._file = file
        self._families: dict[str, dict[str, Thing]] = {}
        self._before: dict[tuple[str, str], Thing | None] = {}
        self.after_change: Callable[[list[Change]], None] = _nobody
        for family, key, value in file.load() if file else ():
            self._families.setdefault(family, {})[key] = read(family, value) if read else value

    def get(self, family: str, key: str) -> Thing | None:
        """Return the object, or None."""
        return self._families.get(family, {}).get(key)

    def newest_first(self, family: str) -> Iterator[Thing]:
        """Walk a family from the object made last to the first one; change nothing meanwhile."""
        return reversed(self._families.get(family, {}).values())

    def put(self, family: str, key: str, value: Thing) -> Thing:
        """Make or replace an object and return it; only inside `change`."""
        self._remember(family, key)
        self._families.setdefault(family, {})[key] = value
        return value

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

    def _restore(self, family: str, key: str, old: Thing | None) -> None:
        if old is None:
            self._families.get(family, {}).pop(key, None)
        else:
            self._families.setdefault(family, {})[key] = old


def _nobody(_changes: list[Change]) -> None:
    """Nobody listens."""
