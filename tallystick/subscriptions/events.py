"""What subscriptions tell: written to the outbox with the change itself."""

from typing import Final
from uuid import UUID

import msgspec

SUBSCRIPTION_STARTED: Final = "subscription.started"
SUBSCRIPTION_RENEWED: Final = "subscription.renewed"
SUBSCRIPTION_CHANGED: Final = "subscription.changed"
SUBSCRIPTION_ENDED: Final = "subscription.ended"


class PeriodBegan(msgspec.Struct, frozen=True):
    """A period of the subscription begins, or another plan or quantity in one, or nothing more."""

    subscription_id: UUID
    period_index: int
