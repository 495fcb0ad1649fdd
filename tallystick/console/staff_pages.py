"""For staff: all accounts, one account, and its test clock."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath, Parameter, QueryParameter
from litestar.response import Redirect

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account
from tallystick.catalog.model import PlanVersion
from tallystick.console.account_views import account_links, account_list, account_view, clock_view
from tallystick.console.context import Console
from tallystick.console.formats import formats_of
from tallystick.console.forms import read_instant
from tallystick.console.invoice_views import Choice, invoice_list, invoice_row, status_choices
from tallystick.console.rendering import WebRequest, page
from tallystick.console.tax_views import tax_facts
from tallystick.console.viewer import ACCOUNTS
from tallystick.invoices import service as invoices
from tallystick.invoices.model import Invoice, Status
from tallystick.kernel import ids, test_clocks
from tallystick.kernel.clock import account_now
from tallystick.kernel.db import STAFF, WRITER
from tallystick.kernel.errors import BadInput, Conflict
from tallystick.kernel.paging import LIMIT_DEFAULT, PAGE_MAX, PageRequest, page_request
from tallystick.kernel.test_clocks import TestClock
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.model import Subscription
from tallystick.subscriptions.sold import plan_of
from tallystick.taxes.outlook import TaxesToday, taxes_today

_READ: Final = {"permission": "staff:read", "page": True}
_ADMIN: Final = {"permission": "staff:admin", "page": True}
StatusChoice = Literal["", "draft", "open", "paid", "void", "uncollectible"]
_SEARCH_CHARS_MAX: Final = 200
_NEWEST: Final = PageRequest(limit=10)
_ONE: Final = PageRequest(limit=1)


class _Known(msgspec.Struct, frozen=True):
    """What is shown of one account."""

    account: Account
    subscription: Subscription | None
    plan: PlanVersion | None
    clock: TestClock | None
    invoices: tuple[Invoice, ...]
    taxes: TaxesToday
    draft_count: int


@get(ACCOUNTS, opt=_READ, include_in_schema=False)
async def show_accounts(
    console: Console,
    request: WebRequest,
    search: Annotated[str, Parameter(max_length=_SEARCH_CHARS_MAX)] = "",
    number: Annotated[int, QueryParameter(name="page", ge=1, le=PAGE_MAX)] = 1,
) -> Response[str]:
    """List accounts, newest first; `search` is part of a name or e-mail, or an external id."""
    part = page_request(number, LIMIT_DEFAULT, None)
    async with console.db.transaction(STAFF) as conn:
        found = await accounts.list_accounts(conn, part, search)
    facts = {"search": search, "total": found.total, "list": account_list(found)}
    return page(console, request, "staff_accounts.html", facts, here=ACCOUNTS)


@get("/staff/accounts/{account_id:str}", opt=_READ, include_in_schema=False)
async def show_account(
    console: Console, request: WebRequest, account_id: FromPath[str]
) -> Response[str]:
    """Show one account: facts, subscription, test clock, newest invoices."""
    known = await _read(console, ids.parse("account", account_id))
    return _account_page(console, request, known)


@post("/staff/accounts/{account_id:str}/advance", opt=_ADMIN, include_in_schema=False)
async def advance_clock(
    console: Console, request: WebRequest, account_id: FromPath[str]
) -> Response[Any]:
    """Ask for the account's test clock to be advanced; the page watches until it has arrived."""
    wanted = ids.parse("account", account_id)
    form = await request.form()
    try:
        await _aim(console, wanted, form)
    except (BadInput, Conflict) as error:
        refused = isinstance(error, BadInput)
        status = HTTPStatus.UNPROCESSABLE_ENTITY if refused else HTTPStatus.CONFLICT
        known = await _read(console, wanted)
        return _account_page(console, request, known, status=status, error=error.detail)
    return Redirect(f"{ACCOUNTS}/{account_id}", status_code=303)


async def _aim(console: Console, account_id: UUID, form: Mapping[str, object]) -> None:
    to = read_instant(form, "to")
    async with console.db.transaction(WRITER) as conn:
        account = await accounts.get_account(conn, account_id)
        if account.test_clock_id is None:
            raise Conflict("no_test_clock", "The account lives on wall time; nothing to advance.")
        await test_clocks.aim(conn, account.test_clock_id, to)


async def _read(console: Console, account_id: UUID) -> _Known:
    async with console.db.transaction(STAFF) as conn:
        account = await accounts.get_account(conn, account_id)
        subscription = await subscriptions.current_subscription(conn, account_id)
        found = await invoices.list_invoices(conn, account_id, None, _NEWEST)
        drafts = await invoices.list_invoices(conn, account_id, Status.DRAFT, _ONE)
        clock_id = account.test_clock_id
        now = await account_now(conn, account_id, console.clock())
        return _Known(
            account=account,
            subscription=subscription,
            plan=await plan_of(conn, subscription) if subscription else None,
            clock=await test_clocks.get(conn, clock_id) if clock_id else None,
            invoices=found.items,
            taxes=await taxes_today(conn, account, now),
            draft_count=drafts.total,
        )


def _account_page(
    console: Console,
    request: WebRequest,
    known: _Known,
    *,
    status: int = 200,
    error: str = "",
) -> Response[str]:
    formats = formats_of(known.account)
    next_bill_at = known.subscription.next_bill_at if known.subscription else None
    facts = {
        "account": account_view(known.account, known.subscription, known.plan),
        "clock": clock_view(known.clock, next_bill_at, formats) if known.clock else None,
        "invoices": [invoice_row(invoice, formats) for invoice in known.invoices],
        "more": account_links(ids.show("account", known.account.account_id), known.draft_count),
        "taxes": list(tax_facts(known.taxes, formats)),
        "error": error,
    }
    return page(console, request, "staff_account.html", facts, here=ACCOUNTS, status=status)


@get(f"{ACCOUNTS}/{{account_id:str}}/invoices", opt=_READ, include_in_schema=False)
async def show_invoices(
    console: Console,
    request: WebRequest,
    account_id: FromPath[str],
    status: Annotated[StatusChoice, Parameter(description="empty: all")] = "",
    number: Annotated[int, QueryParameter(name="page", ge=1, le=PAGE_MAX)] = 1,
) -> Response[str]:
    """List all invoices of an account, drafts too, newest first."""
    whose = ids.parse("account", account_id)
    part = page_request(number, LIMIT_DEFAULT, None)
    async with console.db.transaction(STAFF) as conn:
        account = await accounts.get_account(conn, whose)
        wanted = Status(status) if status else None
        found = await invoices.list_invoices(conn, whose, wanted, part)
    facts = {
        "name": account.name,
        "base": f"{ACCOUNTS}/{account_id}",
        "status": status,
        "choices": (*status_choices(), Choice("draft", "Draft")),
        "list": invoice_list(found, formats_of(account)),
    }
    return page(console, request, "staff_invoices.html", facts, here=ACCOUNTS)


ROUTES: Final = (show_accounts, show_account, show_invoices, advance_clock)
