"""All routes of the simulated API. A new family of objects is a new file and a line here."""

from tallystick.simulators.stripe import (
    authentication,
    charges,
    customers,
    events,
    payment_intents,
    payment_methods,
    refunds,
    setup_intents,
    webhook_endpoints,
)
from tallystick.simulators.stripe.bank import collecting, mandates, microdeposits
from tallystick.simulators.stripe.billing import (
    catalog,
    invoice_items,
    invoice_routes,
    prices,
    products,
    subscriptions,
)
from tallystick.simulators.stripe.books import balance, disputes
from tallystick.simulators.stripe.call import Route
from tallystick.simulators.stripe.checkout import paying, sessions
from tallystick.simulators.stripe.errors import no_such_url
from tallystick.simulators.stripe.meters import error_reports, meters, summaries, telling

ROUTES: tuple[Route, ...] = (
    *customers.ROUTES,
    *setup_intents.ROUTES,
    *payment_methods.ROUTES,
    *payment_intents.ROUTES,
    *microdeposits.ROUTES,
    *mandates.ROUTES,
    *charges.ROUTES,
    *refunds.ROUTES,
    *disputes.ROUTES,
    *balance.ROUTES,
    *products.ROUTES,
    *catalog.ROUTES,
    *prices.ROUTES,
    *subscriptions.ROUTES,
    *invoice_routes.ROUTES,
    *invoice_items.ROUTES,
    *sessions.ROUTES,
    *paying.ROUTES,
    *meters.ROUTES,
    *telling.ROUTES,
    *summaries.ROUTES,
    *error_reports.ROUTES,
    *events.ROUTES,
    *webhook_endpoints.ROUTES,
    *authentication.ROUTES,
    *collecting.ROUTES,
)


def find(method: str, path: str) -> tuple[Route, dict[str, str]]:
    """Return the route with the ids in the path. Raises StripeError 404 when there is none."""
    for route in ROUTES:
        ids = route.match(method, path)
        if ids is not None:
            return route, ids
    raise no_such_url(method, path)


def for_pages(path: str) -> bool:
    """Tell whether a page may call this path at all."""
    return any(route.client and route.match(route.method, path) is not None for route in ROUTES)
