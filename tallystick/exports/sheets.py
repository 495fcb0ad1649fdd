"""The sheets there are: which columns each has, and how a row of a store becomes its cells."""

from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from tallystick.catalog import service as catalog
from tallystick.credit_notes import export_store as note_rows
from tallystick.exports.cells import amount, instant, number, text
from tallystick.exports.model import Row, Sheet, Wanted
from tallystick.exports.revenue import recognized_revenue
from tallystick.invoices import export_store as invoice_rows
from tallystick.kernel.db import Connection
from tallystick.kernel.ids import show
from tallystick.ledger import export_store as ledger_rows
from tallystick.ledger.model import CREDIT, CREDIT_SCALE
from tallystick.metering import service as metering
from tallystick.payments import export_store as payment_rows

INVOICE_COLUMNS: Final = (
    "account", "customer", "invoice", "number", "status", "currency", "issued_at", "due_at",
    "paid_at", "period_start", "period_end", "subtotal", "subtotal_cents", "tax", "tax_cents",
    "total", "total_cents", "amount_paid", "amount_paid_cents",
)  # fmt: skip
LINE_COLUMNS: Final = (
    "account", "customer", "invoice", "number", "status", "issued_at", "line", "position", "kind",
    "description", "price", "meter", "quantity", "unit", "period_start", "period_end", "currency",
    "amount", "amount_cents",
)  # fmt: skip
NOTE_COLUMNS: Final = (
    "account", "customer", "credit_note", "number", "invoice", "status", "reason", "currency",
    "issued_at", "voided_at", "subtotal", "subtotal_cents", "tax", "tax_cents", "total",
    "total_cents", "off_due", "off_due_cents", "as_credit", "as_credit_cents", "to_refund",
    "to_refund_cents",
)  # fmt: skip
PAYMENT_COLUMNS: Final = (
    "account", "payment", "invoice", "gateway", "status", "currency", "amount", "amount_cents",
    "received", "received_cents", "reference", "failure_code", "created_at", "settled_at",
)  # fmt: skip
LEDGER_COLUMNS: Final = (
    "account", "entry", "at", "kind", "reference", "reason", "ledger_account", "unit", "amount",
    "amount_units", "balance_after_units",
)  # fmt: skip
USAGE_COLUMNS: Final = ("account", "meter", "from", "to", "quantity", "unit")
JOURNAL_COLUMNS: Final = (
    "date", "ledger_account", "currency", "debit", "debit_cents", "credit", "credit_cents",
    "posting_count",
)  # fmt: skip
REVENUE_COLUMNS: Final = (
    "month", "currency", "billed", "billed_cents", "recognized", "recognized_cents", "deferred",
    "deferred_cents", "accrued", "accrued_cents",
)  # fmt: skip


async def _invoices(conn: Connection, wanted: Wanted) -> AsyncIterator[Row]:
    found = invoice_rows.invoices(conn, wanted.account_id, wanted.start, wanted.end)
    async for row in found:
        yield (
            show("account", row.account_id),
            text(row.customer_name),
            show("invoice", row.invoice_id),
            text(row.number),
            row.status,
            row.currency,
            instant(row.issued_at),
            instant(row.due_at),
            instant(row.paid_at),
            instant(row.period_start),
            instant(row.period_end),
            *amount(row.subtotal_minor, row.currency),
            *amount(row.tax_minor, row.currency),
            *amount(row.total_minor, row.currency),
            *amount(row.paid_minor, row.currency),
        )


async def _lines(conn: Connection, wanted: Wanted) -> AsyncIterator[Row]:
    found = invoice_rows.lines(conn, wanted.account_id, wanted.start, wanted.end)
    async for row in found:
        yield (
            show("account", row.account_id),
            text(row.customer_name),
            show("invoice", row.invoice_id),
            text(row.number),
            row.status,
            instant(row.issued_at),
            show("invoice_line", row.invoice_line_id),
            str(row.position),
            row.kind,
            text(row.description),
            row.price_code or "",
            row.meter_code or "",
            number(row.quantity),
            text(row.unit),
            instant(row.period_start),
            instant(row.period_end),
            row.currency,
            *amount(row.amount_minor, row.currency),
        )


