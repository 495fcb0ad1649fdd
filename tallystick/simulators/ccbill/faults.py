"""Faults on demand: delays, cut connections, errors, broken bodies, and webhooks that stray."""

from typing import Annotated, Literal

import msgspec

from tallystick.simulators.armed_faults import ArmedFaults

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

    @property
    def is_on_webhooks(self) -> bool:
        """Whether it meets deliveries, and not requests."""
        return self.action in WEBHOOK_ACTIONS


Faults = ArmedFaults[Fault]
"""The faults that are armed, in the order they were asked for."""
