"""Saved payment methods, and what a page needs to know for them."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final

import msgspec
from litestar import delete, get, post
from msgspec import Meta

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account
from tallystick.api import fields
from tallystick.api.answers import major
from tallystick.api.services import Services
from tallystick.api.setups import Nothing
from tallystick.api.strict import Body
from tallystick.kernel import ids
from tallystick.kernel.db import account_scope
from tallystick.money.currency import currency
from tallystick.payments import methods
from tallystick.payments.expiry import expires_at
from tallystick.payments.model import PaymentMethod
from tallystick.payments.requests import Bank, Card
from tallystick.settings import Settings

TAGS: Final = ["Payment methods"]
READ: Final = {"permission": "billing:read"}
WRITE: Final = {"permission": "billing:write"}
METHODS_MAX: Final = 1_000
"""So many names may be sent in an order."""


class MethodAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A saved method; of the card only what may be shown, and the account's own notes.

    `expires`: from then on a card can not be charged; null where that is not known.
    """

    id: str
    gateway: str
    type: str
    card: Card | None
    bank: Bank | None
    label: str | None
    details: dict[str, str]
    priority: int
    is_default: bool
    status: str
    expires: datetime | None
    created: datetime


class MethodList(msgspec.Struct, frozen=True):
    """The account's methods, by priority."""

    payment_methods: list[MethodAnswer]
    total: int


class SettingsAnswer(msgspec.Struct, frozen=True):
    """How the account pays: by itself or not, and with what.

    `payment_fallback`: a charge by itself that is refused for good goes on to the next method by
    priority.
    """

    autopay: bool
    payment_fallback: bool
    default_payment_method_id: str | None
    default_payment_method_token: str | None


class Autopay(Body, frozen=True, kw_only=True):
    """Whether invoices are charged to the default method by themselves.

    `payment_fallback`: and to the next one by priority when it is refused for good; left out: as it
    was, and off at first.
    """

    enabled: bool
    payment_fallback: bool | None = None


class Named(Body, frozen=True, kw_only=True):
    """A method by our id or by the gateway's token."""

    payment_method_id: fields.Token


class GatewayConfig(msgspec.Struct, frozen=True):
    """Stripe's part of the page's configuration.

    `method_types`: what its form saves. `checkout`: what its own pages are for.
    """

    publishable_key: str
    script_url: str
    method_types: list[str]
    checkout: list[str]


class CcbillConfig(msgspec.Struct, frozen=True, kw_only=True):
    """CCBill's part: its script asks for these; the bearer comes of `POST /config/ccbill-token`.

    `client_subacc_3ds` is that of tokens made with 3-D Secure; `currency_code` is the default
    currency by its ISO number, as the script wants it.
    """

    application_id: str
    client_accnum: int
    client_subacc: int
    client_subacc_3ds: int
    widget_url: str
    currency_code: str


class ConfigAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a page needs to know; nothing secret."""

    gateways: list[str]
    stripe: GatewayConfig | None
    ccbill: CcbillConfig | None
    default_currency: str
    default_monthly_price: Decimal | None = None
    default_monthly_price_cents: int | None = None
    features: dict[str, bool]


class Order(Body, frozen=True, kw_only=True):
    """All methods of the account, by our ids or the gateways' tokens, the first one first."""

    payment_method_ids: Annotated[list[fields.Token], Meta(min_length=1, max_length=METHODS_MAX)]


@get("/config", opt=READ, tags=TAGS, summary="What a page needs to know")
async def read_config(services: Services) -> ConfigAnswer:
    """Return enabled gateways and their public keys."""
    settings = services.settings
    price = settings.default_monthly_price_cents
    stripe = _stripe(services)
    ccbill = _ccbill(settings)
    return ConfigAnswer(
        gateways=list(services.gateways.names()),
        stripe=stripe,
        ccbill=ccbill,
        default_currency=settings.default_currency.lower(),
        default_monthly_price=None if price is None else major(price, settings.default_currency),
        default_monthly_price_cents=price,
        features={
            "billing": settings.billing_enabled,
            "stripe": stripe is not None,
            "ccbill": ccbill is not None,
        },
    )


def _ccbill(settings: Settings) -> CcbillConfig | None:
    """Return what CCBill's script needs; None where pages can make no tokens."""
    own = settings.ccbill
    if not own.makes_tokens or own.frontend_id is None or own.accnum is None:
        return None
    return CcbillConfig(
        application_id=own.frontend_id,
        client_accnum=own.accnum,
        client_subacc=own.subacc,
        client_subacc_3ds=own.subacc if own.subacc_3ds is None else own.subacc_3ds,
        widget_url=own.widget_url,
        currency_code=currency(settings.default_currency).numeric,
    )


