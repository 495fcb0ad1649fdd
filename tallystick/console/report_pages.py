"""For staff: recognised revenue by month, and what accounting takes as CSV."""

from datetime import date, datetime, timedelta
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from litestar import Response, get
from litestar.params import QueryParameter

from tallystick.accounts import service as accounts
from tallystick.console.context import Console
from tallystick.console.formats import Formats, formats_of
from tallystick.console.refusals import status_of
from tallystick.console.rendering import WebRequest, page
from tallystick.console.report_views import month_field, revenue_views, sheet_links
from tallystick.console.viewer import REPORTS
from tallystick.exports.recognition import MonthSum
from tallystick.exports.revenue import recognized_revenue
from tallystick.kernel import ids
from tallystick.kernel.db import STAFF
from tallystick.kernel.errors import BadInput
from tallystick.subscriptions.periods import add_months

_READ: Final = {"permission": "staff:read", "page": True}
_MONTH: Final = r"^20[0-9]{2}-(0[1-9]|1[0-2])$"
_MONTHS_SHOWN: Final = 12
_STAFF: Final = Formats("en-GB", ZoneInfo("UTC"))
_DAY: Final = timedelta(days=1)
From = Annotated[str | None, QueryParameter(name="from", pattern=_MONTH)]
To = Annotated[str | None, QueryParameter(name="to", pattern=_MONTH)]
Of = Annotated[str, QueryParameter(name="account_id", max_length=40)]


@get(REPORTS, opt=_READ, include_in_schema=False)
async def show_reports(
    console: Console, request: WebRequest, start: From = None, end: To = None, of: Of = ""
) -> Response[str]:
    """Show revenue of the months [from, to), the last twelve if none are named."""
    today = console.clock().date()
    last = _first_of(end) if end else add_months(today.replace(day=1), 1)
    first = _first_of(start) if start else add_months(last, -_MONTHS_SHOWN)
    account_id = ids.parse("account", of) if of else None
    months: tuple[MonthSum, ...] = ()
    error: BadInput | None = None
    async with console.db.transaction(STAFF) as conn:
        account = await accounts.get_account(conn, account_id) if account_id else None
        try:
            months = await recognized_revenue(conn, account_id, first, last)
        except BadInput as refused:
            error = refused
    facts = {
        "name": account.name if account else "",
        "account_id": of,
        "first": month_field(first),
        "last": month_field(last),
        "revenue": revenue_views(months, formats_of(account) if account else _STAFF),
        "sheets": list(sheet_links(of_account=bool(of))),
        "first_day": today.replace(month=1, day=1).isoformat(),
        "end_day": (today + _DAY).isoformat(),
        "error": error.detail if error else "",
    }
    status = status_of(error) if error else 200
    return page(console, request, "staff_reports.html", facts, here=REPORTS, status=status)


def _first_of(month: str) -> date:
    return datetime.strptime(f"{month}-01+0000", "%Y-%m-%d%z").date()


ROUTES: Final = (show_reports,)
