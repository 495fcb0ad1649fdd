"""Faults on demand: delays, cut connections, errors, broken bodies, and webhooks that stray."""

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Annotated, Literal

import msgspec

OnRequest = Literal["delay", "drop", "drop_reply", "status", "status_after", "timeout", "truncate"]
OnWebhook = Literal["duplicate", "hold", "reorder", "late", "never"]
WEBHOOK_ACTIONS = frozenset({"duplicate", "hold", "reorder", "late", "never"})


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What shall go wrong, how often, and with what.

    On requests that match `method` and `path` (`*` stands for anything):
    - delay: wait `delay_ms`, then go on as usual;
    - drop: cut the connection, having done nothing;
    - drop_reply: do it, then cut the connection;
    - status: answer `status` and `code`, having done nothing;
    - status_after: do it, then answer `status` and `code`;
    - timeout: do it, say nothing for `delay_ms` (60 s unless told), then cut the connection;
    - truncate: do it, answer half of the body.

    On the first try of webhooks of events that match `event`: duplicate (`copies` in all), hold
    (until released), reorder (behind the next one), late (`delay_ms` later), never.
    `times` None means always; the first `skip` matches are let pass.
    """

    action: OnRequest | OnWebhook
    method: str = "*"
    path: str = "*"
    event: str = "*"
    times: Annotated[int, msgspec.Meta(ge=1)] | None = 1
    skip: Annotated[int, msgspec.Meta(ge=0)] = 0
    delay_ms: Annotated[int, msgspec.Meta(ge=0, le=86_400_000)] | None = None
    status: Annotated[int, msgspec.Meta(ge=400, le=599)] = 500
    code: int = 100100
    copies: Annotated[int, msgspec.Meta(ge=2, le=100)] = 2


class Armed(msgspec.Struct, frozen=True):
    """A fault with what is left of its counts."""

    fault: Fault
    skips_left: int
    times_left: int | None


class Faults:
    """The faults that are armed, in the order they were asked for."""

    def __init__(self) -> None:
        self._armed: list[Armed] = []

    def arm(self, fault: Fault) -> None:
        """Wait for a match."""
        self._armed.append(Armed(fault, fault.skip, fault.times))

    def listed(self) -> list[Armed]:
        """Return the armed faults, for people and tests."""
        return list(self._armed)

    def clear(self) -> None:
        """Disarm all."""
        self._armed.clear()

    def on_request(self, method: str, path: str) -> Fault | None:
        """Return the fault that meets this request, and count it."""
        return self._take(
            lambda fault: (
                fault.action not in WEBHOOK_ACTIONS
                and fnmatchcase(method, fault.method.upper())
                and fnmatchcase(path, fault.path)
            )
        )

    def on_webhook(self, event: str) -> Fault | None:
        """Return the fault that meets the delivery of an event of this kind, and count it."""
        return self._take(
            lambda fault: fault.action in WEBHOOK_ACTIONS and fnmatchcase(event, fault.event)
        )

    def _take(self, matches: Callable[[Fault], bool]) -> Fault | None:
        for place, armed in enumerate(self._armed):
            if not matches(armed.fault):
                continue
            if armed.skips_left:
                left = armed.skips_left - 1
                self._armed[place] = msgspec.structs.replace(armed, skips_left=left)
                continue
            self._count(place, armed)
            return armed.fault
        return None

    def _count(self, place: int, armed: Armed) -> None:
        if armed.times_left is None:
            return
        if armed.times_left == 1:
            del self._armed[place]
        else:
            left = armed.times_left - 1
            self._armed[place] = msgspec.structs.replace(armed, times_left=left)
