"""The server as it is (`tallystick serve`), with one route beside: a POST that does nothing.

The route is in the same process and takes the same way as a debit: edge, authentication by key,
rate limit, permission, the body read. Then it answers. No route of the product is a fair measure:
each writes something, or refuses, and to make a refusal costs more than the answer to a debit.
"""

import sys
from typing import Final

from litestar import Litestar
from litestar.types import ASGIApp, Receive, Scope, Send

from tallystick import app
from tallystick.__main__ import main
from tallystick.api.application import build_asgi
from tallystick.api.captured import Captured
from tallystick.api.edge import Edge, Metrics
from tallystick.api.plain_routes import Asked, PlainRoute, PlainRoutes, json_answer
from tallystick.api.services import Services

NOTHING: Final = "/bench/nothing"


def build_with_nothing(litestar: Litestar, services: Services, metrics: Metrics) -> ASGIApp:
    """Return the whole application, and the route beside it."""
    whole = build_asgi(litestar, services, metrics)
    routes = {NOTHING: PlainRoute("credits:write", _do_nothing)}
    limiter = litestar.state.limiter
    beside = Edge(PlainRoutes(whole, services.authenticator, limiter, routes), metrics, "")

    async def choose(scope: Scope, receive: Receive, send: Send) -> None:
        chosen = beside if scope.get("path") == NOTHING else whole
        await chosen(scope, receive, send)

    return choose


async def _do_nothing(_: Asked) -> Captured:
    return json_answer(b"{}", {})


if __name__ == "__main__":
    setattr(app, "build_asgi", build_with_nothing)  # noqa: B010 - it is not exported from there
    sys.argv = ["tallystick", "serve"]
    main()
