"""Faults on demand: delays, cut connections, errors, and webhooks that stray."""

from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Annotated, Literal

import msgspec

OnRequest = Literal["delay", "drop_before", "drop_reply", "status", "status_after"]
OnWebhook = Literal["duplicate", "hold", "never"]
WEBHOOK_ACTIONS = frozenset({"duplicate", "hold", "never"})


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What shall go wrong, how often, and with what.

    On requests that match `method` and `path` (`*` stands for anything):
    - delay: wait `delay_ms`, then go on as usual;
    - drop_before: cut the connection, having done nothing;
    - drop_reply: do it, keep the answer for the idempotency key, cut the connection;
    - status: answer `status` (500, 429, ...), having done nothing;
    - status_after: do it, then answer `status`; with `keep_answer` that error is what the
      idempotency key gives from then on, as Stripe does with its 500s.

    On webhooks of events that match `event`: duplicate (sent twice), hold (until released),
    never. `times` None means always; the first `skip` matches are let pass.
    """

    action: OnRequest | OnWebhook
    method: str = "*"
    path: str = "*"
    event: str = "*"
    times: Annotated[int, msgspec.Meta(ge=1)] | None = 1
    skip: Annotated[int, msgspec.Meta(ge=0)] = 0
    delay_ms: Annotated[int, msgspec.Meta(ge=0, le=600_000)] = 0
    status: Annotated[int, msgspec.Meta(ge=400, le=599)] = 500
    keep_answer: bool = True


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
        """Return the fault that meets the delivery of an event of this type, and count it."""
        return self._take(
            lambda fault: fault.action in WEBHOOK_ACTIONS and fnmatchcase(event, fault.event)
        )

    def _take(self, matches: Callable[[Fault], bool]) -> Fault | None:
        for place, armed in enumerate(self._armed):
            if not matches(armed.fault):
                continue
            if armed.skips_left:
                self._armed[place] = msgspec.structs.replace(armed, skips_left=armed.skips_left - 1)
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
            self._armed[place] = msgspec.structs.replace(armed, times_left=armed.times_left - 1)
