"""What is told about endpoints, through the outbox."""

from typing import Final
from uuid import UUID

import msgspec

WEBHOOK_ENDPOINT_DISABLED: Final = "webhook_endpoint.disabled"


class WebhookEndpointDisabled(msgspec.Struct, frozen=True):
    """An endpoint answered with nothing but failures for days, or said that it is gone."""

    webhook_endpoint_id: UUID
    reason: str
