"""The mirror of the gateway in which a business lives already: Stripe, where its key is set."""

from typing import Final

from tallystick.api.services import Services
from tallystick.mirror.service import Mirror
from tallystick.payments.gateways.stripe import stripe_of

COUNTRY: Final = "US"
"""Of a customer who says none; an invoice of ours needs one."""


def mirror_of(services: Services) -> Mirror | None:
    """Return the mirror of Stripe; None without its key."""
    gateway = stripe_of(services.gateways)
    if gateway is None:
        return None
    return Mirror(
        services.db,
        gateway.name,
        gateway.mirror,
        services.clock,
        country=COUNTRY,
        currency=services.settings.default_currency,
    )
