"""The composition root: from settings to services, the ASGI application and the worker."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Final, cast

import httpx
from litestar import Litestar
from litestar.di import Provide
from litestar.types import ASGIApp, Receive, Scope, Send

from tallystick.accounts.authenticate import Authenticator
from tallystick.accounts.jwt_tokens import JwtSettings, JwtVerifier
from tallystick.accounts.key_set import KeySet
from tallystick.accounts.passwords import Cost, Passwords
from tallystick.accounts.sign_in import SignIn
from tallystick.accounts.tries import FailedTries
from tallystick.api import openapi
from tallystick.api.application import OPENAPI, build_asgi, build_litestar
from tallystick.api.edge import Metrics
from tallystick.api.event_types import EVENT_TYPES
from tallystick.api.routes import ACCOUNT_ROUTES, OTHER_ROUTES
from tallystick.api.services import Services
from tallystick.console.context import ConsoleContext
from tallystick.console.problem_pages import with_pages
from tallystick.console.routes import ROUTES as PAGES
from tallystick.corrections.service import Corrections
from tallystick.credits.service import CreditService
from tallystick.documents.document import Party
from tallystick.exports.service import Exports
from tallystick.issuers import service as issuers
from tallystick.kernel.clock import Clock, system_clock
from tallystick.kernel.db import WRITER, Database, open_database
from tallystick.kernel.errors import SetupError, Unavailable
from tallystick.lago_sync.client import LagoApi, lago_of
from tallystick.ledger.service import Ledger
from tallystick.metering.clickhouse_client import open_clickhouse
from tallystick.metering.clickhouse_store import ClickHouseUsage
from tallystick.metering.counters_redis import RedisCounters
from tallystick.metering.gate import Gate
from tallystick.metering.ingest import Ingest
from tallystick.metering.prepare import Ages
from tallystick.outgoing_webhooks.endpoints import EndpointRules
from tallystick.outgoing_webhooks.posting import Post
from tallystick.outgoing_webhooks.urls import Reach
from tallystick.payments.attempts import Attempts
from tallystick.payments.checkouts import Checkouts
from tallystick.payments.collect import Collector
from tallystick.payments.gateway import Gateway, Gateways
from tallystick.payments.gateways.ccbill import CcbillGateway
from tallystick.payments.gateways.manual import ManualGateway
from tallystick.payments.gateways.stripe import StripeGateway, StripeSettings
from tallystick.payments.once import OneTimeCharges
from tallystick.payments.refund_payment import PaymentRefunds
from tallystick.payments.refunds import Refunds
from tallystick.payments.setup import CardSetup
from tallystick.payments.sweep import Sweep
from tallystick.settings import Settings, problems, read_settings
from tallystick.subscriptions.access_lookup import AccessLookup
from tallystick.subscriptions.limit_lookup import LimitLookup
from tallystick.webhooks.catch_up import CatchUp
from tallystick.webhooks.service import Inbox

CONNECTIONS_MAX: Final = 12
JWKS_TIMEOUT_S: Final = 5.0
PASSWORD_COST: Final = Cost()


@asynccontextmanager
async def open_services(
    settings: Settings,
    dsn: str,
    clock: Clock = system_clock,
    *,
    cost: Cost = PASSWORD_COST,
    more_gateways: Sequence[Gateway] = (),
) -> AsyncIterator[Services]:
    """Open the pool and make every service; close them all at the end.

    `cost` is what a password's hash costs; tests choose a low one. `more_gateways` stand beside
    those of the settings: a simulation pays through its own.
    """
    async with AsyncExitStack() as stack:
        _need_no_lago(settings)
        usage = await open_usage(settings.usage_store_url)
        if usage:
            stack.push_async_callback(usage.server.close)
        db = await open_database(dsn, connections_max=CONNECTIONS_MAX, beside=usage)
        stack.push_async_callback(db.close)
        gateways = Gateways([*_adapters(settings, db, clock), *more_gateways])
        stack.push_async_callback(gateways.close)
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=JWKS_TIMEOUT_S))
        jwt = _jwt(settings, http, clock)
        lago = lago_of(settings.lago_api_url, settings.lago_api_key, clock)
        if lago:
            stack.push_async_callback(lago.close)
        services = _services(settings, db, gateways, jwt=jwt, clock=clock, cost=cost, lago=lago)
        stack.push_async_callback(services.ledger.close)
        stack.push_async_callback(services.credits.close)
        stack.push_async_callback(services.ingest.close)
        stack.push_async_callback(services.gate.close)
        stack.push_async_callback(services.limits.close)
        stack.push_async_callback(services.access.close)
        stack.push_async_callback(services.post.close)
        async with db.transaction(WRITER) as conn:
            await issuers.follow_settings(conn, services.seller, clock())
        yield services


async def open_usage(url: str | None) -> ClickHouseUsage | None:
    """Return the store of usage beside PostgreSQL, if one is set; it must answer at the start.

    Raises SetupError when it does not, or has no table.
    """
    if url is None:
        return None
    server = await asyncio.to_thread(open_clickhouse, url)
    try:
        has_tables = await server.has_tables()
    except Unavailable as error:
        await server.close()
        raise SetupError(error.code, error.detail) from error
    if not has_tables:
        await server.close()
        raise SetupError(
            "migrations_missing", "ClickHouse has no table for usage; run `tallystick migrate`."
        )
    return ClickHouseUsage(server)


def _need_no_lago(settings: Settings) -> None:
    """Raise SetupError where a Lago server is set too: its sender walks PostgreSQL's events."""
    if settings.usage_store_url and settings.lago_configured:
        detail = "LAGO_API_URL and USAGE_STORE_URL can not both be set: unset one of them."
        raise SetupError("usage_store_with_lago", detail)


