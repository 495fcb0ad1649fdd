"""OPTIONS: which methods a route has.

The framework makes a handler for it with the first handler of a path, and its `Allow` does not
learn of the others; so the answer is made here.
"""

from typing import Final, cast

from litestar import Litestar
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.routes import HTTPRoute
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from tallystick.api.captured import Captured

_ALLOW: Final = "allow"


class Options(ASGIMiddleware):
    """Answers OPTIONS with 204 and `Allow`; nobody needs to sign in for it."""

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Answer, or pass every other method on."""
        if cast("HTTPScope", scope)["method"] != "OPTIONS":
            await next_app(scope, receive, send)
            return
        allow: bytes = scope["route_handler"].opt[_ALLOW]
        await Captured(status=204, headers=[(b"allow", allow)]).send(send)


def collect_methods(app: Litestar) -> None:
    """Note at start-up which methods each path has."""
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            handler, _ = route.route_handler_map["OPTIONS"]
            handler.opt[_ALLOW] = ", ".join(sorted(route.methods)).encode()
            handler.opt["public"] = True
