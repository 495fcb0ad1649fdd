"""`Idempotency-Key` for every POST, without any route having to think of it.

A route of ours alone runs inside one transaction with its claim and its answer: all or nothing.
A route that calls a gateway (`opt={"gateway": True}`) can not hold a transaction open, so its
claim is committed first and its answer afterwards; its effects carry keys of their own. A route
whose every effect carries the key (`opt={"own_key": True}`: deductions of credits) is left alone.
A secret that is told once (`opt={"told_once": "secret"}`) is in the first answer and not in the
one that is kept: a repeat gets the rest.
"""

import hashlib
import re
from http import HTTPStatus
from typing import Final, cast

import msgspec
from litestar.enums import ScopeType
from litestar.handlers import HTTPRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, HTTPReceiveMessage, HTTPScope, Receive, Scope, Send

from tallystick.accounts.model import Principal
from tallystick.api.captured import Captured, capture
from tallystick.kernel import idempotency
from tallystick.kernel.clock import Clock
from tallystick.kernel.db import WRITER, Database, account_scope
from tallystick.kernel.db import Scope as DbScope
from tallystick.kernel.errors import BadInput
from tallystick.kernel.idempotency import KEY_LENGTH_MAX, Answer, Intent
from tallystick.kernel.ids import HOUSE

_HEADER: Final = b"idempotency-key"
_REPLAYED: Final = (b"idempotent-replayed", b"true")
# Not kept: the request was not worked on, so the same key may come again, mended.
_NOT_KEPT: Final = frozenset({400, 401, 403, 413, 415, 422, 429})
_KEY: Final = re.compile(rf"[!-~]{{1,{KEY_LENGTH_MAX}}}")


class _RefusedError(Exception):
    """Rolls the effects of a refused request back, and nothing else."""

    def __init__(self, answer: Captured) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Idempotent(ASGIMiddleware):
    """Gives the first answer again to the same key and body."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, db: Database, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """Answer a POST once per key."""
        key = dict(scope["headers"]).get(_HEADER)
        principal = scope.get("user")
        handler = cast("HTTPRouteHandler", scope["route_handler"])
        if (
            cast("HTTPScope", scope)["method"] != "POST"
            or key is None
            or handler.opt.get("own_key")
            or not isinstance(principal, Principal)
        ):
            await next_app(scope, receive, send)
            return
        body = await _read(receive, handler.resolve_request_max_body_size())
        intent = _intent(scope, principal, key, body)
        db_scope = WRITER if intent.account_id == HOUSE else account_scope(intent.account_id)
        run = self._in_steps if handler.opt.get("gateway") else self._in_one
        answer = await run(intent, db_scope, next_app, scope, _again(body, receive))
        await answer.send(send)

    async def _in_one(
        self, intent: Intent, db_scope: DbScope, app: ASGIApp, scope: Scope, receive: Receive
    ) -> Captured:
        """Claim, effects and answer in one transaction."""
        async with self._db.transaction(db_scope) as conn:
            kept = await idempotency.claim(conn, intent, self._clock())
            if kept is not None:
                return _replay(kept)
            answer = await self._effects(db_scope, app, scope, receive)
            if _is_kept(answer):
                kept_answer = _kept(answer, scope)
                headers = _headers(kept_answer)
                await idempotency.answer(
                    conn, intent, kept_answer.status, headers, kept_answer.body
                )
            else:
                await idempotency.forget(conn, intent)
        return answer

    async def _effects(
        self, db_scope: DbScope, app: ASGIApp, scope: Scope, receive: Receive
    ) -> Captured:
        """Run the route in a savepoint that a refusal rolls back."""
        try:
            async with self._db.transaction(db_scope):
                return _succeeded(await capture(app, scope, receive))
        except _RefusedError as refused:
            return refused.answer

    async def _in_steps(
        self, intent: Intent, db_scope: DbScope, app: ASGIApp, scope: Scope, receive: Receive
    ) -> Captured:
        """Commit the claim, work without a transaction, commit the answer."""
        async with self._db.transaction(db_scope) as conn:
            kept = await idempotency.claim(conn, intent, self._clock())
        if kept is not None:
            return _replay(kept)
        answer = await capture(app, scope, receive)
        async with self._db.transaction(db_scope) as conn:
            if _is_kept(answer):
                kept_answer = _kept(answer, scope)
                headers = _headers(kept_answer)
                await idempotency.answer(
                    conn, intent, kept_answer.status, headers, kept_answer.body
                )
            else:
                await idempotency.forget(conn, intent)
        return answer


def _intent(scope: Scope, principal: Principal, key: bytes, body: bytes) -> Intent:
    text = key.decode("latin-1")
    if not _KEY.fullmatch(text):
        message = f"must be 1 to {KEY_LENGTH_MAX} visible ASCII characters"
        raise BadInput.field("Idempotency-Key", "invalid", message)
    account_id = principal.account.account_id if principal.account else HOUSE
    parts = (scope["path"].encode(), scope["query_string"], hashlib.sha256(body).digest())
    digest = hashlib.sha256(b"\0".join(parts)).digest()
    return Intent(account_id, principal.caller, text, digest)


def _succeeded(answer: Captured) -> Captured:
    if answer.status >= HTTPStatus.BAD_REQUEST:
        raise _RefusedError(answer)
    return answer


def _is_kept(answer: Captured) -> bool:
    return answer.status < HTTPStatus.INTERNAL_SERVER_ERROR and answer.status not in _NOT_KEPT


def _kept(answer: Captured, scope: Scope) -> Captured:
    """Return the answer as it may be stored: without a secret that is told only once."""
    name = cast("HTTPRouteHandler", scope["route_handler"]).opt.get("told_once")
    if name is None or not _is_kept(answer) or answer.status >= HTTPStatus.BAD_REQUEST:
        return answer
    fields = msgspec.json.decode(answer.body, type=dict[str, msgspec.Raw])
    fields.pop(name, None)
    body = msgspec.json.encode(fields)
    headers = [
        (key, str(len(body)).encode() if key == b"content-length" else value)
        for key, value in answer.headers
    ]
    return Captured(status=answer.status, headers=headers, body=body)


def _headers(answer: Captured) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in answer.headers}


def _replay(kept: Answer) -> Captured:
    headers = [
        (name.encode("latin-1"), value.encode("latin-1")) for name, value in kept.headers.items()
    ]
    return Captured(status=kept.status, headers=[*headers, _REPLAYED], body=kept.body)


async def _read(receive: Receive, bytes_max: int | None) -> bytes:
    chunks: list[bytes] = []
    more = True
    while more:
        if bytes_max is not None and sum(map(len, chunks)) > bytes_max:
            raise BadInput("body_too_large", f"The body is larger than {bytes_max} bytes.")
        message = await receive()
        if message["type"] != "http.request":
            break
        chunks.append(message["body"])
        more = message["more_body"]
    return b"".join(chunks)


def _again(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the body that was read already, then the rest."""
    given = False

    async def replayed() -> HTTPReceiveMessage:
        nonlocal given
        if given:
            return cast("HTTPReceiveMessage", await receive())
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return cast("Receive", replayed)
