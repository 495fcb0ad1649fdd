"""Usage at Stripe's meters, wired: what the worker sends, and what it is told of it."""

from uuid import UUID

from tallystick.api.services import Services, meter_rules
from tallystick.kernel.db import WRITER
from tallystick.kernel.due import WallKind
from tallystick.payments.events import GatewayCustomerLinked
from tallystick.payments.gateways.stripe import stripe_of
from tallystick.payments.news import News
from tallystick.stripe_meters import service
from tallystick.stripe_meters.news import UsageNews
from tallystick.stripe_meters.outcomes import GATEWAY
from tallystick.stripe_meters.sender import Sender


def meter_kinds(services: Services) -> tuple[WallKind, ...]:
    """Return the sending, if there is a Stripe; without configured meters it finds nothing."""
    stripe = stripe_of(services.gateways)
    if stripe is None:
        return ()
    rules = meter_rules(services.settings)
    return (Sender(services.db, stripe.meters, services.clock, rules).kind(),)


def with_usage_news(services: Services, behind: News) -> News:
    """Let what Stripe does not count be marked; other news goes to who stands behind."""
    stripe = stripe_of(services.gateways)
    if stripe is None:
        return behind
    return UsageNews(services.db, stripe.meters, services.clock, behind)


async def send_parked(services: Services, account_id: UUID, linked: GatewayCustomerLinked) -> None:
    """Send what waited for an account's customer at Stripe."""
    if linked.gateway != GATEWAY:
        return
    async with services.db.transaction(WRITER) as conn:
        await service.on_customer_linked(conn, account_id, services.clock())
