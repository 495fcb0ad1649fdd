"""May this account use so much more, and: record this, if it may."""

from collections.abc import Sequence
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal
from math import ceil
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, post
from msgspec import Meta

from tallystick.accounts.model import Principal
from tallystick.api import fields
from tallystick.api.answers import encode, plain
from tallystick.api.captured import Captured
from tallystick.api.event_schemas import RECORD_BODY
from tallystick.api.plain_routes import Asked, PlainRoute, json_answer
from tallystick.api.services import Services
from tallystick.api.strict import Body, decode
from tallystick.api.subjects import named_account
from tallystick.catalog.model import LimitKind, LimitPeriod
from tallystick.kernel import ids
from tallystick.kernel.errors import BadInput, Conflict, TooMany
from tallystick.metering.asking import need_additive, read_event, work_of
from tallystick.metering.decide import Decided, Outcome, Source
from tallystick.metering.limits import (
    Ask,
    LimitState,
    Origin,
    is_allowed,
    throttled_until,
    tightest,
)
from tallystick.metering.model import TEXT_LENGTH_MAX, UsageEvent

CHECK: Final = "/api/v1/usage/check"
RECORD: Final = "/api/v1/usage/check-and-record"
TAGS: Final = ["Usage"]
QUANTITY_MAX: Final = 10**18 - 1
Subject = Annotated[
    str,
    Meta(
        extra_json_schema={
            "minLength": 1,
            "maxLength": TEXT_LENGTH_MAX,
            "description": "The account: its id, or your own for it; left out: the key's own.",
        }
    ),
]
Whole = Annotated[int, Meta(extra_json_schema={"minimum": 0, "maximum": QUANTITY_MAX})]


class CheckBody(Body, frozen=True, kw_only=True):
    """How much more of which meter: a whole number or a decimal string."""

    meter: fields.MeterCode
    quantity: fields.Quantity | Whole = 1
    subject: Subject | None = None


class LimitStateAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A limit in its running window; quantities are decimal strings.

    `origin`: of the plan, or set for the account. `allowed`: what was asked for fits into it.
    """

    meter: str
    limit: str
    per: LimitPeriod
    kind: LimitKind
    origin: Origin
    used: str
    remaining: str
    allowed: bool
    starts_at: datetime
    resets_at: datetime


class CheckAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Whether it fits into every hard limit, and how each limit stands.

    `limit`, `used`, `remaining` and `resets_at` are those of the limit that leaves least, a hard
    one before a soft one; null without limits. `source`: whose counters said so.
    """

    meter: str
    quantity: str
    allowed: bool
    limit: str | None
    used: str | None
    remaining: str | None
    resets_at: datetime | None
    limits: list[LimitStateAnswer]
    source: Source


class RecordedEvent(msgspec.Struct, frozen=True):
    """What became of the event: accepted, duplicate (it was stored before), refused."""

    id: str
    status: str


class RecordAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the event is recorded, and how the limits stand after it; else as of a check."""

    event: RecordedEvent
    allowed: bool
    limit: str | None
    used: str | None
    remaining: str | None
    resets_at: datetime | None
    limits: list[LimitStateAnswer]
    source: Source


@post(
    CHECK,
    opt={"permission": "usage:check"},
    tags=TAGS,
    status_code=200,
    summary="May so much more be used",
)
async def check_usage(data: CheckBody, services: Services, principal: Principal) -> CheckAnswer:
    """Say whether an account may use so much more of a meter now; nothing is recorded."""
    return await _check(services, principal, data)


@post(
    RECORD,
    opt={
        "permission": "usage:write",
        "request_body": RECORD_BODY,
        "any_query": True,
    },
    tags=TAGS,
    status_code=200,
    summary="Record usage if its limits allow it",
)
async def check_and_record(
    request: Request[Any, Any, Any], services: Services, principal: Principal
) -> RecordAnswer:
    """Record an event if and only if every hard limit allows it, in one step for all callers.

    The same event again gets the same answer. 429 `usage_throttled` when only a limit per minute
    is in the way: send the same event again after `Retry-After` seconds.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in {"application/json", ""}:
        raise BadInput("unsupported_media_type", "Send the body as application/json.")
    return await _record(services, principal, await request.body())


def plain_check(services: Services) -> PlainRoute:
    """Return `check_usage` as it runs without the framework."""

    async def work(asked: Asked) -> Captured:
        data = decode(asked.body, CheckBody)
        return json_answer(encode(await _check(services, asked.principal, data)), {})

    return PlainRoute("usage:check", work, takes_key=False)


