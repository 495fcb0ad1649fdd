"""Every type of event that there is; each is described in docs/events.md."""

import re
from types import ModuleType
from typing import Final

from tallystick.alerts import events as alerts
from tallystick.corrections import events as corrections
from tallystick.credit_notes import events as credit_notes
from tallystick.credits import events as credits_
from tallystick.invoices import events as invoices
from tallystick.outgoing_webhooks import events as outgoing_webhooks
from tallystick.payments import events as payments
from tallystick.plan_migrations import events as plan_migrations
from tallystick.subscriptions import events as subscriptions

_MODULES: Final = (
    alerts,
    corrections,
    credit_notes,
    credits_,
    invoices,
    outgoing_webhooks,
    payments,
    plan_migrations,
    subscriptions,
)
_TYPE: Final = re.compile(r"[a-z_]+\.[a-z_]+")


def _types_of(module: ModuleType) -> list[str]:
    return [
        value
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, str) and _TYPE.fullmatch(value)
    ]


EVENT_TYPES: Final = tuple(sorted(name for module in _MODULES for name in _types_of(module)))
"""The types that endpoints can ask for: the constants of each capability's `events.py`."""
