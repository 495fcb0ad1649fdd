"""Credits for sale, and buying them."""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal

import msgspec
from litestar import Request, get, post

from tallystick.accounts.model import Account, Principal
from tallystick.api import credit_examples
from tallystick.api.answers import major
from tallystick.api.credit_use import request_key
from tallystick.api.invoices import InvoiceAnswer, invoice_answer
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.credits import packages
from tallystick.credits.amounts import to_credits
from tallystick.credits.model import Package
from tallystick.invoices.credit_purchase import purchase
from tallystick.invoices.model import Invoice
from tallystick.kernel import ids
from tallystick.kernel.db import WRITER, account_scope

TAGS: Final = ["Credits"]
MANUAL: Final = "manual"
STRIPE: Final = "stripe"


class PackageAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """So many credits for an amount, before tax."""

    id: str
    code: str
    name: str
    credits: Decimal
    currency: str
    amount: Decimal
    amount_cents: int
    expires_after_days: int | None
    priority: int
    is_active: bool
    created: datetime


class PackageList(msgspec.Struct, frozen=True):
    """What is on sale, cheapest first."""

    packages: list[PackageAnswer]
    total: int


class PurchaseBody(Body, frozen=True, kw_only=True):
    """How it will be paid; left out: as is best here."""

    payment_method: Literal["stripe", "manual"] | None = None


class NextAction(msgspec.Struct, frozen=True, kw_only=True):
    """What the buyer does next.

    `pay_invoice`: POST to `url` charges the saved method. `bank_transfer`: transfer the amount with
    the invoice's number as its reference.
    """

    type: str
    gateway: str
    invoice: str
    reference: str
    amount_due: Decimal
    amount_due_cents: int
    currency: str
    url: str | None = None


class PurchaseAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The invoice of a purchase; its credits come when it is paid."""

    invoice: InvoiceAnswer
    next_action: NextAction | None


@get(
    "/credit-packages",
    opt={"permission": "billing:read"},
    tags=TAGS,
    summary="Credit packages",
)
async def list_packages(services: Services, account: Account) -> PackageList:
    """List the packages on sale in the account's currency."""
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        found = await packages.list_packages(conn, account.currency, active_only=True)
    return PackageList([package_answer(one) for one in found], len(found))


@post(
    "/credit-packages/{package_id:str}/purchase",
    opt={"permission": "billing:write", "example": credit_examples.PURCHASE},
    tags=TAGS,
    summary="Buy credits",
)
async def buy(
    *,
    package_id: str,
    request: Request[Any, Any, Any],
    services: Services,
    account: Account,
    principal: Principal,
    data: PurchaseBody | None = None,
) -> PurchaseAnswer:
    """Make the invoice of a package; its credits are given once, when it is paid."""
    wanted = ids.parse("credit_package", package_id)
    asked = data.payment_method if data else None
    gateway = asked or (STRIPE if STRIPE in services.gateways.names() else MANUAL)
    services.gateways.get(gateway)
    async with services.db.transaction(WRITER) as conn:
        invoice = await purchase(
            conn,
            account,
            wanted,
            seller=services.seller,
            key=request_key(request),
            at=principal.now(services.clock()),
        )
    shown = invoice_answer(invoice, services.settings.public_url)
    return PurchaseAnswer(invoice=shown, next_action=next_action(invoice, gateway))


def next_action(invoice: Invoice, gateway: str) -> NextAction | None:
    """Return what the buyer does next; None when nothing is left to pay."""
    if invoice.due.is_zero():
        return None
    shown = ids.show("invoice", invoice.invoice_id)
    is_manual = gateway == MANUAL
    return NextAction(
        type="bank_transfer" if is_manual else "pay_invoice",
        gateway=gateway,
        invoice=shown,
        reference=invoice.number or "",
        amount_due=invoice.due.to_decimal(),
        amount_due_cents=invoice.due.minor,
        currency=invoice.currency.lower(),
        url=None if is_manual else f"/api/v1/billing/invoices/{shown}/pay",
    )


def package_answer(one: Package) -> PackageAnswer:
    """Show a package."""
    return PackageAnswer(
        id=ids.show("credit_package", one.credit_package_id),
        code=one.code,
        name=one.name,
        credits=to_credits(one.credits),
        currency=one.currency.lower(),
        amount=major(one.amount_minor, one.currency),
        amount_cents=one.amount_minor,
        expires_after_days=one.expires_after_days,
        priority=one.priority,
        is_active=one.is_active,
        created=one.created_at,
    )


ACCOUNT_ROUTES: Final = (list_packages, buy)
