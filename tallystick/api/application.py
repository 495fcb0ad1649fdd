"""The ASGI application: routes, shared machinery around them, and the edge around all."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from litestar import Litestar, Request, Response, Router
from litestar.datastructures import State
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.types import ASGIApp, ControllerRouterHandler

from tallystick import __version__
from tallystick.api import credit_use, errors, events, meta, usage_check
from tallystick.api.answers import JsonResponse
from tallystick.api.auth import (
    Authenticate,
    check_every_route_is_guarded,
    provide_account,
    provide_principal,
    require_csrf_token,
    require_permission,
)
from tallystick.api.billing_switch import BillingSwitch
from tallystick.api.conditional import Conditional
from tallystick.api.edge import Edge, Metrics, content_policy
from tallystick.api.idempotent import Idempotent
from tallystick.api.options import Options, collect_methods
from tallystick.api.paged import provide_page
from tallystick.api.plain_routes import PlainRoute, PlainRoutes
from tallystick.api.rate_limit import RateLimiter
from tallystick.api.services import Services, frame_origins, page_origins
from tallystick.api.strict import (
    BODY_BYTES_MAX,
    StrictRequest,
    collect_query_names,
    refuse_what_is_not_described,
)
from tallystick.kernel.errors import TallystickError
from tallystick.money.errors import MoneyError

BILLING: Final = "/api/v1/billing"
CONTROL_PANEL: Final = "/api/billing"
"""The same routes under the base of the CCBill and Stripe seeds; one description serves both."""

Answer = Callable[[Request[Any, Any, Any], Any], Response[Any]]
"""From a request and what was raised to the answer."""

OPENAPI: Final = OpenAPIConfig(
    title="Tallystick",
    version=__version__,
    description="Meter, price, invoice, collect. Every route below /api/v1/billing is also at "
    "/api/billing. Errors are RFC 9457 problems with a stable `code`.",
    render_plugins=[],
    openapi_router=Router(
        "/openapi-unused", route_handlers=[], opt={"public": True}, include_in_schema=False
    ),
    use_handler_docstrings=True,
)


def build_litestar(
    services: Services,
    metrics: Metrics,
    *,
    account_routes: Sequence[HTTPRouteHandler],
    other_routes: Sequence[ControllerRouterHandler],
    dependencies: Mapping[str, Provide],
    wrap: Callable[[Answer], Answer],
    openapi: OpenAPIConfig | None = None,
) -> Litestar:
    """Put the routes together with all that each of them gets without asking.

    `dependencies` are those of the pages; `wrap` turns the answer to an error into a page where
    a person waits for one.
    """
    limiter = RateLimiter(services.settings.rate_limit_per_minute, services.monotonic)
    app = Litestar(
        route_handlers=[
            Router(BILLING, route_handlers=list(account_routes)),
            Router(CONTROL_PANEL, route_handlers=list(account_routes), include_in_schema=False),
            *meta.ROUTES,
            *other_routes,
        ],
        middleware=[
            BillingSwitch(enabled=services.settings.billing_enabled),
            Options(),
            Authenticate(services.authenticator, limiter),
            Conditional(),
            Idempotent(services.db, services.clock),
        ],
        guards=[require_permission, require_csrf_token, refuse_what_is_not_described],
        dependencies={
            "services": Provide(lambda: services, sync_to_thread=False),
            "metrics": Provide(lambda: metrics, sync_to_thread=False),
            "principal": Provide(provide_principal, sync_to_thread=False),
            "account": Provide(provide_account, sync_to_thread=False),
            "paging": Provide(provide_page, sync_to_thread=False),
            **dependencies,
        },
        exception_handlers={
            TallystickError: wrap(errors.domain_error),
            MoneyError: wrap(errors.money_error),
            HTTPException: wrap(errors.framework_error),
            Exception: wrap(errors.unexpected_error),
        },
        request_class=StrictRequest,
        response_class=JsonResponse,
        request_max_body_size=BODY_BYTES_MAX,
        openapi_config=openapi,
        logging_config=None,
        state=State({"limiter": limiter}),
    )
    collect_methods(app)
    check_every_route_is_guarded(app)
    collect_query_names(app)
    return app


def build_asgi(app: Litestar, services: Services, metrics: Metrics) -> ASGIApp:
    """Put the plain routes before the application, and the edge around both."""
    limiter: RateLimiter = app.state.limiter
    plain = PlainRoutes(app, services.authenticator, limiter, _plain_routes(services))
    settings = services.settings
    policy = content_policy(page_origins(settings), frame_origins(settings))
    return Edge(plain, metrics, policy)


def _plain_routes(services: Services) -> Mapping[str, PlainRoute]:
    if not services.settings.billing_enabled:
        return {}
    deduct = credit_use.plain_deduct(services)
    deducts = {f"{base}/credits/deduct": deduct for base in (BILLING, CONTROL_PANEL)}
    checks = {
        usage_check.CHECK: usage_check.plain_check(services),
        usage_check.RECORD: usage_check.plain_record(services),
    }
    return {**deducts, **events.plain_routes(services), **checks}
