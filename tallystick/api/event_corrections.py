"""Usage corrected: an event amended or taken out, and events of any age put in."""

from collections.abc import Callable
from typing import Any, Final, TypeVar
from uuid import UUID

import msgspec
from litestar import Request, post

from tallystick.accounts.model import Principal
from tallystick.accounts.policy import account_of, allows
from tallystick.accounts.service import find_by_subjects
from tallystick.api.correction_answers import (
    BackfillAnswer,
    CorrectedAnswer,
    backfilled,
    corrected,
)
from tallystick.api.correction_schemas import AMEND_BODY, BACKFILL_BODY, REVERSE_BODY
from tallystick.api.reasons import because
from tallystick.api.services import Services
from tallystick.api.strict import INGEST_BYTES_MAX, decode
from tallystick.corrections.bodies import (
    Asked,
    ReverseBody,
    read_amendment,
    read_backfill,
    read_reversal,
)
from tallystick.corrections.model import Named, Terms
from tallystick.kernel import ids
from tallystick.kernel.db import acting
from tallystick.kernel.errors import BadInput, FieldError
from tallystick.metering import own_events
from tallystick.metering.bodies import refuse
from tallystick.metering.corrections import AMENDMENTS
from tallystick.payments.approvals import check_reason

TAGS: Final = ["Usage"]
_CORRECTS: Final = {"permission": "usage:correct"}

T = TypeVar("T")


@post(
    "/api/v1/events/{event_id:str}/reverse",
    opt={**_CORRECTS, "request_body": REVERSE_BODY},
    tags=TAGS,
    status_code=200,
    summary="Take an event out",
)
async def reverse_event(
    event_id: str, request: Request[Any, Any, Any], services: Services, principal: Principal
) -> CorrectedAnswer:
    """Let an event count no longer, in every total at once; it stays stored, and its id known.

    When an issued invoice billed it, the effect is shown first: send the same with `confirm`.
    """
    asked = await _read(request, read_reversal)
    named = await _named(services, principal, event_id, asked)
    with acting(because(asked.reason)):
        return corrected(await services.corrections.reverse(named, _terms(principal, asked)))


@post(
    "/api/v1/events/{event_id:str}/amend",
    opt={**_CORRECTS, "request_body": AMEND_BODY},
    tags=TAGS,
    status_code=200,
    summary="Amend an event",
)
async def amend_event(
    event_id: str, request: Request[Any, Any, Any], services: Services, principal: Principal
) -> CorrectedAnswer:
    """Let an event count as if it had said something else: type, time, properties.

    When an issued invoice billed it, the effect is shown first: send the same with `confirm`.
    """
    asked = await _read(request, read_amendment)
    named = await _named(services, principal, event_id, asked)
    terms = _terms(principal, asked)
    with acting(because(asked.reason)):
        return corrected(await services.corrections.amend(named, asked.change, terms))


@post(
    "/api/v1/events/backfill",
    opt={"permission": "staff:finance", "request_body": BACKFILL_BODY},
    tags=TAGS,
    request_max_body_size=INGEST_BYTES_MAX,
    status_code=200,
    summary="Store events of any age",
)
async def backfill_events(
    request: Request[Any, Any, Any], services: Services, principal: Principal
) -> BackfillAnswer:
    """Store up to 1,000 events of one account, however old; each is answered for itself.

    When an issued invoice billed their period, the effect is shown first: send the same with
    `confirm`. Nothing is parked.
    """
    asked, events = await _read(request, read_backfill)
    async with services.db.reading() as conn:
        accounts = await find_by_subjects(conn, list({event.subject for event in events}))
    whose = [
        accounts[one.subject].account_id if one.subject in accounts else None for one in events
    ]
    refuse(_strangers(whose))
    account_id = whose[0]
    assert account_id is not None  # noqa: S101 -- strangers are refused
    with acting(because(asked.reason)):
        outcome = await services.corrections.backfill(account_id, events, _terms(principal, asked))
    return backfilled(outcome)


async def _read(request: Request[Any, Any, Any], read: Callable[[bytes], T]) -> T:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in {"application/json", ""}:
        raise BadInput("unsupported_media_type", "Send the body as application/json.")
    body = await request.body()
    decode(body, dict[str, msgspec.Raw])
    return read(body)


async def _named(
    services: Services, principal: Principal, event_id: str, asked: ReverseBody
) -> Named:
    """Return which event of which account is meant; our own id names a version of one."""
    source = asked.source or own_events.SOURCE
    if asked.source is None and event_id.startswith(f"{ids.PREFIXES['usage_correction']}_"):
        source = AMENDMENTS
    account_id = await _account_id(services, principal, asked.subject)
    return Named(account_id, source, event_id)


async def _account_id(services: Services, principal: Principal, subject: str | None) -> UUID:
    if subject is None:
        return account_of(principal).account_id
    async with services.db.reading() as conn:
        account = (await find_by_subjects(conn, [subject])).get(subject)
    own = principal.account
    if account is None or (own is not None and own.account_id != account.account_id):
        raise BadInput.field("subject", "unknown_subject", "names no account")
    return account.account_id


def _strangers(whose: list[UUID | None]) -> list[FieldError]:
    found = []
    for at, account_id in enumerate(whose):
        field = own_events.SHAPE.path(at, own_events.SHAPE.subject)
        if account_id is None:
            found.append(FieldError(field, "unknown_subject", "names no account"))
        elif account_id != whose[0]:
            found.append(FieldError(field, "one_account", "must be the same account for all"))
    return found


def _terms(principal: Principal, asked: Asked) -> Terms:
    return Terms(
        reason=check_reason(asked.reason),
        confirm=asked.confirm,
        preview=asked.preview,
        may_change_billed=allows(principal, "staff:finance"),
    )


ROUTES: Final = (reverse_event, amend_event, backfill_events)
