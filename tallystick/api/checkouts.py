"""Stripe's own page (Checkout): to pay what is due or ahead, to save a method, to subscribe."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
from litestar import Request, get, post

from tallystick.accounts.model import Account, Principal
from tallystick.api import fields
from tallystick.api.answers import major
from tallystick.api.payments import request_key
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.catalog import service as catalog
from tallystick.invoices import monthly
from tallystick.invoices import service as invoices
from tallystick.invoices.monthly import Begun
from tallystick.kernel import ids
from tallystick.kernel.db import WRITER, account_scope
from tallystick.kernel.errors import BadInput, Conflict
from tallystick.money.amount import Money
from tallystick.money.currency import currency as known_currency
from tallystick.payments import methods
from tallystick.payments.checkouts import Wanted, get_checkout
from tallystick.payments.model import Checkout

TAGS: Final = ["Payments"]
WRITE: Final = {"permission": "billing:write", "gateway": True}
READ: Final = {"permission": "billing:read"}
INVOICES_MAX: Final = 500
_EXAMPLE: Final = {"mode": "setup"}
OWN: Final = ("invoice_id", "amount_cents", "currency", "plan")
ALLOWED: Final = {
    "payment": {"invoice_id", "amount_cents", "currency"},
    "setup": set[str](),
    "subscription": {"plan"},
}
Mode = Literal["payment", "setup", "subscription"]
Ahead = Annotated[int, msgspec.Meta(ge=50, le=99_999_999, description="Minor units.")]
Address = Annotated[str, msgspec.Meta(max_length=2000, extra_json_schema={"format": "own-url"})]


class NewCheckout(Body, frozen=True, kw_only=True):
    """What the page is for, and where the payer comes back to.

    `payment`: for `invoice_id`, for `amount_cents` of the account's currency ahead (prepaid money),
    or without either for all that is due in `currency` (or the account's).
    `subscription`: to `plan`; its first invoice is paid there, and the
    method kept for later ones. Addresses are of this server's origin, or of that of
    `STRIPE_SUCCESS_URL` and `STRIPE_CANCEL_URL`, which stand where none is named.
    """

    mode: Mode
    invoice_id: fields.InvoiceId | None = None
    amount_cents: Ahead | None = None
    currency: fields.Currency | None = None
    plan: fields.Code | None = None
    success_url: Address | None = None
    cancel_url: Address | None = None


class CheckoutAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A page of Stripe's; `url` is told once, to the one who asked for the page.

    `complete` says that the payer is done there; whether money came says the payment.
    """

    id: str
    mode: str
    status: str
    session_id: str | None
    url: str | None
    payment: str | None
    subscription: str | None
    currency: str
    amount: Decimal | None
    amount_cents: int | None
    expires_at: datetime
    created: datetime


@post(
    "/checkout_session",
    opt={**WRITE, "example": _EXAMPLE},
    tags=TAGS,
    summary="Open Stripe's payment page",
)
async def open_checkout(
    data: NewCheckout,
    request: Request[Any, Any, Any],
    services: Services,
    account: Account,
    principal: Principal,
) -> CheckoutAnswer:
    """Return where to send the payer.

    The payment is booked when Stripe tells that it was paid, never by the payer's coming back.
    While the page is open (two hours) autopay leaves its invoices alone.
    """
    _check(data)
    key = request_key(request)
    wanted = await _wanted(data, services, account, principal)
    opened = await services.checkouts.open(account.account_id, wanted, request_key=key)
    return _answer(
        msgspec.structs.replace(opened.checkout, reference=opened.page.reference),
        opened.page.url,
    )


@get("/checkout_session/{checkout_id:str}", opt=READ, tags=TAGS, summary="A payment page")
async def read_checkout(checkout_id: str, services: Services, account: Account) -> CheckoutAnswer:
    """Return how the page stands, without its address."""
    wanted = ids.parse("checkout", checkout_id)
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        return _answer(await get_checkout(conn, account.account_id, wanted), None)


def _check(data: NewCheckout) -> None:
    """Raise BadInput for members that do not belong to the mode, or to each other."""
    given = [name for name in OWN if getattr(data, name) is not None]
    for name in given:
        if name not in ALLOWED[data.mode]:
            message = f"does not belong to mode {data.mode}"
            raise BadInput.field(name, "not_in_this_mode", message)
    if len(given) > 1:
        raise BadInput.field(given[1], "one_of", f"goes without `{given[0]}`; send one of them")
    if data.mode == "subscription" and data.plan is None:
        raise BadInput.field("plan", "missing", "is required in mode subscription")


async def _wanted(
    data: NewCheckout, services: Services, account: Account, principal: Principal
) -> Wanted:
    settings = services.settings
    back = f"{settings.public_url}/billing/invoices"
    own = tuple(
        one
        for one in (settings.public_url, settings.stripe_success_url, settings.stripe_cancel_url)
        if one
    )
    _check_address("success_url", data.success_url, own)
    _check_address("cancel_url", data.cancel_url, own)
    currency = account.currency
    if data.currency is not None:
        currency = known_currency(data.currency.upper()).code
    wanted = Wanted(
        mode=data.mode,
        description=f"Payment to {settings.seller_name}",
        currency=currency,
        success_url=data.success_url or settings.stripe_success_url or back,
        cancel_url=data.cancel_url or settings.stripe_cancel_url or back,
    )
    if data.mode == "subscription" and data.plan is not None:
        begun = await _begin(data.plan, services, account, principal)
        return _for_subscription(wanted, begun)
    if data.amount_cents is not None:
        amount = Money(data.amount_cents, currency)
        return msgspec.structs.replace(wanted, amount=amount)
    if data.mode == "payment":
        return await _for_invoices(wanted, data.invoice_id, services, account.account_id)
    return wanted


async def _for_invoices(
    wanted: Wanted, named: str | None, services: Services, account_id: UUID
) -> Wanted:
    """Return a page for one invoice, or for all that are open in the currency."""
    async with services.db.transaction(account_scope(account_id)) as conn:
        if named is not None:
            one = await invoices.get_invoice(conn, account_id, ids.parse("invoice", named))
            return msgspec.structs.replace(
                wanted,
                description=f"Invoice {one.number}",
                currency=one.currency,
                invoice_ids=(one.invoice_id,),
            )
        due = await invoices.open_invoices(conn, account_id, INVOICES_MAX)
    found = tuple(one.invoice_id for one in due if one.currency == wanted.currency)
    if not found:
        raise Conflict("nothing_to_pay", f"Nothing is due on this account in {wanted.currency}.")
    return msgspec.structs.replace(wanted, invoice_ids=found)


async def _begin(
    plan_code: str, services: Services, account: Account, principal: Principal
) -> Begun:
    """Put the account on the plan, incomplete until it is paid, or go on with one that waits."""
    now = principal.now(services.clock())
    async with services.db.transaction(WRITER) as conn:
        plan = await catalog.current_plan_version(conn, plan_code)
        return await monthly.begin(
            conn, account, plan, now=now, seller=services.seller, has_method=methods.has_method
        )


def _for_subscription(wanted: Wanted, begun: Begun) -> Wanted:
    """Return a page for the first invoice, or, if nothing is due yet, to save a method."""
    invoice = begun.invoice
    if invoice is None or invoice.due.is_zero():
        return msgspec.structs.replace(wanted, subscription_id=begun.on.subscription_id)
    return msgspec.structs.replace(
        wanted,
        description=f"Invoice {invoice.number}",
        currency=invoice.currency,
        invoice_ids=(invoice.invoice_id,),
        subscription_id=begun.on.subscription_id,
    )


def _check_address(field: str, given: str | None, own: tuple[str, ...]) -> None:
    """Raise BadInput for a page of somebody else's: a payer must not be sent there."""
    if given is not None and _origin(given) not in {_origin(one) for one in own}:
        raise BadInput.field(
            field, "url_not_allowed", "must be a page of this server, or of the addresses set here"
        )


def _origin(url: str) -> tuple[str, str] | None:
    """Return scheme and host with port; None for what is no plain address of a page."""
    try:
        parts = urlsplit(url)
        named = parts.hostname and parts.scheme in {"http", "https"} and "@" not in parts.netloc
    except ValueError:
        return None
    plain = named and url.isprintable() and not set(url) & set(" \\")
    return (parts.scheme, parts.netloc.lower()) if plain else None


def _answer(checkout: Checkout, url: str | None) -> CheckoutAnswer:
    minor = checkout.amount_minor
    status = "open" if url else checkout.status.value
    return CheckoutAnswer(
        id=ids.show("checkout", checkout.checkout_id),
        mode=checkout.mode,
        status=status,
        session_id=checkout.reference,
        url=url,
        payment=ids.show("payment", checkout.payment_id) if checkout.payment_id else None,
        subscription=ids.show("subscription", checkout.subscription_id)
        if checkout.subscription_id
        else None,
        currency=checkout.currency.lower(),
        amount=None if minor is None else major(minor, checkout.currency),
        amount_cents=minor,
        expires_at=checkout.expires_at,
        created=checkout.created_at,
    )


ACCOUNT_ROUTES: Final = (open_checkout, read_checkout)
