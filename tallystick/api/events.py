"""Usage in: CloudEvents as the OpenMeter client sends them, Lago's events, and our own form."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

import msgspec
from litestar import Request, Response, post

from tallystick.accounts.model import Principal
from tallystick.api.answers import encode
from tallystick.api.captured import Captured
from tallystick.api.compressed import read_body
from tallystick.api.event_schemas import (
    EVENTS_ANSWERS,
    EVENTS_BODY,
    LAGO_ANSWERS,
    LAGO_BODY,
    PREFER,
)
from tallystick.api.plain_routes import Asked, PlainRoute, json_answer
from tallystick.api.services import Services
from tallystick.api.strict import INGEST_BYTES_MAX
from tallystick.kernel.errors import BadInput
from tallystick.metering.model import Batch, EventResult
from tallystick.metering.requests import (
    CLOUDEVENT,
    CLOUDEVENT_BATCH,
    JSON,
    read_events,
    read_lago_events,
)

TAGS: Final = ["Usage"]
EVENTS: Final = "/api/v1/events"
LAGO_BATCH: Final = "/api/v1/events/batch"
_KINDS: Final = (CLOUDEVENT, CLOUDEVENT_BATCH, JSON)
_NULL: Final = msgspec.Raw(b"null")
_OPT: Final = {"permission": "usage:write", "any_query": True, "gzip": True}
_NOTHING: Final = Captured(204, [], b"")


class Results(msgspec.Struct, frozen=True):
    """What became of each event, in the order in which they were sent."""

    events: list[EventResult]


class Sent(msgspec.Struct, frozen=True):
    """A request with events: who sends them, in which way, and what they want to be told."""

    principal: Principal
    kind: str
    body: bytes
    each: bool


@post(
    EVENTS,
    opt={
        **_OPT,
        "request_body": EVENTS_BODY,
        "responses": EVENTS_ANSWERS,
        "parameters": [PREFER],
        "answers": [Results],
    },
    tags=TAGS,
    summary="Record usage",
    request_max_body_size=INGEST_BYTES_MAX,
    status_code=200,
)
async def record_events(
    request: Request[Any, Any, Any], services: Services, principal: Principal
) -> Response[Any]:
    """Store each event once, as soon as this is answered counted in every total.

    CloudEvents are answered 204, Lago's event 200 with the event: one that is invalid refuses the
    request; what matches no account or no meter is parked. In our own form, or with
    `Prefer: return=representation`, 200 has a result for each event and an invalid one leaves the
    others alone. Bodies may come as gzip.
    """
    return _response(await _record_events(services, await _sent(request, principal)))


@post(
    LAGO_BATCH,
    opt={
        **_OPT,
        "request_body": LAGO_BODY,
        "responses": LAGO_ANSWERS,
        "parameters": [PREFER],
        "answers": [Results],
    },
    tags=TAGS,
    summary="Record usage (Lago's batch)",
    request_max_body_size=INGEST_BYTES_MAX,
    status_code=200,
)
async def record_lago_batch(
    request: Request[Any, Any, Any], services: Services, principal: Principal
) -> Response[Any]:
    """Store Lago's batch and answer with it; one invalid event refuses all of it.

    What matches no account or no meter is parked. `Prefer` is as with `/events`.
    """
    return _response(await _record_lago_batch(services, await _sent(request, principal)))


def plain_routes(services: Services) -> Mapping[str, PlainRoute]:
    """Return both routes as they run without the framework."""

    async def events(asked: Asked) -> Captured:
        return _captured(await _record_events(services, _asked(asked)))

    async def lago_batch(asked: Asked) -> Captured:
        return _captured(await _record_lago_batch(services, _asked(asked)))

    kinds = frozenset(kind.encode() for kind in _KINDS)
    return {
        path: PlainRoute("usage:write", work, kinds, INGEST_BYTES_MAX, takes_key=False)
        for path, work in ((EVENTS, events), (LAGO_BATCH, lago_batch))
    }


async def _record_events(services: Services, sent: Sent) -> bytes | None:
    """Record what was sent, and return the answer's JSON; None where there is none."""
    _check_kind(sent.kind, *_KINDS)
    with _as_everywhere():
        batch = read_events(sent.kind, sent.body, each=sent.each)
    each = sent.each or batch.shape.name == "tallystick"
    results = await _record(services, sent.principal, batch, strict=not each)
    if each:
        return encode(Results(list(results)))
    return _echo(sent.body, services.clock()) if batch.shape.name == "lago" else None


async def _record_lago_batch(services: Services, sent: Sent) -> bytes:
    _check_kind(sent.kind, JSON)
    with _as_everywhere():
        batch = read_lago_events(sent.body, each=sent.each)
    results = await _record(services, sent.principal, batch, strict=not sent.each)
    return encode(Results(list(results))) if sent.each else sent.body


async def _sent(request: Request[Any, Any, Any], principal: Principal) -> Sent:
    body = await read_body(request, INGEST_BYTES_MAX)
    return _told(
        principal, body, request.headers.get("content-type", ""), request.headers.get("prefer", "")
    )


def _asked(asked: Asked) -> Sent:
    kind, prefer = (asked.headers.get(name, b"") for name in (b"content-type", b"prefer"))
    return _told(asked.principal, asked.body, kind.decode("latin-1"), prefer.decode("latin-1"))


def _told(principal: Principal, body: bytes, content_type: str, prefer: str) -> Sent:
    kind = content_type.partition(";")[0].strip().lower()
    return Sent(principal, kind, body, each="return=representation" in prefer.lower())


def _response(told: bytes | None) -> Response[Any]:
    if told is None:
        return Response(None, status_code=204)
    return Response(told, media_type=JSON)


def _captured(told: bytes | None) -> Captured:
    return _NOTHING if told is None else json_answer(told, {})


def _check_kind(kind: str, *taken: str) -> None:
    """Raise BadInput `unsupported_media_type` for another way of writing."""
    if kind not in taken:
        raise BadInput("unsupported_media_type", f"Send the body as {' or '.join(taken)}.")


def _echo(body: bytes, received_at: datetime) -> bytes:
    """Return Lago's body as it came, its event with a time: Lago's client takes none without."""
    root = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    if "event" not in root:
        return body
    event = msgspec.json.decode(root["event"], type=dict[str, msgspec.Raw])
    if event.get("timestamp", _NULL) != _NULL:
        return body
    told = {**event, "timestamp": msgspec.Raw(msgspec.json.encode(received_at))}
    return msgspec.json.encode({**root, "event": told})


@contextmanager
def _as_everywhere() -> Iterator[None]:
    """Let a body that is no JSON be refused as on every other route: 400 `malformed_json`."""
    try:
        yield
    except BadInput as error:
        if [fault.code for fault in error.errors] != ["malformed_json"]:
            raise
        raise BadInput("malformed_json", error.detail, errors=error.errors) from error


async def _record(
    services: Services, principal: Principal, batch: Batch, *, strict: bool
) -> tuple[EventResult, ...]:
    """Record a batch; a key bound to an account records for that one alone."""
    only = principal.account.account_id if principal.account else None
    return await services.ingest.record_batch(
        batch, now=services.clock(), only_account=only, strict=strict
    )


ROUTES: Final = (record_events, record_lago_batch)
