"""One payment: how it stands, and confirming it where the bank asks its customer (3-D Secure)."""

from typing import Final

from litestar import Response, get
from litestar.params import FromPath

from tallystick.console.context import Billed, Console
from tallystick.console.formats import formats_of
from tallystick.console.payment_views import payment_view
from tallystick.console.rendering import WebRequest, page
from tallystick.console.viewer import INVOICES
from tallystick.kernel import ids
from tallystick.kernel.db import account_scope
from tallystick.payments import methods, service

_READ: Final = {"permission": "billing:read", "page": True}


@get(
    "/billing/payments/{payment_id:str}/confirm",
    opt={**_READ, "any_query": True},
    include_in_schema=False,
)
async def show_payment(
    console: Console, request: WebRequest, account: Billed, payment_id: FromPath[str]
) -> Response[str]:
    """Show a payment; a bank's page sends its customer back here, with a query of its own."""
    wanted = ids.parse("payment", payment_id)
    async with console.db.transaction(account_scope(account.account_id)) as conn:
        found = await service.get_payment(conn, account.account_id, wanted)
        method = await methods.method_of(conn, account.account_id, wanted)
    settings = console.settings
    facts = {
        "payment": payment_view(found, method, formats_of(account)),
        "script_url": settings.stripe_js_url if settings.stripe_publishable_key else "",
    }
    return page(console, request, "payment_confirm.html", facts, here=INVOICES)


ROUTES: Final = (show_payment,)
