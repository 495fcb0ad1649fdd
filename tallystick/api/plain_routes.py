"""Routes too busy for the framework: the same steps in the same order, with nothing in between.

Each is a route of the framework too, which describes it and takes every request that is not plain:
with a cookie, a query, no body, a compressed or chunked one, another content type, or a header
twice.
Authentication, rate limit, permission, decoding and errors are the same functions for both.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec
from litestar import Request
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from tallystick.accounts.authenticate import Authenticator
from tallystick.accounts.model import Credentials, Principal
from tallystick.accounts.policy import Permission, require
from tallystick.api import errors
from tallystick.api.captured import Captured
from tallystick.api.rate_limit import RateLimiter
from tallystick.api.strict import BODY_BYTES_MAX

JSON_KINDS: Final = frozenset({b"application/json", b""})
_NOT_PLAIN: Final = frozenset({b"cookie", b"content-encoding", b"transfer-encoding", b"expect"})


class Asked(msgspec.Struct, frozen=True):
    """One request: who asks, what they sent, and the key of their intent."""

    principal: Principal
    body: bytes
    key: str | None
    headers: Mapping[bytes, bytes] = {}


Work = Callable[[Asked], Awaitable[Captured]]
"""Answers a request; raises what the route of the framework raises."""


class PlainRoute(msgspec.Struct, frozen=True):
    """The permission that a route needs, what it does, and of which bodies.

    `takes_key` False: requests with an `Idempotency-Key` are not plain, the framework keeps their
    answers.
    """

    permission: Permission
    work: Work
    kinds: frozenset[bytes] = JSON_KINDS
    bytes_max: int = BODY_BYTES_MAX
    takes_key: bool = True


class PlainRoutes:
    """Stands before the framework and takes what is for it: plain POSTs to these paths."""

    def __init__(
        self,
        app: ASGIApp,
        authenticator: Authenticator,
        limiter: RateLimiter,
        routes: Mapping[str, PlainRoute],
    ) -> None:
        self._app = app
        self._authenticator = authenticator
        self._limiter = limiter
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection, or pass it on."""
        route = self._routes.get(scope["path"]) if str(scope["type"]) == "http" else None
        headers = None if route is None else _plain_headers(scope, route)
        if route is None or headers is None:
            await self._app(scope, receive, send)
            return
        scope["path_template"] = scope["path"]
        try:
            principal = await self._authenticator.authenticate(_credentials(headers))
            send = self._limiter.take(principal.caller).sender(send)
            require(principal, route.permission)
            body = await _read(receive, int(headers[b"content-length"]))
            if body is None:
                return  # the caller has gone
            key = _text(headers, b"idempotency-key")
            answer = await route.work(Asked(principal, body, key, headers))
        except Exception as error:  # noqa: BLE001 - every error is answered
            request: Request[Any, Any, Any] = Request(scope)
            refusal = errors.answer_to(request, error).to_asgi_response(None, request)
            await refusal(scope, receive, send)
        else:
            await answer.send(send)


def json_answer(body: bytes, headers: Mapping[str, str]) -> Captured:
    """Return 200 with this JSON."""
    given = {"content-type": "application/json", "content-length": str(len(body)), **headers}
    named = [(name.lower().encode(), value.encode()) for name, value in given.items()]
    return Captured(200, named, body)


def _plain_headers(scope: Scope, route: PlainRoute) -> dict[bytes, bytes] | None:
    """Return the headers of a request that is plain, else None."""
    http: HTTPScope = scope  # type: ignore[assignment]  # its type was looked at
    given = list(http["headers"])
    headers = dict(given)
    if http["method"] != "POST" or http["query_string"] or len(headers) != len(given):
        return None
    length = headers.get(b"content-length", b"")
    if not route.takes_key and b"idempotency-key" in headers:
        return None
    is_short = len(length) <= len(str(route.bytes_max)) and length.isdigit()
    is_plain = headers.get(b"content-type", b"") in route.kinds and not _NOT_PLAIN & headers.keys()
    return headers if is_plain and is_short and 0 < int(length) <= route.bytes_max else None


def _credentials(headers: Mapping[bytes, bytes]) -> Credentials:
    return Credentials(
        authorization=_text(headers, b"authorization"),
        session_id=_text(headers, b"x-session-id"),
        account=_text(headers, b"x-account-id"),
    )


def _text(headers: Mapping[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name)
    return None if value is None else value.decode("latin-1")


async def _read(receive: Receive, length: int) -> bytes | None:
    """Return the body, None when its sender has gone; the server has checked its length."""
    message = await receive()
    if message["type"] != "http.request":
        return None
    chunks = [message["body"]]
    while message["more_body"] and sum(map(len, chunks)) <= length:
        message = await receive()
        if message["type"] != "http.request":
            return None
        chunks.append(message["body"])
    return b"".join(chunks)
