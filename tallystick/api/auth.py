"""Who asks, and whether they may: once for all routes.

A handler names the permission it needs in its `opt` (or `public: True`); one without either
does not start. The middleware finds the principal, the guards decide. `recognizes: True` beside
`public`: whoever is signed in is known there, and nobody is refused.
"""

from collections.abc import Mapping
from contextlib import suppress
from http.cookies import SimpleCookie
from typing import Any, Final, cast

from litestar import Litestar, Request
from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.routes import HTTPRoute
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from tallystick.accounts.authenticate import Authenticator
from tallystick.accounts.model import Account, Credentials, Principal
from tallystick.accounts.policy import require
from tallystick.accounts.tokens import csrf_matches
from tallystick.api.rate_limit import RateLimiter
from tallystick.kernel.db import acting
from tallystick.kernel.errors import BadInput, Forbidden, NotFound, NotSignedIn, SetupError

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF_HEADER: Final = "x-csrf-token"
CSRF_FIELD: Final = "csrf_token"
SESSION_COOKIE: Final = "session_token"


class Authenticate(ASGIMiddleware):
    """Finds the principal of every route that is not public, and lets it act under its name."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, authenticator: Authenticator, limiter: RateLimiter) -> None:
        self._authenticator = authenticator
        self._limiter = limiter

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Authenticate, count the request, and go on as that principal."""
        opt = scope["route_handler"].opt
        if opt.get("public"):
            if opt.get("recognizes"):
                await self._recognize(scope)
            await next_app(scope, receive, send)
            return
        principal = await self._authenticator.authenticate(read_credentials(scope))
        scope["user"] = principal
        allowance = self._limiter.take(principal.caller)
        request_id: str = scope["request_id"]  # type: ignore[typeddict-item]  # set by the edge
        with acting(principal.actor(request_id)):
            await next_app(scope, receive, allowance.sender(send))

    async def _recognize(self, scope: Scope) -> None:
        """Note who is signed in, if somebody is, on a route that is open to anybody."""
        with suppress(NotSignedIn, NotFound):
            scope["user"] = await self._authenticator.authenticate(read_credentials(scope))


def read_credentials(scope: Scope) -> Credentials:
    """Read what the caller showed: headers and cookies, each at most once."""
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.decode("latin-1"), value.decode("latin-1"))
    cookies = _cookies(headers)
    return Credentials(
        authorization=headers.get("authorization"),
        session_id=headers.get("x-session-id"),
        session_cookie=cookies.get(SESSION_COOKIE),
        jwt_cookie=cookies.get("access_token"),
        account=headers.get("x-account-id"),
    )


def _cookies(headers: Mapping[str, str]) -> dict[str, str]:
    jar: SimpleCookie = SimpleCookie()
    jar.load(headers.get("cookie", ""))
    return {name: morsel.value for name, morsel in jar.items()}


async def require_permission(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """Refuse whoever lacks the permission that the handler names.

    Async like every guard here: Litestar runs a plain function in a thread.
    """
    if not handler.opt.get("public"):
        require(connection.user, handler.opt["permission"])


async def require_csrf_token(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """Refuse an unsafe request by cookie without the token bound to that very cookie.

    Double submit: a page of another site can send the cookie, but can not know the token.
    """
    if handler.opt.get("public") or cast("HTTPScope", connection.scope)["method"] in _SAFE:
        return
    principal: Principal = connection.user
    if principal.csrf_secret is None:
        return
    token = connection.headers.get(CSRF_HEADER)
    if token is None and handler.opt.get("page") and isinstance(connection, Request):
        token = (await connection.form()).get(CSRF_FIELD)
    if not isinstance(token, str) or not csrf_matches(principal.csrf_secret, token):
        raise Forbidden("csrf_token_invalid", "Send the page's CSRF token as X-CSRF-Token.")


def check_every_route_is_guarded(app: Litestar) -> None:
    """Refuse to start with a route that says neither `permission` nor `public`."""
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                if "permission" not in handler.opt and "public" not in handler.opt:
                    raise SetupError("route_unguarded", f"{route.path} names no permission.")


def provide_principal(request: Request[Any, Any, Any]) -> Principal:
    """Return who asks."""
    user = request.scope.get("user")
    if not isinstance(user, Principal):
        raise NotSignedIn("not_signed_in", "Sign in, or send an API key.")
    return user


def provide_account(request: Request[Any, Any, Any]) -> Account:
    """Return the account that the request is about."""
    account = provide_principal(request).account
    if account is None:
        raise BadInput("account_required", "Name the account in the header X-Account-Id.")
    return account