async def _notes(conn: Connection, wanted: Wanted) -> AsyncIterator[Row]:
    found = note_rows.credit_notes(conn, wanted.account_id, wanted.start, wanted.end)
    async for row in found:
        yield (
            show("account", row.account_id),
            text(row.customer_name),
            show("credit_note", row.credit_note_id),
            text(row.number),
            show("invoice", row.invoice_id),
            row.status,
            row.reason,
            row.currency,
            instant(row.issued_at),
            instant(row.voided_at),
            *amount(row.subtotal_minor, row.currency),
            *amount(row.tax_minor, row.currency),
            *amount(row.total_minor, row.currency),
            *amount(row.offset_minor, row.currency),
            *amount(row.credit_minor, row.currency),
            *amount(row.refund_minor, row.currency),
        )


async def _payments(conn: Connection, wanted: Wanted) -> AsyncIterator[Row]:
    found = payment_rows.payments(conn, wanted.account_id, wanted.start, wanted.end)
    async for row in found:
        yield (
            show("account", row.account_id),
            show("payment", row.payment_id),
            " ".join(show("invoice", one) for one in row.invoice_ids),
            row.gateway,
            row.status,
            row.currency,
            *amount(row.amount_minor, row.currency),
            *amount(row.received_minor, row.currency),
            text(row.reference),
            row.failure_code or "",
            instant(row.created_at),
            instant(row.settled_at),
        )


async def _ledger(conn: Connection, wanted: Wanted) -> AsyncIterator[Row]:
    found = ledger_rows.postings(conn, wanted.account_id, wanted.start, wanted.end)
    async for row in found:
        yield (
            show("account", row.account_id),
            show("ledger_entry", row.ledger_entry_id),
            instant(row.at),
            row.kind,
            text(row.reference),
            text(row.reason),
            row.ledger_account,
            row.unit,
            *_units(row.amount, row.unit),
            "" if row.balance_after is None else str(row.balance_after),
        )


def _units(units: int, unit: str) -> tuple[str, str]:
    """Return credits as credits, money in major units; beside it what the books count."""
    if unit == CREDIT:
        return number(Decimal(units) / CREDIT_SCALE), str(units)
    return amount(units, unit)


async def _usage(conn: Connection, wanted: Wanted) -> AsyncIterator[Row]:
    """Yield an account's totals by meter and day of its zone; nothing for all accounts at once."""
    if wanted.account_id is None:
        return
    account = show("account", wanted.account_id)
    zone = ZoneInfo(wanted.timezone)
    for meter in await catalog.list_meters(conn):
        days = await metering.windows(
            conn, wanted.account_id, meter, wanted.start, wanted.end, size="DAY", zone=zone
        )
        for day in days:
            yield (
                account,
                meter.code,
                instant(day.start),
                instant(day.end),
                number(day.quantity),
                text(meter.unit),
            )


async def _journal(conn: Connection, wanted: Wanted) -> AsyncIterator[Row]:
    found = await ledger_rows.day_sums(
        conn, wanted.account_id, wanted.start, wanted.end, wanted.timezone
    )
    for row in found:
        yield (
            row.posted_on.isoformat(),
            row.ledger_account,
            row.unit,
            *amount(row.debit, row.unit),
            *amount(row.credit, row.unit),
            str(row.posting_count),
        )


async def _revenue(conn: Connection, wanted: Wanted) -> AsyncIterator[Row]:
    first, end = wanted.start.date(), wanted.end.date()
    for row in await recognized_revenue(conn, wanted.account_id, first, end):
        yield (
            f"{row.month:%Y-%m}",
            row.billed.currency,
            *amount(row.billed.minor, row.billed.currency),
            *amount(row.recognized.minor, row.billed.currency),
            *amount(row.deferred.minor, row.billed.currency),
            *amount(row.accrued.minor, row.billed.currency),
        )


ACCOUNT_SHEETS: Final[Mapping[str, Sheet]] = MappingProxyType(
    {
        sheet.name: sheet
        for sheet in (
            Sheet("invoices", INVOICE_COLUMNS, _invoices),
            Sheet("invoice-lines", LINE_COLUMNS, _lines),
            Sheet("credit-notes", NOTE_COLUMNS, _notes),
            Sheet("payments", PAYMENT_COLUMNS, _payments),
            Sheet("ledger", LEDGER_COLUMNS, _ledger),
            Sheet("usage", USAGE_COLUMNS, _usage),
        )
    }
)
"""What an account may export of itself."""

BOOK_SHEETS: Final[Mapping[str, Sheet]] = MappingProxyType(
    {
        sheet.name: sheet
        for sheet in (
            Sheet("journal", JOURNAL_COLUMNS, _journal),
            Sheet("revenue", REVENUE_COLUMNS, _revenue),
        )
    }
)
"""What accounting takes besides: sums over all accounts, or over one."""
