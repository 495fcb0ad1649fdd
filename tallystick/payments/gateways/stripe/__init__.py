from tallystick.payments.gateways.stripe.adapter import StripeGateway
from tallystick.payments.gateways.stripe.client import StripeSettings

__all__ = ["StripeGateway", "StripeSettings"]
