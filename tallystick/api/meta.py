"""What is said to anybody: features, health, numbers, and the API's own description."""

from collections.abc import Mapping
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import asyncpg
import msgspec
from litestar import MediaType, Response, get
from litestar.params import Parameter
from prometheus_client import generate_latest

from tallystick import __version__
from tallystick.api.edge import Metrics
from tallystick.api.services import Services
from tallystick.api.webhook_figures import waiting_meter_events, waiting_webhooks
from tallystick.kernel.db import WRITER
from tallystick.kernel.errors import NotFound, Unavailable
from tallystick.kernel.migrate import read_migrations
from tallystick.payments.breaker import CircuitState

_AWAY: Final[Mapping[str, Literal["open", "half_open"]]] = {
    CircuitState.OPEN: "open",
    CircuitState.HALF_OPEN: "half_open",
}
PUBLIC: Final = {"public": True, "always_on": True}
_APPLIED_COUNT: Final = "SELECT count(*) FROM schema_migrations"
_ASSETS: Final = {
    "swagger-ui-bundle.js": ("swagger_bundle.js", "text/javascript"),
    "swagger-ui.css": ("swagger_style.css", "text/css"),
}
_DOCS_PAGE: Final = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Tallystick API</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
<link rel="icon" href="data:,"></head>
<body><main id="api"><noscript>The description is at <a href="/openapi.json">/openapi.json</a>.
</noscript></main>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script src="/docs/assets/start.js"></script></body></html>
"""
_DOCS_START: Final = """
SwaggerUIBundle({url: "/openapi.json", dom_id: "#api", deepLinking: true, validatorUrl: null});
"""
# Swagger UI sets inline styles; its page alone may.
_DOCS_POLICY: Final = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
)


class Features(msgspec.Struct, frozen=True, rename="camel"):
    """Which parts are switched on here."""

    billing_enabled: bool
    stripe_enabled: bool
    manual_payments_enabled: bool
    test_clocks_enabled: bool
    version: str


class Health(msgspec.Struct, frozen=True):
    """`ok`, or the request was answered with a problem."""

    status: str


class Readiness(msgspec.Struct, frozen=True, omit_defaults=True):
    """`ok`; with REDIS_URL also whether usage is counted there against limits.

    `redis_away`: the database counts in its place. `gateways` are those that did not answer lately:
    `open`, nothing is sent to it for a while; `half_open`, one call finds out. What is to be paid
    there waits.
    """

    status: str
    usage_counters: Literal["redis", "redis_away"] | msgspec.UnsetType = msgspec.UNSET
    gateways: Mapping[str, Literal["open", "half_open"]] = {}


@get("/api/v1/meta/features", opt=PUBLIC, tags=["Platform"], summary="Features switched on")
async def read_features(services: Services) -> Features:
    """Say which features this installation has; public."""
    settings = services.settings
    return Features(
        billing_enabled=settings.billing_enabled,
        stripe_enabled=settings.stripe_configured,
        manual_payments_enabled=True,
        test_clocks_enabled=True,
        version=__version__,
    )


@get("/healthz", opt=PUBLIC, tags=["Platform"], summary="Is the process alive")
async def read_health() -> Health:
    """Answer as long as the process does; touches nothing else."""
    return Health("ok")


@get("/readyz", opt=PUBLIC, tags=["Platform"], summary="Can requests be served")
async def read_readiness(services: Services) -> Readiness:
    """Answer when the database is there and has every migration; else 503."""
    try:
        async with services.db.transaction(WRITER) as conn:
            applied = await conn.fetchval(_APPLIED_COUNT)
    except (asyncpg.PostgresError, OSError) as error:
        raise Unavailable("database_unavailable", "The database does not answer.") from error
    if applied < len(read_migrations()):
        raise Unavailable("migrations_missing", "Run `tallystick migrate`.")
    circuits = services.gateways.circuits()
    away = {name: _AWAY[state] for name, state in circuits.items() if state in _AWAY}
    outside = services.gate.outside
    if outside is None:
        return Readiness("ok", gateways=away)
    return Readiness("ok", "redis" if outside.is_up else "redis_away", gateways=away)


@get("/metrics", opt=PUBLIC, include_in_schema=False, media_type=MediaType.TEXT)
async def read_metrics(metrics: Metrics, services: Services) -> Response[bytes]:
    """Return this process's numbers, and what waits in the database, in Prometheus' text format."""
    metrics.tell_webhooks(await waiting_webhooks(services))
    metrics.tell_meter_events(await waiting_meter_events(services))
    return Response(generate_latest(metrics.registry), media_type="text/plain; version=0.0.4")


@get("/openapi.json", opt=PUBLIC, include_in_schema=False)
async def read_openapi() -> Response[bytes]:
    """Return the API's description (OpenAPI 3.1), the file that is kept in the repository."""
    content = (files("tallystick.api") / "openapi.json").read_bytes()
    return Response(content, media_type=MediaType.JSON)


@get("/docs", opt=PUBLIC, include_in_schema=False, media_type=MediaType.HTML)
async def show_docs() -> Response[str]:
    """Show the API's description as a page; all it loads comes from here."""
    headers = {"Content-Security-Policy": _DOCS_POLICY}
    return Response(_DOCS_PAGE, media_type=MediaType.HTML, headers=headers)


@get("/docs/assets/{name:str}", opt=PUBLIC, include_in_schema=False)
async def read_docs_asset(
    name: Annotated[str, Parameter(description="file name")],
) -> Response[Any]:
    """Return a file of the page, out of an installed package."""
    if name == "start.js":
        return Response(_DOCS_START, media_type="text/javascript")
    if name not in _ASSETS:
        raise NotFound("route_not_found", "There is nothing at this address.")
    file, media_type = _ASSETS[name]
    return Response(
        (_assets_folder() / file).read_bytes(),
        media_type=media_type,
        headers={"Cache-Control": "max-age=86400"},
    )


def _assets_folder() -> Path:
    """Find the package that carries Swagger UI's files; its own code is never run."""
    spec = find_spec("offapi")
    if spec is None or not spec.submodule_search_locations:
        raise NotFound("route_not_found", "The page's assets are not installed.")
    return Path(spec.submodule_search_locations[0])


ROUTES: Final = (
    read_features,
    read_health,
    read_readiness,
    read_metrics,
    read_openapi,
    show_docs,
    read_docs_asset,
)
