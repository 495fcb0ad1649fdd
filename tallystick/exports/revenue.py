"""Reads all lines that are billed in, or earned over, some months."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from tallystick.credit_notes import export_store as note_rows
from tallystick.exports.recognition import MonthSum, Recognition, note_of, service_of
from tallystick.invoices import export_store as invoice_rows
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import BadInput

MONTHS_MAX: Final = 120
_ZONES: Final = timedelta(days=1)
"""The days of a line are those of its account's zone: up to 14 hours away from UTC's."""


async def recognized_revenue(
    conn: Connection,
    account_id: UUID | None,
    start: date,
    end: date,
    advance: Callable[[int], None] | None = None,
) -> tuple[MonthSum, ...]:
    """Return when issued invoices, less credit notes, are earned.

    In the months [start, end), first days of months; of one account or of all; before tax; void
    invoices and notes are left out. `advance` is told how many lines were read. Raises BadInput
    for no month, or more than 120.
    """
    _check(start, end)
    recognition = Recognition(start, end)
    span = _midnight(start) - _ZONES, _midnight(end) + _ZONES
    async for row in invoice_rows.served(conn, account_id, *span):
        line = service_of(
            row.amount_minor, row.issued_on, row.period_start, row.period_end, row.timezone
        )
        recognition.add(line, row.currency)
        if advance:
            advance(1)
    async for back in note_rows.served(conn, account_id, *span):
        note = note_of(
            back.net_minor, back.issued_on, back.period_start, back.period_end, back.timezone
        )
        recognition.add(note, back.currency)
    return tuple(recognition.months())


def _check(start: date, end: date) -> None:
    months = (end.year - start.year) * 12 + end.month - start.month
    if months < 1:
        raise BadInput.field("to", "before_start", "must be a later month than `from`")
    if months > MONTHS_MAX:
        raise BadInput.field("to", "too_many", f"must be at most {MONTHS_MAX} months after `from`")


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), ZoneInfo("UTC"))
