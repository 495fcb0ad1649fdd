"""Conditional reads (RFC 9110, section 13): a strong ETag, and 304 when the reader has it.

Every JSON answer to a GET gets one, the hash of its bytes; a route that knows its own ETag
without making the body (a PDF) sets the header itself.
"""

import hashlib
from http import HTTPStatus
from typing import Final, cast

from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from tallystick.api.captured import capture

_KEPT: Final = frozenset({b"etag", b"cache-control", b"vary", b"content-location"})


class Conditional(ASGIMiddleware):
    """Adds ETags to JSON reads and answers 304."""

    scopes = (ScopeType.HTTP,)
    exclude_opt_key = "streams"

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Hold the answer to a GET back, and send it whole or as 304."""
        if cast("HTTPScope", scope)["method"] != "GET":
            await next_app(scope, receive, send)
            return
        answer = await capture(next_app, scope, receive)
        kind = answer.header(b"content-type") or b""
        if answer.status != HTTPStatus.OK or not kind.startswith(b"application/json"):
            await answer.send(send)
            return
        etag = answer.header(b"etag")
        if etag is None:
            etag = strong_etag(answer.body)
            answer.headers.append((b"etag", etag))
            answer.headers.append((b"cache-control", b"private, no-cache"))
        if etag_matches(dict(scope["headers"]).get(b"if-none-match"), etag):
            answer.status = HTTPStatus.NOT_MODIFIED
            answer.headers = [pair for pair in answer.headers if pair[0].lower() in _KEPT]
            answer.body = b""
        await answer.send(send)


def strong_etag(content: bytes) -> bytes:
    """Return the quoted hash of the bytes."""
    return b'"' + hashlib.sha256(content).hexdigest()[:32].encode() + b'"'


def etag_matches(if_none_match: bytes | None, etag: bytes) -> bool:
    """Whether the header names this ETag (weak comparison, RFC 9110 section 13.1.2)."""
    if if_none_match is None:
        return False
    named = [part.strip().removeprefix(b"W/") for part in if_none_match.split(b",")]
    return etag in named or named == [b"*"]
