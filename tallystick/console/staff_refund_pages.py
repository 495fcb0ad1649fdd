"""For staff: money that goes back, through gateways, by hand, or because a bank took it."""

from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath, Parameter
from litestar.response import Redirect
from msgspec.structs import replace

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account
from tallystick.console import billing_views, refund_views
from tallystick.console.context import Console, ConsoleContext
from tallystick.console.formats import formats_of
from tallystick.console.forms import read_key, text_field
from tallystick.console.refusals import REFUSED, status_of
from tallystick.console.rendering import WebRequest, page
from tallystick.console.staff_billing_pages import Number, Of, accounts_of, whose
from tallystick.console.viewer import ACCOUNTS, BILLING, DISPUTES, REFUNDS
from tallystick.credit_notes import refunds
from tallystick.credit_notes.disputes import list_disputes
from tallystick.credit_notes.model import Refund, RefundStatus
from tallystick.kernel import ids
from tallystick.kernel.db import STAFF, WRITER, acting, actor
from tallystick.kernel.errors import TallystickError
from tallystick.kernel.paging import LIMIT_DEFAULT, page_request
from tallystick.money.amount import Money
from tallystick.payments import refund_payment
from tallystick.payments import service as payments
from tallystick.payments.model import Payment
from tallystick.payments.refund_payment import AskedRefund

_READ: Final = {"permission": "staff:read", "page": True}
_FINANCE: Final = {"permission": "staff:finance", "page": True}
_AT_GATEWAY: Final = {**_FINANCE, "gateway": True}
PAYMENT: Final = "/staff/accounts/{account_id:str}/payments/{payment_id:str}/refund"
Which = Annotated[Literal["", "made", "canceled"], Parameter(description="waiting, where empty")]
Done = Annotated[str, Parameter(description="what was just done", max_length=20)]
_NOTICES: Final = {
    "made": "The refund is booked.",
    "asked": "The gateway was asked; the list says what became of it.",
}


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Which payment is to be given back, and what can be."""

    account: Account
    payment: Payment
    left: Money
    back: str


@get(REFUNDS, opt=_READ, include_in_schema=False)
async def show_refunds(
    console: Console,
    request: WebRequest,
    *,
    of: Of = "",
    number: Number = 1,
    which: Which = "",
    done: Done = "",
) -> Response[str]:
    """List what is to be paid back, or was, newest first."""
    part = page_request(number, LIMIT_DEFAULT, None)
    status = RefundStatus(which) if which else None
    async with console.db.transaction(STAFF) as conn:
        found = await refunds.list_refunds(conn, whose(of), status, part)
        known = await accounts_of(conn, {one.account_id for one in found.items})
    frame = billing_views.frame(of, REFUNDS)
    facts = {
        "list": refund_views.refund_list(found, known),
        "notice": _NOTICES.get(done, ""),
        "which": which,
        **frame,
        "query": f"{frame['query']}which={which}&" if which else frame["query"],
    }
    return page(console, request, "staff_refunds.html", facts, here=BILLING)


@get(DISPUTES, opt=_READ, include_in_schema=False)
async def show_disputes(
    console: Console, request: WebRequest, of: Of = "", number: Number = 1
) -> Response[str]:
    """List what banks took back, or ask about, newest first."""
    part = page_request(number, LIMIT_DEFAULT, None)
    async with console.db.transaction(STAFF) as conn:
        found = await list_disputes(conn, whose(of), None, part)
        known = await accounts_of(conn, {one.account_id for one in found.items})
    facts = {
        "list": refund_views.dispute_list(found, known),
        **billing_views.frame(of, DISPUTES),
    }
    return page(console, request, "staff_disputes.html", facts, here=BILLING)


@get(f"{REFUNDS}/{{refund_id:str}}", opt=_FINANCE, include_in_schema=False)
async def ask_for_refund(
    console: Console, request: WebRequest, refund_id: FromPath[str]
) -> Response[str]:
    """Ask for the bank's reference of money that was paid back."""
    return await _asking(console, request, ids.parse("refund", refund_id), "")


@post(f"{REFUNDS}/{{refund_id:str}}", opt=_FINANCE, include_in_schema=False)
async def make_refund(
    console: Console, request: WebRequest, refund_id: FromPath[str]
) -> Response[Any]:
    """Book that the money was paid back by hand."""
    wanted, form = ids.parse("refund", refund_id), await request.form()
    reference = text_field(form, "reference")
    try:
        async with console.db.transaction(WRITER) as conn:
            account_id = await refunds.account_of_refund(conn, wanted)
            await refund_payment.make_by_hand(
                conn, account_id, wanted, reference, wall=console.clock()
            )
    except REFUSED as error:
        return await _asking(console, request, wanted, reference, error)
    return Redirect(f"{REFUNDS}?done=made", status_code=303)


