"""Faults that wait for what they are to meet; each simulator has kinds of its own."""

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Generic, Protocol, TypeVar

import msgspec


class FaultLike(Protocol):
    """What every fault says: on what, after how many matches (`skip`), how often (None: always)."""

    @property
    def is_on_webhooks(self) -> bool:
        """Whether it meets deliveries, and not requests."""
        ...

    @property
    def method(self) -> str:
        """The method of requests that it meets; `*` stands for anything."""
        ...

    @property
    def path(self) -> str:
        """Their path."""
        ...

    @property
    def event(self) -> str:
        """The event whose deliveries it meets."""
        ...

    @property
    def times(self) -> int | None:
        """How often."""
        ...

    @property
    def skip(self) -> int:
        """How many matches are let pass first."""
        ...


F = TypeVar("F", bound=FaultLike)


class Armed(msgspec.Struct, Generic[F], frozen=True):
    """A fault with what is left of its counts."""

    fault: F
    skips_left: int
    times_left: int | None


class ArmedFaults(Generic[F]):
    """The faults that are armed, in the order they were asked for."""

    def __init__(self) -> None:
        self._armed: list[Armed[F]] = []

    def arm(self, fault: F) -> None:
        """Wait for a match."""
        self._armed.append(Armed(fault, fault.skip, fault.times))

    def listed(self) -> list[Armed[F]]:
        """Return the armed faults, for people and tests."""
        return list(self._armed)

    def clear(self) -> None:
        """Disarm all."""
        self._armed.clear()

    def on_request(self, method: str, path: str) -> F | None:
        """Return the fault that meets this request, and count it."""
        return self._take(
            lambda fault: (
                not fault.is_on_webhooks
                and fnmatchcase(method, fault.method.upper())
                and fnmatchcase(path, fault.path)
            )
        )

    def on_webhook(self, event: str) -> F | None:
        """Return the fault that meets the delivery of an event of this kind, and count it."""
        return self._take(lambda fault: fault.is_on_webhooks and fnmatchcase(event, fault.event))

    def _take(self, matches: Callable[[F], bool]) -> F | None:
        for place, armed in enumerate(self._armed):
            if not matches(armed.fault):
                continue
            if armed.skips_left:
                self._armed[place] = msgspec.structs.replace(armed, skips_left=armed.skips_left - 1)
                continue
            self._count(place, armed)
            return armed.fault
        return None

    def _count(self, place: int, armed: Armed[F]) -> None:
        if armed.times_left is None:
            return
        if armed.times_left == 1:
            del self._armed[place]
        else:
            self._armed[place] = msgspec.structs.replace(armed, times_left=armed.times_left - 1)
