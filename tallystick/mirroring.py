"""The mirror of the gateway in which a business lives already: Stripe, where its key is set."""

from typing import Final

from tallystick.api.services import Services
from tallystick.mirror.service import Mirror
from tallystick.payments.gateways.stripe import StripeGateway

COUNTRY: Final = "US"
"""Of a customer who says none; an invoice of ours needs one."""


def mirror_of(services: Services) -> Mirror | None:
    """Return the mirror of Stripe; None without its key."""
    if "stripe" not in services.gateways.names():
        return None
    gateway = services.gateways.get("stripe")
    if not isinstance(gateway, StripeGateway):
        return None
    return Mirror(
        services.db,
        gateway.name,
        gateway.mirror,
        services.clock,
        country=COUNTRY,
        currency=services.settings.default_currency,
    )