def _stripe(services: Services) -> GatewayConfig | None:
    """Return what a page needs for Stripe's form; None without a key for pages."""
    settings = services.settings
    if not (settings.stripe_configured and settings.stripe_publishable_key):
        return None
    can = services.gateways.get("stripe").capabilities
    return GatewayConfig(
        settings.stripe_publishable_key,
        settings.stripe_js_url,
        sorted(can.setups),
        sorted(can.checkout),
    )


@get("/settings", opt=READ, tags=TAGS, summary="How the account pays")
async def read_settings(services: Services, account: Account) -> SettingsAnswer:
    """Return autopay and the default method."""
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        default = await methods.default_method(conn, account.account_id)
    return _settings(account, default)


@post("/autopay", opt=WRITE, tags=TAGS, status_code=200, summary="Switch autopay")
async def set_autopay(data: Autopay, services: Services, account: Account) -> SettingsAnswer:
    """Let invoices be charged by themselves, or not."""
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        changed = await accounts.set_autopay(
            conn, account.account_id, enabled=data.enabled, fallback=data.payment_fallback
        )
        default = await methods.default_method(conn, account.account_id)
    return _settings(changed, default)


@get("/payment-methods", opt=READ, tags=TAGS, summary="Payment methods")
async def list_methods(services: Services, account: Account) -> MethodList:
    """List the saved methods, by priority."""
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        found = await methods.list_methods(conn, account.account_id)
    return MethodList([method_answer(method) for method in found], len(found))


@post("/payment-methods/default", opt=WRITE, tags=TAGS, status_code=200, summary="Choose default")
async def choose_default(data: Named, services: Services, account: Account) -> MethodAnswer:
    """Make a method the default, by our id or the gateway's token."""
    return await _set_default(services, account, data.payment_method_id)


@post("/payment-methods/priority", opt=WRITE, tags=TAGS, status_code=200, summary="Order them")
async def set_priorities(data: Order, services: Services, account: Account) -> MethodList:
    """Order the methods. The default is charged first, then the others in this order.

    When the default is removed, the first of this order is the default.
    """
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        found = await methods.set_priorities(conn, account.account_id, data.payment_method_ids)
    return MethodList([method_answer(method) for method in found], len(found))


@post(
    "/payment-methods/{method_id:str}/set_default",
    opt=WRITE,
    tags=TAGS,
    status_code=200,
    summary="Make it the default",
)
async def set_default(
    method_id: str, services: Services, account: Account, data: Nothing | None = None
) -> MethodAnswer:
    """Make this method the default."""
    del data
    return await _set_default(services, account, method_id)


@delete("/payment-methods/{method_id:str}", opt=WRITE, tags=TAGS, summary="Remove a method")
async def remove_method(method_id: str, services: Services, account: Account) -> None:
    """Remove a method, by our id or the gateway's token; the next by priority is the default."""
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        found = await methods.find_method(conn, account.account_id, method_id)
        await methods.remove(conn, account.account_id, found.payment_method_id)


async def _set_default(services: Services, account: Account, name: str) -> MethodAnswer:
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        found = await methods.find_method(conn, account.account_id, name)
        changed = await methods.set_default(conn, account.account_id, found.payment_method_id)
    return method_answer(changed)


def method_answer(method: PaymentMethod) -> MethodAnswer:
    """Show a method."""
    return MethodAnswer(
        id=ids.show("payment_method", method.payment_method_id),
        gateway=method.gateway,
        type=method.type,
        card=method.card,
        bank=method.bank,
        label=method.label,
        details=dict(method.details or {}),
        priority=method.priority,
        is_default=method.is_default,
        status=method.status,
        expires=expires_at(method.card),
        created=method.created_at,
    )


def _settings(account: Account, default: PaymentMethod | None) -> SettingsAnswer:
    shown = ids.show("payment_method", default.payment_method_id) if default else None
    return SettingsAnswer(
        account.autopay, account.payment_fallback, shown, default.token if default else None
    )


ACCOUNT_ROUTES: Final = (
    read_config,
    read_settings,
    set_autopay,
    list_methods,
    choose_default,
    set_priorities,
    set_default,
    remove_method,
)
