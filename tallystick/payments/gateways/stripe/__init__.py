from tallystick.payments.gateways.stripe.adapter import StripeGateway, stripe_of
from tallystick.payments.gateways.stripe.client import StripeSettings

__all__ = ["StripeGateway", "StripeSettings", "stripe_of"]