def _adapters(settings: Settings, db: Database, clock: Clock) -> Iterator[Gateway]:
    """Yield the gateways that are configured; paying by hand always is."""
    yield ManualGateway()
    if settings.stripe_secret_key:
        yield StripeGateway(
            StripeSettings(
                secret_key=settings.stripe_secret_key,
                publishable_key=settings.stripe_publishable_key or "",
                webhook_secrets=settings.stripe_webhook_secrets,
                base_url=settings.stripe_base_url,
                js_url=settings.stripe_js_url,
            )
        )
    if settings.ccbill.configured:
        yield CcbillGateway(db, settings.ccbill, clock, default_currency=settings.default_currency)


def _jwt(settings: Settings, http: httpx.AsyncClient, clock: Clock) -> JwtVerifier | None:
    """Return the check of other issuers' tokens, None when none are taken."""
    if not (settings.jwt_secret or settings.jwt_jwks_url):
        return None
    if not (settings.jwt_issuer and settings.jwt_audience):
        raise SetupError("jwt_incomplete", problems(settings)[0])
    url = settings.jwt_jwks_url
    wanted = JwtSettings(
        secret=settings.jwt_secret,
        jwks_url=url,
        issuer=settings.jwt_issuer,
        audience=settings.jwt_audience,
    )
    return JwtVerifier(wanted, KeySet(url, http, clock) if url else None)


