"""CSV over HTTP: what an account takes of itself, and what accounting takes of all."""

import csv
import io
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile
from zoneinfo import ZoneInfo

import httpx
import pytest
from msgspec.structs import replace

from tallystick.export_commands import Asked, write_csv
from tallystick.exports import service, zipped
from tallystick.exports.model import Wanted
from tallystick.exports.service import Exports
from tallystick.exports.sheets import ACCOUNT_SHEETS
from tallystick.kernel.db import STAFF
from tallystick.kernel.errors import TallystickError, Unavailable

if TYPE_CHECKING:
    from tests.api.conftest import Shop

BILLING, ADMIN = "/api/v1/billing", "/api/v1/admin/billing"


def table(answer: httpx.Response) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.text, newline=""), strict=True))


def names_in(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir()]


async def test_an_account_takes_its_invoices_and_nobody_elses(shop: "Shop") -> None:
    tenant, invoice = await shop.billed(name='=Acme, "the" best')
    other, _ = await shop.billed()
    with_key = shop.with_key(tenant.keys["billing:read"])
    answer = await with_key.get(f"{BILLING}/exports/invoices.csv")
    (row,) = table(answer)
    assert answer.headers["content-disposition"] == 'attachment; filename="invoices.csv"'
    assert (row["invoice"], row["number"], row["status"]) == (
        invoice["id"], invoice["number"], "open",
    )  # fmt: skip
    assert (row["total"], row["total_cents"], row["currency"]) == (
        f"{invoice['total']:.2f}",
        str(invoice["total_cents"]),
        "USD",
    )
    assert row["customer"] == '\'=Acme, "the" best'
    assert other.id not in answer.text
    (line,) = [
        line
        for line in table(await with_key.get(f"{BILLING}/exports/invoice-lines.csv"))
        if line["kind"] == "subscription"
    ]
    assert (line["invoice"], line["amount_cents"]) == (invoice["id"], "4900")


async def test_days_are_the_accounts_and_the_end_is_exclusive(shop: "Shop") -> None:
    tenant, _ = await shop.billed(timezone="Pacific/Auckland")
    with_key = shop.with_key(tenant.keys["billing:read"])
    today = datetime.now(UTC).astimezone(ZoneInfo("Pacific/Auckland")).date()
    tomorrow = today + timedelta(days=1)
    for span, count in (((today, tomorrow), 1), ((tomorrow, tomorrow + timedelta(days=1)), 0)):
        query = {"from": str(span[0]), "to": str(span[1])}
        answer = await with_key.get(f"{BILLING}/exports/invoices.csv", params=query)
        assert len(table(answer)) == count


@pytest.mark.parametrize("name", sorted(ACCOUNT_SHEETS))
async def test_an_account_that_has_nothing_takes_the_names_of_columns(
    shop: "Shop", name: str
) -> None:
    tenant = await shop.tenant()
    answer = await shop.with_key(tenant.keys["billing:read"]).get(f"{BILLING}/exports/{name}.csv")
    assert answer.text == ",".join(ACCOUNT_SHEETS[name].columns) + "\r\n"


async def test_usage_goes_by_meter_and_day(shop: "Shop") -> None:
    tenant = await shop.tenant()
    await shop.subscribe(tenant.account, ago=timedelta(days=20))
    day = (datetime.now(UTC) - timedelta(days=10)).replace(hour=5)
    events = [
        {
            "specversion": "1.0", "source": "s", "subject": tenant.id, "id": str(hours),
            "time": (day + timedelta(hours=hours)).isoformat(), "type": "api_calls",
            "data": {"n": 7},
        }
        for hours in (0, 1, 24)
    ]  # fmt: skip
    await shop.with_key(tenant.keys["usage:write"]).post("/api/v1/events", json=events)
    with_key = shop.with_key(tenant.keys["billing:read"])
    rows = table(await with_key.get(f"{BILLING}/exports/usage.csv"))
    assert [(row["meter"], row["quantity"]) for row in rows] == [
        ("api_calls", "14"), ("api_calls", "7"),
    ]  # fmt: skip


