"""CSV of what is stored: an account's own, and for staff what accounting takes."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Final

import msgspec
from litestar import get
from litestar.params import QueryParameter
from litestar.response import Stream

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account, Principal
from tallystick.api.services import Services
from tallystick.exports.model import Sheet, Wanted
from tallystick.exports.recognition import MonthSum
from tallystick.exports.revenue import recognized_revenue
from tallystick.exports.sheets import ACCOUNT_SHEETS, BOOK_SHEETS
from tallystick.exports.zipped import invoices_in, zip_pieces
from tallystick.kernel import ids
from tallystick.kernel.clock import account_now
from tallystick.kernel.db import STAFF, Scope, account_scope
from tallystick.kernel.errors import BadInput, NotFound
from tallystick.subscriptions.periods import start_of_day, zone

BASE: Final = "/api/v1/admin/billing"
TAGS: Final = ["Exports"]
CSV_ANSWERS: Final = {
    "200": {
        "description": "The rows, oldest first, below the names of the columns.",
        "content": {"text/csv": {"schema": {"type": "string"}}},
    }
}
ZIP_ANSWERS: Final = {
    "200": {
        "description": "The files, each named by its number.",
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    }
}
READ_ZIP: Final = {"permission": "billing:read", "responses": ZIP_ANSWERS, "streams": True}
ZIP_FINANCE: Final = {"permission": "staff:read", "responses": ZIP_ANSWERS, "streams": True}
READ: Final = {"permission": "billing:read", "responses": CSV_ANSWERS, "streams": True}
FINANCE: Final = {"permission": "staff:read", "responses": CSV_ANSWERS, "streams": True}
REPORT: Final = {"permission": "staff:read"}
STAFF_SHEETS: Final = {**ACCOUNT_SHEETS, "journal": BOOK_SHEETS["journal"]}
_EARLIEST: Final = date(2000, 1, 1)
_LATEST: Final = date(2200, 1, 1)
_INSTANT: Final = timedelta(microseconds=1)

DAY: Final = "^2[01][0-9]{2}-"
From = Annotated[
    date | None,
    QueryParameter(
        name="from",
        description="The first day. Left out: all before.",
        schema_extra={"pattern": DAY},
    ),
]
To = Annotated[
    date | None,
    QueryParameter(
        name="to",
        description="The day after the last. Left out: now.",
        schema_extra={"pattern": DAY},
    ),
]
Of = Annotated[str | None, QueryParameter(description="Left out: all accounts.")]
Zone = Annotated[
    str, QueryParameter(name="timezone", description="Whose days are meant, by its IANA name.")
]
MONTH: Final = r"^20[0-9]{2}-(0[1-9]|1[0-2])$"
FirstMonth = Annotated[str, QueryParameter(name="from", pattern=MONTH, description="2026-01")]
EndMonth = Annotated[
    str, QueryParameter(name="to", pattern=MONTH, description="The month after the last one.")
]


class RevenueMonth(msgspec.Struct, frozen=True, kw_only=True):
    """A month in one currency, before tax.

    `deferred` was billed by its end and is earned later; `accrued` is earned by its end and was
    billed later.
    """

    month: str
    currency: str
    billed: Decimal
    billed_cents: int
    recognized: Decimal
    recognized_cents: int
    deferred: Decimal
    deferred_cents: int
    accrued: Decimal
    accrued_cents: int


class RevenueReport(msgspec.Struct, frozen=True):
    """The months in which anything was billed, earned or still deferred, by currency."""

    months: list[RevenueMonth]
    total: int


@get("/exports/{own_sheet:str}", opt=READ, tags=TAGS, summary="What is stored, as CSV")
async def export_own(
    own_sheet: str,
    services: Services,
    account: Account,
    principal: Principal,
    *,
    start: From = None,
    end: To = None,
) -> Stream:
    """Return what is stored of the account, oldest first; days are those of its time zone."""
    sheet = _sheet(own_sheet, ACCOUNT_SHEETS)
    wanted = _wanted(start, end, account.timezone, principal.now(services.clock()), account)
    return await _stream(services, account_scope(account.account_id), sheet, wanted)


@get(
    f"{BASE}/exports/{{sheet:str}}",
    opt=FINANCE,
    tags=TAGS,
    summary="What is stored, as CSV, of all accounts or of one",
)
async def export_any(
    sheet: str,
    services: Services,
    *,
    account_id: Of = None,
    start: From = None,
    end: To = None,
    timezone: Zone = "UTC",
) -> Stream:
    """Return what is stored, oldest first. Usage is of one account; the journal has sums of days.

    In the journal the debits of a day and currency are its credits. Credits are not in it.
    """
    found = _sheet(sheet, STAFF_SHEETS)
    if found.name == "usage" and account_id is None:
        raise BadInput.field(
            "account_id", "account_required", "usage is exported account by account"
        )
    account = await _account(services, account_id) if account_id else None
    now = services.clock() if account is None else await _present(services, account)
    wanted = _wanted(start, end, timezone, now, account)
    return await _stream(services, STAFF, found, wanted)


@get(f"{BASE}/reports/revenue.csv", opt=FINANCE, tags=TAGS, summary="Recognised revenue, as CSV")
async def export_revenue(
    services: Services, start: FirstMonth, end: EndMonth, account_id: Of = None
) -> Stream:
    """Return the rows of the report as CSV."""
    account = await _account(services, account_id) if account_id else None
    wanted = Wanted(
        start=_first_of(start),
        end=_first_of(end),
        account_id=account.account_id if account else None,
    )
    return await _stream(services, STAFF, BOOK_SHEETS["revenue"], wanted)


@get(f"{BASE}/reports/revenue", opt=REPORT, tags=TAGS, summary="Recognised revenue, by month")
async def read_revenue(
    services: Services, start: FirstMonth, end: EndMonth, account_id: Of = None
) -> RevenueReport:
    """Return when issued invoices are earned: evenly over the days that each line is for.

    deferred - accrued at a month's end is the same at its beginning + billed - recognized. Taxes
    and void invoices are left out.
    """
    account = await _account(services, account_id) if account_id else None
    async with services.db.transaction(STAFF) as conn:
        found = await recognized_revenue(
            conn,
            account.account_id if account else None,
            _first_of(start).date(),
            _first_of(end).date(),
        )
    return RevenueReport([_month_answer(one) for one in found], len(found))


@get("/exports/invoices.zip", opt=READ_ZIP, tags=TAGS, summary="Invoices as PDF, in one file")
async def zip_own(
    services: Services,
    account: Account,
    principal: Principal,
    start: From = None,
    end: To = None,
) -> Stream:
    """Return a ZIP of the PDFs of what was issued in that time, a thousand at most."""
    now = principal.now(services.clock())
    wanted = _wanted(start, end, account.timezone, now, account)
    return await _zip(services, account_scope(account.account_id), wanted)


@get(
    f"{BASE}/exports/invoices.zip",
    opt=ZIP_FINANCE,
    tags=TAGS,
    summary="Invoices of all accounts, or of one, as PDF, in one file",
)
async def zip_any(
    services: Services,
    *,
    account_id: Of = None,
    start: From = None,
    end: To = None,
    timezone: Zone = "UTC",
) -> Stream:
    """Return a ZIP of the PDFs of what was issued in that time, a thousand at most."""
    account = await _account(services, account_id) if account_id else None
    now = services.clock() if account is None else await _present(services, account)
    return await _zip(services, STAFF, _wanted(start, end, timezone, now, account))


async def _zip(services: Services, scope: Scope, wanted: Wanted) -> Stream:
    invoices = await invoices_in(services.db, scope, wanted)
    headers = {
        "Content-Disposition": 'attachment; filename="invoices.zip"',
        "Cache-Control": "private, no-store",
    }
    pieces = zip_pieces(services.db, invoices)
    return Stream(pieces, media_type="application/zip", headers=headers)


async def _stream(services: Services, scope: Scope, sheet: Sheet, wanted: Wanted) -> Stream:
    pieces = await services.exports.csv(scope, sheet, wanted)
    headers = {
        "Content-Disposition": f'attachment; filename="{sheet.name}.csv"',
        "Cache-Control": "private, no-store",
    }
    return Stream(pieces, media_type="text/csv", headers=headers)


def _sheet(file: str, sheets: Mapping[str, Sheet]) -> Sheet:
    sheet = sheets.get(file.removesuffix(".csv")) if file.endswith(".csv") else None
    if sheet is None:
        raise NotFound("route_not_found", "There is nothing at this address.")
    return sheet


def _wanted(
    start: date | None, end: date | None, timezone: str, now: datetime, account: Account | None
) -> Wanted:
    zone(timezone)
    for name, day in (("from", start), ("to", end)):
        if day is not None and not _EARLIEST <= day <= _LATEST:
            message = f"must be from {_EARLIEST} to {_LATEST}"
            raise BadInput.field(name, "out_of_range", message)
    first = start_of_day(start or _EARLIEST, timezone)
    # What happens at this very instant is in it too.
    until = start_of_day(end, timezone) if end else now + _INSTANT
    if start and until <= first:
        raise BadInput.field("to", "before_start", "must be a later day than `from`")
    return Wanted(
        start=first,
        end=until,
        account_id=account.account_id if account else None,
        timezone=timezone,
    )


def _first_of(month: str) -> datetime:
    return datetime.strptime(f"{month}-01+0000", "%Y-%m-%d%z")


async def _account(services: Services, account_id: str) -> Account:
    wanted = ids.parse("account", account_id)
    async with services.db.transaction(STAFF) as conn:
        return await accounts.get_account(conn, wanted)


async def _present(services: Services, account: Account) -> datetime:
    async with services.db.transaction(STAFF) as conn:
        return await account_now(conn, account.account_id, services.clock())


def _month_answer(one: MonthSum) -> RevenueMonth:
    return RevenueMonth(
        month=f"{one.month:%Y-%m}",
        currency=one.billed.currency.lower(),
        billed=one.billed.to_decimal(),
        billed_cents=one.billed.minor,
        recognized=one.recognized.to_decimal(),
        recognized_cents=one.recognized.minor,
        deferred=one.deferred.to_decimal(),
        deferred_cents=one.deferred.minor,
        accrued=one.accrued.to_decimal(),
        accrued_cents=one.accrued.minor,
    )


ACCOUNT_ROUTES: Final = (export_own, zip_own)
ROUTES: Final = (export_any, zip_any, export_revenue, read_revenue)