def _services(
    settings: Settings,
    db: Database,
    gateways: Gateways,
    *,
    jwt: JwtVerifier | None,
    clock: Clock,
    cost: Cost = PASSWORD_COST,
    lago: LagoApi | None = None,
) -> Services:
    passwords = Passwords(cost)
    tries = Attempts(db, gateways, clock)
    setup = CardSetup(db, gateways, clock)
    collector = Collector(db, gateways, tries, clock)
    refunds = Refunds(db, gateways, clock)
    inbox = Inbox(db, gateways)
    reach = Reach(settings.webhook_allow_private, settings.webhook_allow_http)
    return Services(
        settings=settings,
        db=db,
        clock=clock,
        monotonic=time.monotonic,
        seller=seller_of(settings),
        authenticator=Authenticator(db, clock, jwt),
        passwords=passwords,
        sign_in=SignIn(db, passwords, FailedTries()),
        ingest=Ingest(db, event_ages(settings)),
        corrections=Corrections(
            db,
            clock,
            event_ages(settings).ahead_max,
            timedelta(days=settings.correction_window_days),
        ),
        gate=Gate(
            db,
            RedisCounters(settings.redis_url) if settings.redis_url else None,
            event_ages(settings),
        ),
        limits=LimitLookup(db),
        access=AccessLookup(db),
        gateways=gateways,
        inbox=inbox,
        catch_up=CatchUp(db, gateways, inbox, clock),
        card_setup=setup,
        tries=tries,
        sweep=Sweep(db, gateways, tries, refunds, clock),
        collector=collector,
        checkouts=Checkouts(db, gateways, setup, collector, clock),
        once=OneTimeCharges(db, gateways, tries, clock, seller_of(settings)),
        refunds=refunds,
        payment_refunds=PaymentRefunds(db, refunds, clock),
        ledger=Ledger(db),
        credits=CreditService(db),
        exports=Exports(db),
        endpoint_rules=EndpointRules(reach, EVENT_TYPES),
        post=Post(private=reach.private),
        lago=lago,
    )


def event_ages(settings: Settings) -> Ages:
    """Return how old, and how far ahead of its account's clock, an event may be."""
    days = settings.event_age_days_max
    return Ages(
        ahead_max=timedelta(seconds=settings.event_ahead_seconds_max),
        age_max=None if days is None else timedelta(days=days),
    )


def seller_of(settings: Settings) -> Party:
    """Return who invoices, as it is printed."""
    return Party(
        name=settings.seller_name,
        address=settings.seller_address,
        email=settings.seller_email,
        tax_id=settings.seller_tax_id,
    )


class ServerApp:
    """The application of a server process: its services live as long as the server does."""

    def __init__(self, settings: Settings, dsn: str) -> None:
        self._settings = settings
        self._dsn = dsn
        self._app: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, or the server's own beginning and end."""
        if scope["type"] == "lifespan":  # type: ignore[comparison-overlap]  # litestar leaves it out
            await self._live(receive, send)
            return
        assert self._app is not None  # noqa: S101 - the server waits for start-up
        await self._app(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        tell = cast("Callable[[dict[str, str]], Awaitable[None]]", send)
        await receive()
        async with open_services(self._settings, self._dsn) as services:
            metrics = Metrics()
            outside = services.gate.outside
            if outside is not None:
                metrics.watch_counters(lambda: outside.is_up, lambda: outside.failure_count)
            metrics.watch_gateways(services.gateways.circuits)
            self._app = build_asgi(litestar_of(services, metrics), services, metrics)
            await tell({"type": "lifespan.startup.complete"})
            await receive()
        await tell({"type": "lifespan.shutdown.complete"})


def litestar_of(services: Services, metrics: Metrics, *, described: bool = False) -> Litestar:
    """Build the application with all routes and pages; `described`: with its description."""
    console = ConsoleContext(
        settings=services.settings,
        db=services.db,
        clock=services.clock,
        sign_in=services.sign_in,
        seller=services.seller,
        refunds=services.refunds,
        payment_refunds=services.payment_refunds,
        sweep=services.sweep,
    )
    return build_litestar(
        services,
        metrics,
        account_routes=ACCOUNT_ROUTES,
        other_routes=[*OTHER_ROUTES, *PAGES],
        dependencies={"console": Provide(lambda: console, sync_to_thread=False)},
        wrap=partial(with_pages, console),
        openapi=OPENAPI if described else None,
    )


def api_description() -> bytes:
    """Return the API's description, made anew from the routes; needs no database."""
    settings = read_settings({"HOME": "/"}, uid=1)
    database = Database.__new__(Database)
    services = _services(settings, database, Gateways([]), jwt=None, clock=system_clock)
    app = litestar_of(services, Metrics(), described=True)
    return openapi.write(openapi.describe(app))