async def test_the_journal_balances_every_day(shop: "Shop") -> None:
    await shop.billed(tax_name="VAT", tax_percent=Decimal("20.5"))
    finance = shop.as_person(shop.finance)
    rows = table(await finance.get(f"{ADMIN}/exports/journal.csv"))
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for row in rows:
        sums[row["date"], row["currency"]] += int(row["debit_cents"]) - int(row["credit_cents"])
    assert {"receivable", "revenue", "tax_payable"} <= {row["ledger_account"] for row in rows}
    assert set(sums.values()) == {0}
    posted = table(await finance.get(f"{ADMIN}/exports/ledger.csv"))
    debits = sum(int(row["amount_units"]) for row in posted if int(row["amount_units"]) > 0)
    assert debits == sum(int(row["debit_cents"]) for row in rows)


async def test_revenue_is_reported_by_month(shop: "Shop") -> None:
    tenant, invoice = await shop.billed()
    finance = shop.as_person(shop.finance)
    query = {"from": "2026-01", "to": "2030-01", "account_id": tenant.id}
    report = (await finance.get(f"{ADMIN}/reports/revenue", params=query)).json()
    assert sum(one["recognized_cents"] for one in report["months"]) == invoice["subtotal_cents"]
    rows = table(await finance.get(f"{ADMIN}/reports/revenue.csv", params=query))
    assert [row["recognized_cents"] for row in rows] == [
        str(one["recognized_cents"]) for one in report["months"]
    ]


async def test_a_credit_note_is_exported_and_lowers_what_is_earned(shop: "Shop") -> None:
    tenant, invoice = await shop.billed()
    finance = shop.as_person(shop.finance)
    path = f"{ADMIN}/invoices/{invoice['id']}/credit-notes"
    made = await finance.post(path, json={"reason": "order_change", "text": "As agreed."})
    assert made.status_code == 201, made.text
    note = made.json()
    with_key = shop.with_key(tenant.keys["billing:read"])
    (row,) = table(await with_key.get(f"{BILLING}/exports/credit-notes.csv"))
    assert (row["credit_note"], row["invoice"]) == (note["id"], invoice["id"])
    assert row["total_cents"] == str(invoice["total_cents"])
    query = {"from": "2026-01", "to": "2030-01", "account_id": tenant.id}
    report = (await finance.get(f"{ADMIN}/reports/revenue", params=query)).json()
    assert sum(one["recognized_cents"] for one in report["months"]) == 0
    assert sum(one["billed_cents"] for one in report["months"]) == 0


@pytest.mark.parametrize(
    ("path", "field", "code"),
    [
        (f"{BILLING}/exports/invoices.csv?from=2026-02-30", "from", "invalid"),
        (f"{BILLING}/exports/invoices.csv?from=1999-12-31", "from", "out_of_range"),
        (f"{BILLING}/exports/ledger.csv?from=2026-02-01&to=2026-02-01", "to", "before_start"),
    ],
)
async def test_impossible_days_are_named(shop: "Shop", path: str, field: str, code: str) -> None:
    answer = await shop.with_key(shop.acme.keys["billing:read"]).get(path)
    assert answer.status_code == 422
    assert [(one["field"], one["code"]) for one in answer.json()["errors"]] == [(field, code)]


async def test_staff_are_told_what_is_wrong_with_a_question(shop: "Shop") -> None:
    staff = shop.as_person(shop.support)
    usage = await staff.get(f"{ADMIN}/exports/usage.csv")
    assert shop.fields(shop.refused(usage, 422, "validation_failed")) == [
        ("account_id", "account_required")
    ]
    gone = await staff.get(f"{ADMIN}/exports/ledger.csv?timezone=Mars")
    assert shop.fields(shop.refused(gone, 422, "validation_failed")) == [
        ("timezone", "unknown_timezone")
    ]
    months = await staff.get(f"{ADMIN}/reports/revenue?from=2026-02&to=2026-02")
    assert shop.fields(shop.refused(months, 422, "validation_failed")) == [("to", "before_start")]
    years = await staff.get(f"{ADMIN}/reports/revenue.csv?from=2000-01&to=2026-02")
    assert shop.fields(shop.refused(years, 422, "validation_failed")) == [("to", "too_many")]
    customer = await shop.with_key(shop.acme.keys["billing:read"]).get(
        f"{ADMIN}/exports/journal.csv"
    )
    assert customer.status_code == 403


