"""For finance: payments by hand that wait to be approved or rejected."""

from typing import Annotated, Any, Final

from litestar import Response, get, post
from litestar.params import FromPath, Parameter
from litestar.response import Redirect
from msgspec.structs import replace

from tallystick.accounts import service as accounts
from tallystick.console.approval_views import approval_row, approval_rows
from tallystick.console.context import Console
from tallystick.console.formats import formats_of
from tallystick.console.forms import text_field
from tallystick.console.refund_views import read_amount
from tallystick.console.refusals import REFUSED, status_of
from tallystick.console.rendering import WebRequest, page
from tallystick.console.staff_billing_pages import accounts_of
from tallystick.console.viewer import APPROVALS, BILLING
from tallystick.kernel import ids
from tallystick.kernel.clock import account_now
from tallystick.kernel.db import STAFF, WRITER, acting, actor
from tallystick.kernel.errors import TallystickError
from tallystick.payments import approvals
from tallystick.payments import service as payments
from tallystick.payments.model import PaymentStatus

_FINANCE: Final = {"permission": "staff:finance", "page": True}
Done = Annotated[str, Parameter(description="what was just decided", max_length=20)]
_NOTICES: Final = {
    "approved": "The payment is booked.",
    "rejected": "The payment is rejected; its invoice stays open.",
    "decided": "That payment was decided already.",
}


@get(APPROVALS, opt=_FINANCE, include_in_schema=False)
async def show_approvals(console: Console, request: WebRequest, done: Done = "") -> Response[str]:
    """List payments that wait for a person, oldest first."""
    async with console.db.transaction(STAFF) as conn:
        found = await payments.awaiting_approval(conn)
        known = await accounts_of(conn, {one.account_id for one in found})
    facts = {
        "rows": approval_rows(found, known),
        "notice": _NOTICES.get(done, ""),
        "back": BILLING,
        "back_text": "Billing",
    }
    return page(console, request, "staff_approvals.html", facts, here=BILLING)


@get(f"{APPROVALS}/{{payment_id:str}}", opt=_FINANCE, include_in_schema=False)
async def ask_decision(
    console: Console, request: WebRequest, payment_id: FromPath[str]
) -> Response[Any]:
    """Ask whether a payment came, and how much of it."""
    return await _asking(console, request, payment_id, {})


@post(f"{APPROVALS}/{{payment_id:str}}", opt=_FINANCE, include_in_schema=False)
async def decide(console: Console, request: WebRequest, payment_id: FromPath[str]) -> Response[Any]:
    """Book what came, or end the payment; what is refused is asked again with the reason."""
    form = await request.form()
    told = {name: text_field(form, name) for name in ("amount", "reason", "decision")}
    try:
        approvals.check_reason(told["reason"])
        with acting(replace(actor(), reason=told["reason"].strip())):
            done = await _decide(console, payment_id, told)
    except REFUSED as error:
        return await _asking(console, request, payment_id, told, error)
    return Redirect(f"{APPROVALS}?done={done}", status_code=303)


async def _decide(console: Console, payment_id: str, told: dict[str, str]) -> str:
    wanted = ids.parse("payment", payment_id)
    async with console.db.transaction(WRITER) as conn:
        account_id = await payments.account_of_payment(conn, wanted)
        if told["decision"] == "reject":
            await approvals.reject(conn, account_id, wanted, told["reason"])
            return "rejected"
        account = await accounts.get_account(conn, account_id)
        payment = (await payments.get_payment(conn, account_id, wanted)).payment
        came = read_amount(told["amount"], payment.currency, account.locale)
        at = await account_now(conn, account_id, console.clock())
        await approvals.approve(conn, account_id, wanted, at, came)
        return "approved"


async def _asking(
    console: Console,
    request: WebRequest,
    payment_id: str,
    told: dict[str, str],
    error: TallystickError | None = None,
) -> Response[Any]:
    wanted = ids.parse("payment", payment_id)
    async with console.db.transaction(STAFF) as conn:
        account_id = await payments.account_of_payment(conn, wanted)
        payment = (await payments.get_payment(conn, account_id, wanted)).payment
        account = await accounts.get_account(conn, account_id)
    if payment.status is not PaymentStatus.PENDING_APPROVAL:
        return Redirect(f"{APPROVALS}?done=decided", status_code=303)
    facts = {
        "row": approval_row(payment, account),
        "told": {"amount": "", "reason": "", **told},
        "amount": formats_of(account).money(payment.amount),
        "error": error.detail if error else "",
        "back": APPROVALS,
    }
    status = status_of(error) if error else 200
    return page(console, request, "staff_approval.html", facts, here=BILLING, status=status)


ROUTES: Final = (show_approvals, ask_decision, decide)
