"""SQL that writes many issued invoices at once, each whole: head, bills and lines."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from tallystick.invoices.derivation import encode
from tallystick.invoices.model import BillKey, Invoice, InvoiceDraft
from tallystick.invoices.store import Issued
from tallystick.invoices.terms import encode as encode_terms
from tallystick.kernel.db import Connection
from tallystick.kernel.ids import new_id
from tallystick.money.amount import Money

HEADS: Final = {
    "account_id": "uuid",
    "invoice_id": "uuid",
    "status": "text",
    "currency": "text",
    "subtotal_minor": "bigint",
    "tax_minor": "bigint",
    "total_minor": "bigint",
    "period_start": "timestamptz",
    "period_end": "timestamptz",
    "created_at": "timestamptz",
    "number": "text",
    "issuer_id": "uuid",
    "issued_at": "timestamptz",
    "due_at": "timestamptz",
    "paid_at": "timestamptz",
    "document": "jsonb",
    "terms": "jsonb",
    "subscription_ids": "text",
}
BILLS: Final = {
    "account_id": "uuid",
    "invoice_id": "uuid",
    "subscription_id": "uuid",
    "bill_index": "integer",
}
LINES: Final = {
    "account_id": "uuid",
    "invoice_id": "uuid",
    "invoice_line_id": "uuid",
    "position": "integer",
    "kind": "text",
    "description": "text",
    "price_code": "text",
    "meter_code": "text",
    "quantity": "numeric",
    "unit": "text",
    "period_start": "timestamptz",
    "period_end": "timestamptz",
    "amount_minor": "bigint",
    "derivation": "jsonb",
    "subscription_id": "uuid",
}


def _names(columns: dict[str, str]) -> str:
    return ", ".join(columns)


def _rows(columns: dict[str, str], first: int) -> str:
    """Return a table of arrays, the first of which is parameter `first`.

    There are no arrays of arrays of several lengths: those of ids come as texts ("{id,id}").
    """
    arrays = (f"${at}::{type_}[]" for at, type_ in enumerate(columns.values(), first))
    return f"unnest({', '.join(arrays)}) AS n ({_names(columns)})"


_BILLS_FROM: Final = 1 + len(HEADS)
_LINES_FROM: Final = _BILLS_FROM + len(BILLS)
# A bill whose invoice is void gets another one; else a trigger refuses, as a unique key would.
# One statement, so that the lines enter with their invoice, which is final at once: written as a
# draft first, each would be written and audited twice.
INSERT: Final = f"""
WITH heads AS (
    INSERT INTO invoices ({_names(HEADS)})
    SELECT {_names(HEADS)}::uuid[] FROM {_rows(HEADS, 1)}),
bills AS (
    INSERT INTO invoice_bills ({_names(BILLS)}) SELECT * FROM {_rows(BILLS, _BILLS_FROM)}
    ON CONFLICT (account_id, subscription_id, bill_index)
    DO UPDATE SET invoice_id = EXCLUDED.invoice_id)
INSERT INTO invoice_lines ({_names(LINES)}) SELECT * FROM {_rows(LINES, _LINES_FROM)}
"""  # noqa: S608 -- names of columns, from the lists above


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice to be written as it is issued."""

    account_id: UUID
    invoice_id: UUID
    draft: InvoiceDraft
    issued: Issued


async def insert_issued(conn: Connection, wanted: Sequence[Written], at: datetime) -> None:
    """Write issued invoices with their bills and lines.

    Raises asyncpg.UniqueViolationError if a bill has its invoice.
    """
    await conn.execute(
        INSERT,
        *_columns(HEADS, [_head(one, at) for one in wanted]),
        *_columns(BILLS, [_bill(one, bill) for one in wanted for bill in one.draft.bills]),
        *_columns(LINES, [line for one in wanted for line in _lines(one)]),
    )


def invoice_of(written: Written, at: datetime) -> Invoice:
    """Return the invoice as it was written, without its lines."""
    draft, issued = written.draft, written.issued
    nothing = Money.zero(draft.currency)
    return Invoice(
        account_id=written.account_id,
        invoice_id=written.invoice_id,
        number=issued.number,
        status=issued.status,
        currency=draft.currency,
        subtotal=draft.subtotal,
        tax=draft.tax,
        total=draft.total,
        paid=nothing,
        credited=nothing,
        offset=nothing,
        subscription_ids=tuple(bill.subscription_id for bill in draft.bills),
        period_start=draft.period_start,
        period_end=draft.period_end,
        issued_at=issued.issued_at,
        due_at=issued.due_at,
        paid_at=issued.paid_at,
        created_at=at,
        terms=issued.terms,
    )


def _columns(names: dict[str, str], rows: Sequence[tuple[object, ...]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in names]


def _head(one: Written, at: datetime) -> tuple[object, ...]:
    draft, issued = one.draft, one.issued
    named = ",".join(str(bill.subscription_id) for bill in draft.bills)
    return (
        one.account_id,
        one.invoice_id,
        issued.status,
        draft.currency,
        draft.subtotal.minor,
        draft.tax.minor,
        draft.total.minor,
        draft.period_start,
        draft.period_end,
        at,
        issued.number,
        issued.issuer_id,
        issued.issued_at,
        issued.due_at,
        issued.paid_at,
        issued.document,
        encode_terms(issued.terms),
        f"{{{named}}}",
    )


def _bill(one: Written, bill: BillKey) -> tuple[object, ...]:
    return one.account_id, one.invoice_id, bill.subscription_id, bill.bill_index


def _lines(one: Written) -> list[tuple[object, ...]]:
    return [
        (
            one.account_id,
            one.invoice_id,
            new_id(),
            position,
            line.kind,
            line.description,
            line.price_code,
            line.meter_code,
            line.quantity,
            line.unit,
            line.period_start,
            line.period_end,
            line.amount.minor,
            encode(line.derivation),
            line.subscription_id,
        )
        for position, line in enumerate(one.draft.lines, 1)
    ]
