"""What subscriptions tell: written to the outbox with the change itself."""

from typing import Final
from uuid import UUID

import msgspec

SUBSCRIPTION_STARTED: Final = "subscription.started"
SUBSCRIPTION_RENEWED: Final = "subscription.renewed"


class PeriodBegan(msgspec.Struct, frozen=True):
    """A period of the subscription begins: the first one, or the one after a billed one."""

    subscription_id: UUID
    period_index: int
