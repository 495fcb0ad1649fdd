"""`BILLING_ENABLED=false`: every route of billing answers 404 `billing_disabled`."""

from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from tallystick.kernel.errors import NotFound


class BillingSwitch(ASGIMiddleware):
    """Lets through what is not billing: health, features, documentation, signing in."""

    scopes = (ScopeType.HTTP,)
    exclude_opt_key = "always_on"

    def __init__(self, *, enabled: bool) -> None:
        self._enabled = enabled

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Refuse when billing is off."""
        if not self._enabled:
            raise NotFound("billing_disabled", "Billing is switched off here.")
        await next_app(scope, receive, send)
