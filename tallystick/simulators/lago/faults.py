"""Faults on demand: errors, delays, cut connections, answers lost after the work is done."""

from fnmatch import fnmatchcase
from typing import Annotated, Literal

import msgspec


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What shall go wrong with requests on `path` (`*` stands for anything), and how often.

    - status: answer `status`, with `retry_after` in that header, having done nothing;
    - delay: do it, wait `delay_ms`, then answer;
    - drop_before: cut the connection, having done nothing;
    - drop_reply: do it, then cut the connection;
    - status_after: do it, then answer `status`.
    """

    action: Literal["status", "delay", "drop_before", "drop_reply", "status_after"]
    path: str = "*"
    times: Annotated[int, msgspec.Meta(ge=1)] = 1
    skip: Annotated[int, msgspec.Meta(ge=0)] = 0
    status: Annotated[int, msgspec.Meta(ge=400, le=599)] = 500
    retry_after: str | None = None
    delay_ms: Annotated[int, msgspec.Meta(ge=0, le=600_000)] = 0


class Faults:
    """The faults that are armed, in the order they were asked for."""

    def __init__(self) -> None:
        self._armed: list[Fault] = []

    def arm(self, fault: Fault) -> None:
        """Wait for a match."""
        self._armed.append(fault)

    def clear(self) -> None:
        """Disarm all."""
        self._armed.clear()

    def listed(self) -> list[Fault]:
        """Return what is still armed."""
        return list(self._armed)

    def take(self, path: str) -> Fault | None:
        """Return the fault that meets this request, and count it."""
        for place, fault in enumerate(self._armed):
            if not fnmatchcase(path, fault.path):
                continue
            if fault.skip:
                self._armed[place] = msgspec.structs.replace(fault, skip=fault.skip - 1)
                continue
            if fault.times == 1:
                del self._armed[place]
            else:
                self._armed[place] = msgspec.structs.replace(fault, times=fault.times - 1)
            return fault
        return None
