"""Faults on demand: delays, cut connections, errors, and webhooks that stray."""

from typing import Annotated, Literal

import msgspec

from tallystick.simulators.armed_faults import ArmedFaults

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

    @property
    def is_on_webhooks(self) -> bool:
        """Whether it meets deliveries, and not requests."""
        return self.action in WEBHOOK_ACTIONS


Faults = ArmedFaults[Fault]
"""The faults that are armed, in the order they were asked for."""
