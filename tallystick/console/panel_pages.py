"""The control panel: one page on which an account's billing is seen and tried out.

It is open to anybody and holds nothing of anybody: what it shows its scripts ask of the API, with
the tokens that somebody set in this tab or with the session of whoever is signed in.
"""

from functools import cache
from typing import Any, Final

import msgspec
from litestar import Response, get

from tallystick.console.context import Console
from tallystick.console.rendering import WebRequest, page
from tallystick.money.currency import currencies
from tallystick.settings import VARIABLES, Settings
from tallystick.settings_readers import Variable

_OPEN: Final = {"public": True, "always_on": True, "page": True}
_USUAL: Final = 2
_STRIPE: Final = frozenset({"STRIPE_SECRET_KEY", "STRIPE_PUBLISHABLE_KEY", "STRIPE_WEBHOOK_SECRET"})
_CCBILL: Final = frozenset(
    {
        "CCBILL_FRONTEND_CLIENT_ID",
        "CCBILL_FRONTEND_CLIENT_SECRET",
        "CCBILL_BACKEND_CLIENT_ID",
        "CCBILL_BACKEND_CLIENT_SECRET",
        "CCBILL_CLIENT_ACCNUM",
        "CCBILL_CLIENT_SUBACC",
    }
)


class GatewayView(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway's part of the page; not configured: what has to be set, and where webhooks go."""

    key: str
    name: str
    is_configured: bool
    variables: tuple[Variable, ...]
    webhook: str


def gateway_views(settings: Settings) -> tuple[GatewayView, ...]:
    """Return the gateways that have a part of their own."""
    stripe = settings.stripe_configured and settings.stripe_publishable_key
    return (
        _view(settings, "stripe", "Stripe", _STRIPE, is_configured=bool(stripe)),
        _view(settings, "ccbill", "CCBill", _CCBILL, is_configured=settings.ccbill.makes_tokens),
    )


@cache
def _exponents() -> str:
    """Return, as JSON, how many decimals a currency has that has not two."""
    odd = {one.code: one.exponent for one in currencies().values() if one.exponent != _USUAL}
    return msgspec.json.encode(odd).decode()


def _view(
    settings: Settings, key: str, name: str, names: frozenset[str], *, is_configured: bool
) -> GatewayView:
    return GatewayView(
        key=key,
        name=name,
        is_configured=is_configured,
        variables=tuple(one for one in VARIABLES if one.name in names),
        webhook=f"{settings.public_url}/api/{key}/webhook",
    )


@get("/", opt={**_OPEN, "recognizes": True, "any_query": True}, include_in_schema=False)
async def show_panel(console: Console, request: WebRequest) -> Response[str]:
    """Show the control panel; a gateway's page sends a payer back here, with a query of its own."""
    if not console.settings.billing_enabled:
        return page(console, request, "switched_off.html", {})
    stripe, ccbill = gateway_views(console.settings)
    facts = {
        "stripe": stripe,
        "ccbill": ccbill,
        "exponents": _exponents(),
        "public_url": console.settings.public_url,
    }
    return page(console, request, "panel.html", facts, here="/")


@get("/docs/settings", opt={**_OPEN, "recognizes": True}, include_in_schema=False)
async def show_settings(console: Console, request: WebRequest) -> Response[Any]:
    """Show by which variables this product is set up; their names and meanings, never values."""
    return page(console, request, "settings.html", {"variables": VARIABLES})


ROUTES: Final = (show_panel, show_settings)