async def test_too_many_exports_at_once_are_refused_and_end_gives_the_place_back(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that goes away frees its place and its connection; so does one that never reads."""
    monkeypatch.setattr(service, "READER_WAIT_S", 0.2)
    monkeypatch.setattr(service, "PIECE_ROWS", 1)
    monkeypatch.setattr(service, "AHEAD_PIECES_MAX", 1)
    await shop.billed()
    exports = Exports(shop.db)
    sheet = ACCOUNT_SHEETS["ledger"]
    wanted = Wanted(start=datetime(2026, 1, 1, tzinfo=UTC), end=datetime(2100, 1, 1, tzinfo=UTC))
    held: list[Any] = [await exports.csv(STAFF, sheet, wanted) for _ in range(service.EXPORTS_MAX)]
    with pytest.raises(Unavailable, match="running"):
        await exports.csv(STAFF, sheet, wanted)
    for pieces in held:
        await anext(pieces)
        await pieces.aclose()
    again = await exports.csv(STAFF, sheet, wanted)
    assert b"".join([piece async for piece in again]).startswith(b"account,entry")


async def test_the_command_writes_the_same_into_a_file(shop: "Shop", tmp_path: Path) -> None:
    tenant, _ = await shop.billed()
    file = tmp_path / "lines.csv"
    asked = Asked(
        sheet="invoice-lines", file=file, start=None, end=None, account=tenant.id, timezone=None
    )
    count = await write_csv(shop.db.dsn, asked)
    with_key = shop.with_key(tenant.keys["billing:read"])
    answer = await with_key.get(f"{BILLING}/exports/invoice-lines.csv")
    assert file.read_bytes() == answer.content
    assert count == len(table(answer))
    assert names_in(tmp_path) == ["lines.csv"]
    year = replace(asked, sheet="revenue", file=tmp_path / "revenue.csv")
    assert await write_csv(shop.db.dsn, year) == len(year.file.read_text().splitlines()) - 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sheet": "people"}, "no table"),
        ({"sheet": "usage"}, "--account"),
        ({"start": "31.1.2026"}, "--from takes a day"),
        ({"start": "2026-02-01", "end": "2026-02-01"}, "later day"),
        ({"account": "acct_nobody"}, "no account"),
    ],
)
async def test_the_command_says_what_is_wrong(
    shop: "Shop", tmp_path: Path, change: dict[str, str], message: str
) -> None:
    asked = Asked(
        sheet="ledger", file=tmp_path / "x", start=None, end=None, account=None, timezone=None
    )
    with pytest.raises(TallystickError, match=message):
        await write_csv(shop.db.dsn, replace(asked, **change))
    assert names_in(tmp_path) == []


async def test_invoices_come_as_one_file_of_pdfs(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant, invoice = await shop.billed()
    with_key = shop.with_key(tenant.keys["billing:read"])
    answer = await with_key.get(f"{BILLING}/exports/invoices.zip")
    assert answer.headers["content-type"] == "application/zip"
    with ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [f"{invoice['number']}.pdf"]
        pdf = archive.read(f"{invoice['number']}.pdf")
    one = await with_key.get(f"{BILLING}/invoices/{invoice['id']}/pdf")
    assert pdf == one.content
    assert (await with_key.get(f"{BILLING}/exports/invoices.zip")).content == answer.content
    await shop.billed()
    staff = shop.as_person(shop.finance)
    both = await staff.get(f"{ADMIN}/exports/invoices.zip")
    with ZipFile(io.BytesIO(both.content)) as archive:
        assert len(set(archive.namelist())) >= 2
    monkeypatch.setattr(zipped, "INVOICES_MAX", 1)
    many = await staff.get(f"{ADMIN}/exports/invoices.zip")
    assert shop.fields(shop.refused(many, 422, "validation_failed")) == [("to", "too_many")]
    none = await staff.get(f"{ADMIN}/exports/invoices.zip?from=2001-01-01&to=2001-02-01")
    shop.refused(none, 404, "invoice_not_found")
