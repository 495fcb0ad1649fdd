"""The account's credits: what can be spent, what changed it and how, what is for sale."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from litestar import Response, get, post
from litestar.params import FromPath, Parameter, QueryParameter
from litestar.response import Redirect

from tallystick.accounts.model import Account
from tallystick.console import credit_views as views
from tallystick.console.context import Billed, Caller, Console
from tallystick.console.formats import Formats, formats_of
from tallystick.console.forms import read_key
from tallystick.console.rendering import WebRequest, page
from tallystick.console.viewer import CREDITS, INVOICES
from tallystick.credits import packages, service
from tallystick.credits.amounts import to_units
from tallystick.credits.debit_store import UsageFilter
from tallystick.credits.explain import explain
from tallystick.invoices.credit_purchase import purchase
from tallystick.kernel import ids
from tallystick.kernel.db import WRITER, Connection, account_scope
from tallystick.kernel.paging import LIMIT_DEFAULT, PAGE_MAX, page_request
from tallystick.ledger import model as books
from tallystick.ledger import service as ledger
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.periods import local_day, start_of_day
from tallystick.subscriptions.sold import plan_of

_READ: Final = {"permission": "billing:read", "page": True}
_WRITE: Final = {"permission": "billing:write", "page": True}
Shown = Literal["usage", "changes"]


@get(CREDITS, opt=_READ, include_in_schema=False)
async def show_credits(
    *,
    console: Console,
    request: WebRequest,
    principal: Caller,
    account: Billed,
    show: Annotated[Shown, Parameter(description="which list")] = "usage",
    number: Annotated[int, QueryParameter(name="page", ge=1, le=PAGE_MAX)] = 1,
) -> Response[str]:
    """Show what can be spent, from which grants, what is for sale, and what happened."""
    now, formats = principal.now(console.clock()), formats_of(account)
    async with console.db.transaction(account_scope(account.account_id)) as conn:
        facts = {
            **await _holding(conn, account, now, formats),
            **await _offers(conn, account, formats),
            "list": await _lines(conn, account.account_id, show, number, formats),
        }
    # Sent twice, a form buys once.
    facts |= {"show": show, "purchase_key": str(ids.new_id())}
    return page(console, request, "credits.html", facts, here=CREDITS)


@get(f"{CREDITS}/changes/{{change_id:str}}", opt=_READ, include_in_schema=False)
async def show_change(
    console: Console, request: WebRequest, account: Billed, change_id: FromPath[str]
) -> Response[str]:
    """Show which grants a change took from, and at what cost."""
    wanted = ids.parse("ledger_entry", change_id)
    async with console.db.transaction(account_scope(account.account_id)) as conn:
        entry = await ledger.get_entry(conn, account.account_id, wanted)
        found = await explain(conn, account.account_id, wanted, entry.at)
    if all(posting.ledger_account != books.CREDITS for posting in entry.postings):
        raise ids.unknown("ledger_entry")
    view = views.change_view(entry, found, formats_of(account))
    return page(console, request, "credit_change.html", {"change": view}, here=CREDITS)


@post(f"{CREDITS}/buy/{{package_id:str}}", opt=_WRITE, include_in_schema=False)
async def buy(
    console: Console,
    request: WebRequest,
    principal: Caller,
    account: Billed,
    package_id: FromPath[str],
) -> Response[Any]:
    """Invoice a package and go on to its invoice; the credits come when it is paid."""
    wanted = ids.parse("credit_package", package_id)
    key = read_key(await request.form())
    now = principal.now(console.clock())
    async with console.db.transaction(WRITER) as conn:
        invoice = await purchase(
            conn, account, wanted, seller=console.seller, key=f"console:{key}", at=now
        )
    shown = ids.show("invoice", invoice.invoice_id)
    return Redirect(f"{INVOICES}/{shown}", status_code=303)


async def _holding(
    conn: Connection, account: Account, now: datetime, formats: Formats
) -> dict[str, Any]:
    month = start_of_day(local_day(now, account.timezone).replace(day=1), account.timezone)
    balance = await service.balance(conn, account.account_id, now)
    used = await service.used(conn, account.account_id, UsageFilter(since=month))
    plan = await _plan_credits(conn, account.account_id)
    grants = await service.live_grants(conn, account.account_id)
    return {
        "available": views.credits_text(balance.available, formats),
        "facts": views.balance_facts(balance, used, to_units(plan) if plan else 0, formats),
        "grants": views.grant_rows(grants, now, formats),
    }


async def _plan_credits(conn: Connection, account_id: UUID) -> Decimal:
    subscription = await subscriptions.current_subscription(conn, account_id)
    if subscription is None:
        return Decimal(0)
    plan = await plan_of(conn, subscription)
    return plan.credits.amount if plan.credits else Decimal(0)


async def _offers(conn: Connection, account: Account, formats: Formats) -> dict[str, Any]:
    found = await packages.list_packages(conn, account.currency, active_only=True)
    settings = await service.settings(conn, account.account_id)
    topping = next(
        (one for one in found if one.credit_package_id == settings.top_up_package_id), None
    )
    return {
        "packages": views.package_views(found, formats),
        "watch_note": views.watch_note(settings, topping, formats),
    }


async def _lines(
    conn: Connection, account_id: UUID, show: Shown, number: int, formats: Formats
) -> views.Lines:
    part = page_request(number, LIMIT_DEFAULT, None)
    if show == "usage":
        found = await service.usage_log(conn, account_id, UsageFilter(), part)
        return views.usage_lines(found, formats)
    entries = await ledger.list_entries(conn, account_id, part, ledger_account=books.CREDITS)
    return views.change_lines(entries, formats)


ROUTES: Final = (show_credits, show_change, buy)
