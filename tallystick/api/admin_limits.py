"""For staff: limits of one account, in place of its plan's."""

from datetime import datetime
from decimal import Decimal
from typing import Final, cast, get_args

import msgspec
from litestar import delete, get, put

from tallystick.accounts import service as accounts
from tallystick.api import fields
from tallystick.api.answers import plain
from tallystick.api.reasons import ReasonParameter, because
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.api.usage_check import LimitStateAnswer, limit_answers
from tallystick.catalog import service as catalog
from tallystick.catalog.model import LimitKind, LimitPeriod
from tallystick.kernel import ids
from tallystick.kernel.clock import account_now
from tallystick.kernel.db import STAFF, WRITER, acting
from tallystick.kernel.errors import BadInput, NotFound
from tallystick.metering import account_limits
from tallystick.metering.limits import Ask, is_additive
from tallystick.metering.limits_store import AccountLimit
from tallystick.payments.approvals import check_reason

BASE: Final = "/api/v1/admin/accounts/{account_id:str}/limits"
TAGS: Final = ["Admin: limits"]


class LimitBody(Body, frozen=True, kw_only=True):
    """A limit; null: none, whatever the plan says."""

    limit: fields.Quantity | None
    kind: LimitKind = "hard"
    reason: fields.Reason


class AccountLimitAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A limit that was set for the account."""

    meter: str
    per: LimitPeriod
    limit: str | None
    kind: LimitKind
    reason: str
    set_at: datetime


class AccountLimits(msgspec.Struct, frozen=True):
    """What was set for the account, and all that holds for it now, its plan's included."""

    limits: list[AccountLimitAnswer]
    effective: list[LimitStateAnswer]
    total: int


@get(BASE, opt={"permission": "staff:read"}, tags=TAGS, summary="Limits of an account")
async def list_limits(account_id: str, services: Services) -> AccountLimits:
    """Show what was set for an account, and how all its limits stand."""
    wanted = ids.parse("account", account_id)
    async with services.db.transaction(STAFF) as conn:
        own = await account_limits.list_limits(conn, wanted)
        account = await accounts.get_account(conn, wanted)
        now = await account_now(conn, wanted, services.clock())
        meters = {meter.code: meter for meter in await catalog.list_meters(conn)}
    found = await services.limits.find(account, now)
    asks = [
        Ask(wanted, meters[code], Decimal(0), applied)
        for code, applied in found.limits.items()
        if is_additive(meters[code])
    ]
    checked = await services.gate.check(asks)
    return AccountLimits(
        [_answer(one) for one in own], limit_answers(checked.states), total=len(own)
    )


@put(
    f"{BASE}/{{meter_code:str}}/{{per:str}}",
    opt={"permission": "staff:admin"},
    tags=TAGS,
    summary="Set a limit",
)
async def set_limit(
    account_id: str, meter_code: str, per: str, data: LimitBody, services: Services
) -> AccountLimitAnswer:
    """Set a limit in place of the plan's on the same meter and `per`; the next check knows it."""
    wanted = ids.parse("account", account_id)
    new = AccountLimit(
        meter=meter_code,
        per=_period(per),
        limit=None if data.limit is None else _decimal(data.limit),
        kind=data.kind,
        reason=check_reason(data.reason),
        set_at=services.clock(),
    )
    with acting(because(data.reason)):
        async with services.db.transaction(WRITER) as conn:
            await accounts.get_account(conn, wanted)
            return _answer(await account_limits.set_limit(conn, wanted, new))


@delete(
    f"{BASE}/{{meter_code:str}}/{{per:str}}",
    opt={"permission": "staff:admin"},
    tags=TAGS,
    status_code=204,
    summary="Take a limit away",
)
async def remove_limit(
    account_id: str,
    meter_code: str,
    per: str,
    services: Services,
    reason: ReasonParameter,
) -> None:
    """Let the plan's limit hold again."""
    wanted = ids.parse("account", account_id)
    with acting(because(reason)):
        async with services.db.transaction(WRITER) as conn:
            await account_limits.remove_limit(conn, wanted, meter_code, _period(per))


def _answer(one: AccountLimit) -> AccountLimitAnswer:
    return AccountLimitAnswer(
        meter=one.meter,
        per=one.per,
        limit=None if one.limit is None else plain(one.limit),
        kind=one.kind,
        reason=one.reason,
        set_at=one.set_at,
    )


def _period(text: str) -> LimitPeriod:
    for period in get_args(LimitPeriod):
        if text == period:
            return cast("LimitPeriod", period)
    raise NotFound("limit_not_found", "There are limits per period, day and minute.")


def _decimal(text: str) -> Decimal:
    if not fields.QUANTITY.fullmatch(text):
        raise BadInput.field("limit", "not_a_decimal_string", 'must be a string such as "1000"')
    return Decimal(text)


ROUTES: Final = (list_limits, set_limit, remove_limit)