def plain_record(services: Services) -> PlainRoute:
    """Return `check_and_record` as it runs without the framework."""

    async def work(asked: Asked) -> Captured:
        return json_answer(encode(await _record(services, asked.principal, asked.body)), {})

    return PlainRoute("usage:write", work, takes_key=False)


async def _check(services: Services, principal: Principal, data: CheckBody) -> CheckAnswer:
    quantity = _quantity(data.quantity)
    named = await named_account(services.db, principal, data.subject, services.clock())
    account, now = named.account, named.now
    found = await services.limits.find(account, now, meter=data.meter)
    meter = next((one for one in found.meters if one.code == data.meter), None)
    if meter is None:
        raise ids.unknown("meter")
    need_additive(meter, "meter")
    ask = Ask(account.account_id, meter, quantity, found.limits.get(meter.code, ()))
    checked = await services.gate.check([ask])
    return CheckAnswer(
        meter=meter.code,
        quantity=plain(quantity),
        allowed=is_allowed(checked.states),
        limits=limit_answers(checked.states),
        source=checked.source,
        **_tightest(checked.states),
    )


async def _record(services: Services, principal: Principal, body: bytes) -> RecordAnswer:
    own = ids.show("account", principal.account.account_id) if principal.account else None
    event = read_event(decode(body, dict[str, msgspec.Raw]), own)
    wall = services.clock()
    named = await named_account(services.db, principal, event.subject, wall)
    account, now = named.account, named.now
    # What lies further ahead is refused below, and has no period that could be told.
    at = min(event.at or now, now + services.gate.ages.ahead_max)
    found = await services.limits.find(account, at, event_type=event.type, meter=event.meter)
    work = work_of(
        event,
        account.account_id,
        found.meters,
        found.limits,
        now=now,
        wall=wall,
        ages=services.gate.ages,
    )
    decided = await services.gate.check_and_record(work)
    return _recorded(event, decided, now)


def _quantity(told: str | int) -> Decimal:
    if isinstance(told, int):
        if not 0 <= told <= QUANTITY_MAX:
            raise BadInput.field("quantity", "out_of_range", f"must be 0 to {QUANTITY_MAX}")
        return Decimal(told)
    if not fields.QUANTITY.fullmatch(told):
        message = 'must be a whole number, or a string such as "12.5", not below zero'
        raise BadInput.field("quantity", "not_a_decimal_string", message)
    return Decimal(told)


def _recorded(event: UsageEvent, decided: Decided, now: datetime) -> RecordAnswer:
    """Return the answer; raises Conflict for another content, TooMany for a full minute."""
    if decided.outcome is Outcome.CONFLICT:
        message = "was sent before with other content; an event never changes."
        raise Conflict("event_conflict", f"id: {message}")
    until = throttled_until(decided.states, now)
    if until is not None:
        raise _throttled(decided.states, until, now)
    return RecordAnswer(
        event=RecordedEvent(event.id, decided.outcome.value),
        allowed=decided.is_allowed,
        limits=limit_answers(decided.states),
        source=decided.source,
        **_tightest(decided.states),
    )


def _throttled(states: Sequence[LimitState], until: datetime, now: datetime) -> TooMany:
    refusing = min((state for state in states if state.refuses), key=lambda one: one.remaining)
    wait = max(ceil((until - now).total_seconds()), 1)
    return TooMany(
        "usage_throttled",
        f"Over {plain(refusing.limit)} of {refusing.meter} a minute; wait {wait} s and send the "
        "same event again.",
        extra={
            "retry_after": wait,
            "limit": int(refusing.limit.to_integral_value(ROUND_FLOOR)),
            "remaining": int(refusing.remaining.to_integral_value(ROUND_FLOOR)),
            "limits": msgspec.to_builtins(limit_answers(states)),
        },
    )


def _tightest(states: Sequence[LimitState]) -> dict[str, Any]:
    found = tightest(states)
    if found is None:
        return dict.fromkeys(("limit", "used", "remaining", "resets_at"))
    return {
        "limit": plain(found.limit),
        "used": plain(found.used),
        "remaining": plain(found.remaining),
        "resets_at": found.resets_at,
    }


def limit_answers(states: Sequence[LimitState]) -> list[LimitStateAnswer]:
    """Show how limits stand."""
    return [_state(state) for state in states]


def _state(state: LimitState) -> LimitStateAnswer:
    return LimitStateAnswer(
        meter=state.meter,
        limit=plain(state.limit),
        per=state.per,
        kind=state.kind,
        origin=state.origin,
        used=plain(state.used),
        remaining=plain(state.remaining),
        allowed=state.allowed,
        starts_at=state.starts_at,
        resets_at=state.resets_at,
    )


ROUTES: Final = (check_usage, check_and_record)
