"""Coupons of an account: redeemed by it, or given to it by staff."""

from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec
from litestar import delete, get, post

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account, Principal
from tallystick.api import fields
from tallystick.api.answers import major
from tallystick.api.reasons import ReasonParameter, because
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.catalog import offers
from tallystick.catalog.model import VersionStatus
from tallystick.catalog.offer_model import Coupon, Duration, Redemption
from tallystick.kernel import ids
from tallystick.kernel.clock import account_now
from tallystick.kernel.db import WRITER, account_scope, acting
from tallystick.money.exact import plain

OF_ACCOUNT: Final = "/api/v1/admin/accounts/{account_id:str}/coupons"
TAGS: Final = ["Coupons"]
ADMIN_TAGS: Final = ["Admin: catalogue"]


class RedeemBody(Body, frozen=True, kw_only=True):
    """The code, in any case."""

    code: fields.CouponCode


class GiveBody(RedeemBody, frozen=True, kw_only=True):
    """The code, and why; kept in the audit."""

    reason: fields.Reason


class CouponAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A coupon; `percent` and `amounts` (by currency) are decimal strings."""

    id: str
    code: str
    name: str
    version: int
    status: VersionStatus
    percent: str | None
    amounts: dict[str, str] | None
    duration: Duration
    periods: int | None
    plans: list[str]
    prices: list[str]
    meters: list[str]
    redemptions_max: int | None
    redemptions_per_account_max: int | None
    valid_from: datetime | None
    valid_until: datetime | None
    created: datetime


class RedemptionAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A coupon that the account has; what is left of it is null where that has no end."""

    id: str
    coupon: CouponAnswer
    redeemed_at: datetime
    periods_left: int | None
    amount_left: Decimal | None
    amount_left_cents: int | None
    currency: str
    ended_at: datetime | None


class RedemptionList(msgspec.Struct, frozen=True):
    """The account's coupons, oldest first."""

    coupons: list[RedemptionAnswer]
    total: int


@get("/coupons", opt={"permission": "billing:read"}, tags=TAGS, summary="Coupons of the account")
async def list_redemptions(services: Services, account: Account) -> RedemptionList:
    """List the coupons that the account has or had."""
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        found = await offers.list_redemptions(conn, account.account_id)
    return RedemptionList([redemption_answer(one, account) for one in found], len(found))


@post("/coupons", opt={"permission": "billing:write"}, tags=TAGS, summary="Redeem a coupon")
async def redeem(
    data: RedeemBody, services: Services, account: Account, principal: Principal
) -> RedemptionAnswer:
    """Redeem a code; it lowers the invoices to come."""
    now = principal.now(services.clock())
    async with services.db.transaction(WRITER) as conn:
        made = await offers.redeem_coupon(
            conn, account.account_id, account.currency, data.code, now
        )
    return redemption_answer(made, account)


@post(OF_ACCOUNT, opt={"permission": "staff:admin"}, tags=ADMIN_TAGS, summary="Give a coupon")
async def give(account_id: str, data: GiveBody, services: Services) -> RedemptionAnswer:
    """Give an account a coupon, under the coupon's own limits."""
    wanted = ids.parse("account", account_id)
    with acting(because(data.reason)):
        async with services.db.transaction(WRITER) as conn:
            account = await accounts.get_account(conn, wanted)
            now = await account_now(conn, wanted, services.clock())
            made = await offers.redeem_coupon(conn, wanted, account.currency, data.code, now)
    return redemption_answer(made, account)


@delete(
    f"{OF_ACCOUNT}/{{redemption_id:str}}",
    opt={"permission": "staff:admin"},
    tags=ADMIN_TAGS,
    status_code=204,
    summary="Take a coupon away",
)
async def take_away(
    account_id: str,
    redemption_id: str,
    services: Services,
    reason: ReasonParameter,
) -> None:
    """Let an account's coupon lower nothing more; issued invoices stay as they are."""
    wanted = ids.parse("account", account_id)
    redemption = ids.parse("coupon_redemption", redemption_id)
    with acting(because(reason)):
        async with services.db.transaction(WRITER) as conn:
            now = await account_now(conn, wanted, services.clock())
            await offers.end_redemption(conn, wanted, redemption, now)


def coupon_answer(one: Coupon) -> CouponAnswer:
    """Show a coupon."""
    amounts = None if one.amounts is None else one.amounts.items()
    return CouponAnswer(
        id=ids.show("coupon", one.coupon_id),
        code=one.code,
        name=one.name,
        version=one.version,
        status=one.status,
        percent=None if one.percent is None else plain(one.percent),
        amounts=None if amounts is None else {code.lower(): plain(has) for code, has in amounts},
        duration=one.duration,
        periods=one.periods,
        plans=list(one.plans),
        prices=list(one.prices),
        meters=list(one.meters),
        redemptions_max=one.redemptions_max,
        redemptions_per_account_max=one.redemptions_per_account_max,
        valid_from=one.valid_from,
        valid_until=one.valid_until,
        created=one.created_at,
    )


def redemption_answer(one: Redemption, account: Account) -> RedemptionAnswer:
    """Show a coupon that the account has."""
    left = one.amount_left_minor
    return RedemptionAnswer(
        id=ids.show("coupon_redemption", one.redemption_id),
        coupon=coupon_answer(one.coupon),
        redeemed_at=one.redeemed_at,
        periods_left=one.periods_left,
        amount_left=None if left is None else major(left, account.currency),
        amount_left_cents=left,
        currency=account.currency.lower(),
        ended_at=one.ended_at,
    )


ACCOUNT_ROUTES: Final = (list_redemptions, redeem)
ROUTES: Final = (give, take_away)