@post(f"{REFUNDS}/{{refund_id:str}}/retry", opt=_AT_GATEWAY, include_in_schema=False)
async def retry_refund(
    console: Console, request: WebRequest, refund_id: FromPath[str]
) -> Response[Any]:
    """Ask the gateway once more."""
    wanted = ids.parse("refund", refund_id)
    async with console.db.transaction(STAFF) as conn:
        account_id = await refunds.account_of_refund(conn, wanted)
    try:
        await console.refunds.retry(account_id, wanted)
    except REFUSED as error:
        return await _asking(console, request, wanted, "", error)
    return Redirect(f"{REFUNDS}?done=asked", status_code=303)


@get(PAYMENT, opt=_FINANCE, include_in_schema=False)
async def ask_refund_of_payment(
    console: Console, request: WebRequest, account_id: FromPath[str], payment_id: FromPath[str]
) -> Response[str]:
    """Ask how much of a payment is to be given back, and why."""
    asked = await _asked(console, account_id, payment_id)
    told = {"key": str(ids.new_id()), "amount": "", "reason": "", "left": str(asked.left.minor)}
    return _payment_page(console, request, asked, told)


@post(PAYMENT, opt=_AT_GATEWAY, include_in_schema=False)
async def refund_payment_now(
    console: Console, request: WebRequest, account_id: FromPath[str], payment_id: FromPath[str]
) -> Response[Any]:
    """Give it back, and go to the invoice; what is refused is asked again with the reason."""
    asked, form = await _asked(console, account_id, payment_id), await request.form()
    told = {name: text_field(form, name) for name in ("key", "amount", "reason", "left")}
    try:
        currency, locale = asked.payment.currency, asked.account.locale
        wanted = AskedRefund(
            reason=told["reason"],
            request_key=f"console:{read_key(form)}",
            amount_minor=refund_views.read_amount(told["amount"], currency, locale),
            left_minor=int(told["left"]) if told["left"].isdecimal() else None,
        )
        with acting(replace(actor(), reason=told["reason"].strip()[:500])):
            await console.payment_refunds.refund(
                asked.account.account_id, asked.payment.payment_id, wanted
            )
    except REFUSED as error:
        told["left"] = str(asked.left.minor)
        return _payment_page(console, request, asked, told, error)
    return Redirect(f"{asked.back}?done=refund", status_code=303)


async def _asked(console: ConsoleContext, account_id: str, payment_id: str) -> _Asked:
    whose_, wanted = ids.parse("account", account_id), ids.parse("payment", payment_id)
    async with console.db.transaction(STAFF) as conn:
        account = await accounts.get_account(conn, whose_)
        payment = (await payments.get_payment(conn, whose_, wanted)).payment
        left = await refund_payment.left_of(conn, whose_, wanted)
    back = f"{ACCOUNTS}/{account_id}"
    if payment.invoice_ids:
        back = f"{back}/invoices/{ids.show('invoice', payment.invoice_ids[0])}"
    return _Asked(account=account, payment=payment, left=Money(left, payment.currency), back=back)


def _payment_page(
    console: ConsoleContext,
    request: WebRequest,
    asked: _Asked,
    told: dict[str, str],
    error: TallystickError | None = None,
) -> Response[str]:
    formats = formats_of(asked.account)
    facts = {
        "told": told,
        "what": f"{formats.money(asked.payment.received)} of {asked.account.name}",
        "left": formats.money(asked.left),
        "is_by_hand": asked.payment.gateway == refunds.MANUAL,
        "gateway": asked.payment.gateway.capitalize(),
        "back": asked.back,
        "error": error.detail if error else "",
    }
    status = status_of(error) if error else 200
    return page(console, request, "staff_refund_payment.html", facts, here=ACCOUNTS, status=status)


async def _asking(
    console: ConsoleContext,
    request: WebRequest,
    refund_id: UUID,
    reference: str,
    error: TallystickError | None = None,
) -> Response[str]:
    async with console.db.transaction(STAFF) as conn:
        account_id = await refunds.account_of_refund(conn, refund_id)
        refund: Refund = await refunds.get_refund(conn, account_id, refund_id)
        account = await accounts.get_account(conn, account_id)
    facts = {
        "step": refund_views.REFUND_STEP,
        "told": {"reference": reference},
        "what": f"{formats_of(account).money(refund.left)} to {account.name}",
        "back": REFUNDS,
        "action": f"{REFUNDS}/{ids.show('refund', refund_id)}",
        "error": error.detail if error else "",
    }
    status = status_of(error) if error else 200
    return page(console, request, "staff_step.html", facts, here=BILLING, status=status)


ROUTES: Final = (
    show_refunds,
    show_disputes,
    ask_for_refund,
    make_refund,
    retry_refund,
    ask_refund_of_payment,
    refund_payment_now,
)
