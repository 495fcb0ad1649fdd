"""Add-ons of an account's subscriptions: bought and taken off by it, or by staff for it."""

from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

import msgspec
from litestar import get, post

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account, Principal
from tallystick.api import fields
from tallystick.api.reasons import because
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.catalog.model import FeatureValue
from tallystick.catalog.offer_model import Charge
from tallystick.invoices.add_on_bills import end_add_on, sell_add_on
from tallystick.kernel import ids
from tallystick.kernel.clock import account_now
from tallystick.kernel.db import STAFF, WRITER, Connection, account_scope, acting
from tallystick.kernel.ids import unknown
from tallystick.money.exact import plain
from tallystick.subscriptions import add_ons
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.add_ons import Asked
from tallystick.subscriptions.model import AttachedAddOn

OF_ACCOUNT: Final = "/api/v1/admin/accounts/{account_id:str}/add-ons"
ONE: Final = "{subscription_add_on_id:str}"
TAGS: Final = ["Subscriptions"]
ADMIN_TAGS: Final = ["Admin: catalogue"]


class PutAddOnBody(Body, frozen=True, kw_only=True):
    """An add-on, so many of it, from `starts_at` (now) to before `ends_at` (until taken off).

    For the subscription that is named, else for the one that the account has had longest.
    """

    add_on: fields.Code
    quantity: fields.SeatCount = 1
    subscription: str | None = None
    starts_at: fields.Instant | None = None
    ends_at: fields.Instant | None = None


class GiveAddOnBody(PutAddOnBody, frozen=True, kw_only=True):
    """The same, and why; kept in the audit."""

    reason: fields.Reason


class EndAddOnBody(Body, frozen=True, kw_only=True):
    """When it ends; now, if that is left out."""

    at: fields.Instant | None = None


class TakeAddOnAwayBody(EndAddOnBody, frozen=True, kw_only=True):
    """The same, and why; kept in the audit."""

    reason: fields.Reason


class AttachedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An add-on that a subscription has; `amount` is for one of it, a decimal string."""

    id: str
    subscription: str
    code: str
    name: str
    charge: Charge
    amount: str
    quantity: int
    features: dict[str, FeatureValue]
    starts_at: datetime
    ends_at: datetime | None
    created: datetime


class AttachedList(msgspec.Struct, frozen=True):
    """The account's add-ons, the oldest first."""

    add_ons: list[AttachedAnswer]
    total: int


@get("/add-ons", opt={"permission": "billing:read"}, tags=TAGS, summary="Add-ons of the account")
async def list_own_add_ons(services: Services, account: Account) -> AttachedList:
    """List the add-ons that the account's subscriptions have or had."""
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        return _listed(await add_ons.list_add_ons(conn, account.account_id))


@post("/add-ons", opt={"permission": "billing:write"}, tags=TAGS, summary="Buy an add-on")
async def buy_add_on(
    data: PutAddOnBody, services: Services, account: Account, principal: Principal
) -> AttachedAnswer:
    """Put an add-on on a subscription; for what is paid ahead its days are billed at once."""
    now = principal.now(services.clock())
    async with services.db.transaction(WRITER) as conn:
        return await _put_on(conn, services, account.account_id, data, now)


@post(
    f"/add-ons/{ONE}/remove",
    opt={"permission": "billing:write"},
    tags=TAGS,
    status_code=200,
    summary="Take an add-on off",
)
async def remove_add_on(
    subscription_add_on_id: str,
    data: EndAddOnBody,
    services: Services,
    account: Account,
    principal: Principal,
) -> AttachedAnswer:
    """Let an add-on end; days that were paid ahead are given back."""
    now = principal.now(services.clock())
    async with services.db.transaction(WRITER) as conn:
        named = account.account_id, subscription_add_on_id
        return await _take_off(conn, services, named, data.at, now)


