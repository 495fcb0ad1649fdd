"""Usage in: CloudEvents as the OpenMeter client sends them, Lago's events, and our own form."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

import msgspec
from litestar import Request, Response, post

from tallystick.accounts.model import Principal
from tallystick.api.event_schemas import (
    EVENTS_ANSWERS,
    EVENTS_BODY,
    LAGO_ANSWERS,
    LAGO_BODY,
    PREFER,
)
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
_NULL: Final = msgspec.Raw(b"null")
_OPT: Final = {"permission": "usage:write", "any_query": True}


class Results(msgspec.Struct, frozen=True):
    """What became of each event, in the order in which they were sent."""

    events: list[EventResult]


@post(
    "/api/v1/events",
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

    CloudEvents are answered 204, all or nothing; Lago's event 200 with the event; with
    `Prefer: return=representation`, or in our own form, 200 with a result for each event.
    """
    kind = _content_type(request, CLOUDEVENT, CLOUDEVENT_BATCH, JSON)
    body = await request.body()
    with _as_everywhere():
        batch = read_events(kind, body)
    own = batch.shape.name == "tallystick"
    told = "return=representation" in request.headers.get("prefer", "").lower()
    each = own or told
    results = await _record(services, principal, batch, strict=not each)
    if each:
        return Response(Results(list(results)))
    if batch.shape.name == "lago":
        return Response(_echo(body, services.clock()))
    return Response(None, status_code=204)


@post(
    "/api/v1/events/batch",
    opt={**_OPT, "request_body": LAGO_BODY, "responses": LAGO_ANSWERS},
    tags=TAGS,
    summary="Record usage (Lago's batch)",
    request_max_body_size=INGEST_BYTES_MAX,
    status_code=200,
)
async def record_lago_batch(
    request: Request[Any, Any, Any], services: Services, principal: Principal
) -> Response[Any]:
    """Store Lago's batch, all or nothing, and answer with it."""
    _content_type(request, JSON)
    body = await request.body()
    with _as_everywhere():
        batch = read_lago_events(body)
    await _record(services, principal, batch, strict=True)
    return Response(msgspec.Raw(body))


def _content_type(request: Request[Any, Any, Any], *taken: str) -> str:
    """Return how the body is written; raises BadInput `unsupported_media_type`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in taken:
        raise BadInput("unsupported_media_type", f"Send the body as {' or '.join(taken)}.")
    return kind


def _echo(body: bytes, received_at: datetime) -> msgspec.Raw:
    """Return Lago's body as it came, its event with a time: Lago's client takes none without."""
    root = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    if "event" not in root:
        return msgspec.Raw(body)
    event = msgspec.json.decode(root["event"], type=dict[str, msgspec.Raw])
    if event.get("timestamp", _NULL) != _NULL:
        return msgspec.Raw(body)
    told = {**event, "timestamp": msgspec.Raw(msgspec.json.encode(received_at))}
    return msgspec.Raw(msgspec.json.encode({**root, "event": told}))


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
    return await services.ingest.record(
        batch.events, now=services.clock(), only_account=only, strict=strict, shape=batch.shape
    )


ROUTES: Final = (record_events, record_lago_batch)
