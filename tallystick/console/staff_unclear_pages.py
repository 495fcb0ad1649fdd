"""For staff: charges without a clear answer, and asking the gateway once more."""

from typing import Annotated, Any, Final

from litestar import Response, get, post
from litestar.params import FromPath, Parameter
from litestar.response import Redirect

from tallystick.console import unclear_views
from tallystick.console.context import Console
from tallystick.console.refusals import REFUSED
from tallystick.console.rendering import WebRequest, page
from tallystick.console.staff_billing_pages import accounts_of
from tallystick.console.viewer import BILLING, UNCLEAR
from tallystick.kernel import ids
from tallystick.kernel.db import STAFF
from tallystick.payments import service as payments

_READ: Final = {"permission": "staff:read", "page": True}
_AT_GATEWAY: Final = {"permission": "staff:finance", "page": True, "gateway": True}
Done = Annotated[str, Parameter(description="what came of asking", max_length=20)]
_NOTICES: Final = {
    "asked": "The gateway was asked. What is still listed is still unclear.",
    "clear": "Nothing of that payment is under way any more.",
    "away": "The gateway can not be asked at the moment.",
}


@get(UNCLEAR, opt=_READ, include_in_schema=False)
async def show_unclear(console: Console, request: WebRequest, done: Done = "") -> Response[str]:
    """List charges of which nobody knows yet whether they went through, oldest first."""
    found = await console.sweep.unclear()
    async with console.db.transaction(STAFF) as conn:
        known = await accounts_of(conn, {one.account_id for one in found.oldest})
    facts = {
        "rows": unclear_views.unclear_rows(found.oldest, known),
        "total": found.total,
        "notice": _NOTICES.get(done, ""),
        "back": BILLING,
        "back_text": "Billing",
    }
    return page(console, request, "staff_unclear.html", facts, here=BILLING)


@post(f"{UNCLEAR}/{{payment_id:str}}", opt=_AT_GATEWAY, include_in_schema=False)
async def ask_again(console: Console, payment_id: FromPath[str]) -> Response[Any]:
    """Ask the gateway what became of a payment; nothing is charged anew."""
    wanted = ids.parse("payment", payment_id)
    async with console.db.transaction(STAFF) as conn:
        account_id = await payments.account_of_payment(conn, wanted)
    done = "asked"
    try:
        await console.sweep.look_again(account_id, wanted)
    except REFUSED as error:
        done = "clear" if error.code == "payment_is_clear" else "away"
    return Redirect(f"{UNCLEAR}?done={done}", status_code=303)


ROUTES: Final = (show_unclear, ask_again)