@get(OF_ACCOUNT, opt={"permission": "staff:read"}, tags=ADMIN_TAGS, summary="Add-ons of an account")
async def list_account_add_ons(account_id: str, services: Services) -> AttachedList:
    """List the add-ons that an account's subscriptions have or had."""
    wanted = ids.parse("account", account_id)
    async with services.db.transaction(STAFF) as conn:
        await accounts.get_account(conn, wanted)
        return _listed(await add_ons.list_add_ons(conn, wanted))


@post(OF_ACCOUNT, opt={"permission": "staff:admin"}, tags=ADMIN_TAGS, summary="Put an add-on on")
async def give_add_on(account_id: str, data: GiveAddOnBody, services: Services) -> AttachedAnswer:
    """Put an add-on on an account's subscription; it is billed as if the account bought it."""
    wanted = ids.parse("account", account_id)
    with acting(because(data.reason)):
        async with services.db.transaction(WRITER) as conn:
            await accounts.get_account(conn, wanted)
            now = await account_now(conn, wanted, services.clock())
            return await _put_on(conn, services, wanted, data, now)


@post(
    f"{OF_ACCOUNT}/{ONE}/remove",
    opt={"permission": "staff:admin"},
    tags=ADMIN_TAGS,
    status_code=200,
    summary="Take an account's add-on off",
)
async def take_add_on_away(
    account_id: str, subscription_add_on_id: str, data: TakeAddOnAwayBody, services: Services
) -> AttachedAnswer:
    """Let an account's add-on end; days that were paid ahead are given back."""
    wanted = ids.parse("account", account_id)
    with acting(because(data.reason)):
        async with services.db.transaction(WRITER) as conn:
            await accounts.get_account(conn, wanted)
            now = await account_now(conn, wanted, services.clock())
            return await _take_off(conn, services, (wanted, subscription_add_on_id), data.at, now)


async def _put_on(
    conn: Connection, services: Services, account_id: UUID, data: PutAddOnBody, now: datetime
) -> AttachedAnswer:
    for name, instant in (("starts_at", data.starts_at), ("ends_at", data.ends_at)):
        if instant is not None:
            fields.check_instant(name, instant)
    on = await _subscription(conn, account_id, data.subscription)
    asked = Asked(quantity=data.quantity, starts_at=data.starts_at, ends_at=data.ends_at)
    made = await sell_add_on(
        conn, account_id, on, data.add_on, asked, now=now, seller=services.seller
    )
    return attached_answer(made)


async def _take_off(
    conn: Connection,
    services: Services,
    named: tuple[UUID, str],
    at: datetime | None,
    now: datetime,
) -> AttachedAnswer:
    if at is not None:
        fields.check_instant("at", at)
    account_id, shown = named
    wanted = ids.parse("subscription_add_on", shown)
    ended = await end_add_on(conn, account_id, wanted, at, now=now, seller=services.seller)
    return attached_answer(ended)


async def _subscription(conn: Connection, account_id: UUID, named: str | None) -> UUID:
    if named is not None:
        return ids.parse("subscription", named)
    current = await subscriptions.current_subscription(conn, account_id)
    if current is None:
        raise unknown("subscription")
    return current.subscription_id


def _listed(found: tuple[AttachedAddOn, ...]) -> AttachedList:
    return AttachedList([attached_answer(one) for one in found], len(found))


def attached_answer(one: AttachedAddOn) -> AttachedAnswer:
    """Show an add-on of a subscription."""
    return AttachedAnswer(
        id=ids.show("subscription_add_on", one.subscription_add_on_id),
        subscription=ids.show("subscription", one.subscription_id),
        code=one.code,
        name=one.name,
        charge=one.charge,
        amount=plain(Decimal(one.amount)),
        quantity=one.quantity,
        features=dict(one.features),
        starts_at=one.starts_at,
        ends_at=one.ends_at,
        created=one.attached_at,
    )


ACCOUNT_ROUTES: Final = (list_own_add_ons, buy_add_on, remove_add_on)
ROUTES: Final = (list_account_add_ons, give_add_on, take_add_on_away)
