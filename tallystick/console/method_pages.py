"""Payment methods: shown, chosen, removed; a card is added by the page's script and the API."""

from typing import Annotated, Any, Final, Literal

from litestar import Response, get, post
from litestar.params import FromPath, Parameter
from litestar.response import Redirect

from tallystick.accounts import service as accounts
from tallystick.console.context import Billed, Caller, Console
from tallystick.console.forms import read_choice
from tallystick.console.method_views import method_view
from tallystick.console.rendering import WebRequest, page
from tallystick.console.viewer import PAYMENT_METHODS
from tallystick.kernel import ids
from tallystick.kernel.db import account_scope
from tallystick.payments import methods

_READ: Final = {"permission": "billing:read", "page": True}
_WRITE: Final = {"permission": "billing:write", "page": True}
Done = Literal["autopay_on", "autopay_off", "default", "removed", "saved", "accepted", "not_saved"]
_NOTICES: Final[dict[Done, str]] = {
    "autopay_on": "Automatic payment is on.",
    "autopay_off": "Automatic payment is off.",
    "default": "The default method was changed.",
    "removed": "The method was removed.",
    "saved": "The card was saved.",
    "accepted": "The card was accepted; it appears here in a moment.",
    "not_saved": "The card was not saved: the bank did not confirm it.",
}


@get(PAYMENT_METHODS, opt=_READ, include_in_schema=False)
async def show_methods(
    console: Console,
    request: WebRequest,
    principal: Caller,
    account: Billed,
    done: Annotated[Done | None, Parameter(description="what was just done")] = None,
) -> Response[str]:
    """Show how the account pays; `done` names what the page before has changed."""
    async with console.db.transaction(account_scope(account.account_id)) as conn:
        found = await methods.list_methods(conn, account.account_id)
    now = principal.now(console.clock())
    settings = console.settings
    takes_cards = settings.stripe_configured and settings.stripe_publishable_key
    facts = {
        "notice": _NOTICES[done] if done else "",
        "autopay": account.autopay,
        "methods": [method_view(method, now) for method in found],
        "script_url": settings.stripe_js_url if takes_cards else "",
    }
    return page(console, request, "payment_methods.html", facts, here=PAYMENT_METHODS)


@get(f"{PAYMENT_METHODS}/return", opt={**_READ, "any_query": True}, include_in_schema=False)
async def come_back(request: WebRequest) -> Response[Any]:
    """Take a payer back whom the gateway had sent to their bank's page; the query is its own."""
    succeeded = request.query_params.get("redirect_status") == "succeeded"
    return _back("accepted" if succeeded else "not_saved")


@post("/billing/autopay", opt=_WRITE, include_in_schema=False)
async def set_autopay(console: Console, request: WebRequest, account: Billed) -> Response[Any]:
    """Switch automatic payment."""
    enabled = read_choice(await request.form(), "enabled")
    async with console.db.transaction(account_scope(account.account_id)) as conn:
        await accounts.set_autopay(conn, account.account_id, enabled=enabled)
    return _back("autopay_on" if enabled else "autopay_off")


@post("/billing/payment-methods/{method_id:str}/default", opt=_WRITE, include_in_schema=False)
async def set_default(console: Console, account: Billed, method_id: FromPath[str]) -> Response[Any]:
    """Make a method the default."""
    wanted = ids.parse("payment_method", method_id)
    async with console.db.transaction(account_scope(account.account_id)) as conn:
        await methods.set_default(conn, account.account_id, wanted)
    return _back("default")


@post("/billing/payment-methods/{method_id:str}/remove", opt=_WRITE, include_in_schema=False)
async def remove_method(
    console: Console, account: Billed, method_id: FromPath[str]
) -> Response[Any]:
    """Remove a method."""
    wanted = ids.parse("payment_method", method_id)
    async with console.db.transaction(account_scope(account.account_id)) as conn:
        await methods.remove(conn, account.account_id, wanted)
    return _back("removed")


def _back(done: Done) -> Response[Any]:
    return Redirect(f"{PAYMENT_METHODS}?done={done}", status_code=303)


ROUTES: Final = (show_methods, come_back, set_autopay, set_default, remove_method)
