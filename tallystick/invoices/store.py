"""The SQL of invoices, their lines and their numbers."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec

from tallystick.invoices.derivation import encode
from tallystick.invoices.model import (
    BillKey,
    DraftLine,
    Invoice,
    InvoiceDraft,
    InvoiceLine,
    Status,
)
from tallystick.invoices.terms import Terms
from tallystick.kernel.db import Connection
from tallystick.kernel.paging import PageRequest
from tallystick.money.amount import Money
from tallystick.subscriptions.standing import OpenBill

INSERT_DRAFT: Final = """
INSERT INTO invoices (account_id, invoice_id, status, currency, subtotal_minor, tax_minor,
    total_minor, subscription_ids, period_start, period_end, created_at)
VALUES ($1, $2, 'draft', $3, $4, $5, $6, $7, $8, $9, $10)
"""
# One invoice for each bill of a subscription, however often a run is begun again; where the one
# that it had is void, a trigger lets another take its place.
INSERT_BILLS: Final = """
INSERT INTO invoice_bills (account_id, subscription_id, bill_index, invoice_id, drafted_from)
SELECT $1, b.subscription_id, b.bill_index, $2, b.drafted_from
FROM unnest($3::uuid[], $4::integer[], $5::jsonb[])
    AS b (subscription_id, bill_index, drafted_from)
ON CONFLICT (account_id, subscription_id, bill_index) DO UPDATE SET invoice_id = EXCLUDED.invoice_id
"""
# `OFFSET 0` keeps it a look by the key for each row: a plan that was made while the table was small
# would else read all of it at every batch.
INVOICED: Final = """
SELECT b.account_id, b.subscription_id, b.bill_index
FROM unnest($1::uuid[], $2::uuid[], $3::integer[]) AS b (account_id, subscription_id, bill_index)
WHERE EXISTS (
    SELECT FROM invoice_bills AS i
    WHERE i.account_id = b.account_id AND i.subscription_id = b.subscription_id
          AND i.bill_index = b.bill_index OFFSET 0)
"""
INSERT_LINES: Final = """
INSERT INTO invoice_lines (account_id, invoice_id, invoice_line_id, position, kind, description,
    price_code, meter_code, quantity, unit, period_start, period_end, amount_minor, derivation,
    subscription_id)
SELECT $1, $2, l.id, l.position, l.kind, l.description, l.price_code, l.meter_code, l.quantity,
    l.unit, l.period_start, l.period_end, l.amount_minor, l.derivation, l.subscription_id
FROM unnest($3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::numeric[],
            $9::text[], $10::timestamptz[], $11::timestamptz[], $12::bigint[], $13::jsonb[],
            $14::uuid[])
     WITH ORDINALITY AS l (id, kind, description, price_code, meter_code, quantity, unit,
                           period_start, period_end, amount_minor, derivation, subscription_id,
                           position)
"""
FIND: Final = "SELECT * FROM invoices WHERE account_id = $1 AND invoice_id = $2"
LOCK: Final = """
SELECT * FROM invoices WHERE account_id = $1 AND invoice_id = $2 FOR NO KEY UPDATE
"""
LIST: Final = """
SELECT * FROM invoices
WHERE account_id = $1 AND ($2::text IS NULL OR status = $2)
  AND ($3::timestamptz IS NULL OR (created_at, invoice_id) < ($3, $4::uuid))
ORDER BY created_at DESC, invoice_id DESC LIMIT $5 OFFSET $6
"""
COUNT: Final = """
SELECT count(*) FROM invoices WHERE account_id = $1 AND ($2::text IS NULL OR status = $2)
"""
INVOICE_OF_BILL: Final = """
SELECT invoice_id FROM invoice_bills
WHERE account_id = $1 AND subscription_id = $2 AND bill_index = $3
"""
OPEN_BILLS: Final = """
SELECT invoice_id, due_at FROM invoices
WHERE account_id = $1 AND status = 'open' AND $2::uuid = ANY (subscription_ids) ORDER BY due_at
"""
OPEN_ONES: Final = """
SELECT * FROM invoices
WHERE account_id = $1 AND status = 'open' AND total_minor > paid_minor + offset_minor
ORDER BY due_at, invoice_id LIMIT $2
"""
DRAFT_SUMS: Final = """
SELECT currency::text AS currency, sum(total_minor)::bigint AS minor FROM invoices
WHERE account_id = $1 AND status = 'draft' GROUP BY currency
"""
NUMBERS: Final = """
SELECT invoice_id, number FROM invoices
WHERE account_id = $1 AND invoice_id = ANY($2::uuid[]) AND number IS NOT NULL
"""
LINES: Final = """
SELECT invoice_id, invoice_line_id, position, kind, description, price_code, meter_code, quantity,
    unit, period_start, period_end, amount_minor, subscription_id
FROM invoice_lines WHERE account_id = $1 AND invoice_id = ANY($2::uuid[])
ORDER BY invoice_id, position
"""
DERIVATION: Final = """
SELECT derivation FROM invoice_lines
WHERE account_id = $1 AND invoice_id = $2 AND invoice_line_id = $3
"""
DERIVATIONS: Final = """
SELECT invoice_line_id, derivation FROM invoice_lines WHERE account_id = $1 AND invoice_id = $2
"""
OWNER: Final = "SELECT account_id FROM invoices WHERE invoice_id = $1"
ISSUER: Final = "SELECT issuer_id FROM invoices WHERE account_id = $1 AND invoice_id = $2"
DOCUMENT: Final = "SELECT document FROM invoices WHERE account_id = $1 AND invoice_id = $2"
# Moves only from the status and the amount that the decision was made on.
SAVE_PAYMENT: Final = """
UPDATE invoices SET status = $3, paid_minor = $4, paid_at = $5, credited_minor = $6,
    offset_minor = $7
WHERE account_id = $1 AND invoice_id = $2 AND status = $8 AND paid_minor = $9
    AND credited_minor = $10
RETURNING invoice_id
"""


class Issued(msgspec.Struct, frozen=True, kw_only=True):
    """What a draft gets when it is finalized; `document` is JSON."""

    status: Status
    number: str
    issuer_id: UUID
    issued_at: datetime
    due_at: datetime
    paid_at: datetime | None
    document: str
    terms: Terms


async def insert_draft(
    conn: Connection,
    account_id: UUID,
    draft: InvoiceDraft,
    *,
    invoice_id: UUID,
    at: datetime,
    drafted_from: Mapping[BillKey, str] | None = None,
) -> None:
    """Write the head of a draft, and which bills it is for, with what each is made from again.

    Raises asyncpg.UniqueViolationError if one of them has its invoice.
    """
    bills = draft.bills
    await conn.execute(
        INSERT_DRAFT,
        account_id,
        invoice_id,
        draft.currency,
        draft.subtotal.minor,
        draft.tax.minor,
        draft.total.minor,
        [bill.subscription_id for bill in bills],
        draft.period_start,
        draft.period_end,
        at,
    )
    if bills:
        ids, indexes = [one.subscription_id for one in bills], [one.bill_index for one in bills]
        kept = [(drafted_from or {}).get(one) for one in bills]
        await conn.execute(INSERT_BILLS, account_id, invoice_id, ids, indexes, kept)


async def invoiced(
    conn: Connection, bills: Collection[tuple[UUID, BillKey]]
) -> set[tuple[UUID, BillKey]]:
    """Return which of these bills of accounts have their invoice."""
    rows = await conn.fetch(
        INVOICED,
        [account_id for account_id, _ in bills],
        [bill.subscription_id for _, bill in bills],
        [bill.bill_index for _, bill in bills],
    )
    return {(row["account_id"], BillKey(row["subscription_id"], row["bill_index"])) for row in rows}


async def insert_lines(
    conn: Connection,
    account_id: UUID,
    invoice_id: UUID,
    lines: Sequence[DraftLine],
    line_ids: Sequence[UUID],
) -> None:
    """Write the lines of a draft, numbered from 1."""
    await conn.execute(
        INSERT_LINES,
        account_id,
        invoice_id,
        list(line_ids),
        [line.kind for line in lines],
        [line.description for line in lines],
        [line.price_code for line in lines],
        [line.meter_code for line in lines],
        [line.quantity for line in lines],
        [line.unit for line in lines],
        [line.period_start for line in lines],
        [line.period_end for line in lines],
        [line.amount.minor for line in lines],
        [encode(line.derivation) for line in lines],
        [line.subscription_id for line in lines],
    )


async def find(conn: Connection, account_id: UUID, invoice_id: UUID) -> Invoice | None:
    """Return one invoice of the account, without its lines."""
    row = await conn.fetchrow(FIND, account_id, invoice_id)
    return _invoice(row) if row else None


async def lock(conn: Connection, account_id: UUID, invoice_id: UUID) -> Invoice | None:
    """Return one invoice without its lines, and lock its row."""
    row = await conn.fetchrow(LOCK, account_id, invoice_id)
    return _invoice(row) if row else None


async def page(
    conn: Connection, account_id: UUID, status: Status | None, request: PageRequest
) -> tuple[Invoice, ...]:
    """Return one more invoice than asked for, newest first, without lines."""
    after = request.after
    rows = await conn.fetch(
        LIST,
        account_id,
        status,
        after.at if after else None,
        after.id if after else None,
        request.limit + 1,
        request.offset,
    )
    return tuple(_invoice(row) for row in rows)


async def count(conn: Connection, account_id: UUID, status: Status | None) -> int:
    """Return how many invoices the account has in this status, or in all."""
    found: int = await conn.fetchval(COUNT, account_id, status)
    return found


async def invoice_of_bill(conn: Connection, account_id: UUID, bill: BillKey) -> UUID | None:
    """Return the invoice of a subscription's bill."""
    found: UUID | None = await conn.fetchval(
        INVOICE_OF_BILL, account_id, bill.subscription_id, bill.bill_index
    )
    return found


async def open_bills(
    conn: Connection, account_id: UUID, subscription_id: UUID
) -> tuple[OpenBill, ...]:
    """Return the open invoices of a subscription, the one that is due first before others."""
    rows = await conn.fetch(OPEN_BILLS, account_id, subscription_id)
    return tuple(OpenBill(row["invoice_id"], row["due_at"]) for row in rows)


async def open_ones(conn: Connection, account_id: UUID, limit: int) -> tuple[Invoice, ...]:
    """Return the open invoices on which something is due, without their lines, oldest due first."""
    return tuple(_invoice(row) for row in await conn.fetch(OPEN_ONES, account_id, limit))


async def draft_sums(conn: Connection, account_id: UUID) -> Mapping[str, int]:
    """Return the totals of drafts, in minor units by currency."""
    rows = await conn.fetch(DRAFT_SUMS, account_id)
    return {row["currency"]: row["minor"] for row in rows}


async def numbers(
    conn: Connection, account_id: UUID, invoice_ids: Sequence[UUID]
) -> Mapping[UUID, str]:
    """Return the numbers of those invoices that have one."""
    rows = await conn.fetch(NUMBERS, account_id, list(invoice_ids))
    return {row["invoice_id"]: row["number"] for row in rows}


async def with_lines(
    conn: Connection, account_id: UUID, invoices: Sequence[Invoice]
) -> tuple[Invoice, ...]:
    """Return the same invoices with their lines, read in one query."""
    lines: dict[UUID, list[InvoiceLine]] = {one.invoice_id: [] for one in invoices}
    currencies = {one.invoice_id: one.currency for one in invoices}
    for row in await conn.fetch(LINES, account_id, list(lines)):
        invoice_id = row["invoice_id"]
        lines[invoice_id].append(_line(row, currencies[invoice_id]))
    return tuple(
        msgspec.structs.replace(one, lines=tuple(lines[one.invoice_id])) for one in invoices
    )


async def derivation(
    conn: Connection, account_id: UUID, invoice_id: UUID, line_id: UUID
) -> str | None:
    """Return the stored derivation of a line, as JSON."""
    stored: str | None = await conn.fetchval(DERIVATION, account_id, invoice_id, line_id)
    return stored


async def derivations(conn: Connection, account_id: UUID, invoice_id: UUID) -> Mapping[UUID, str]:
    """Return the stored derivation of each line of an invoice, as JSON."""
    rows = await conn.fetch(DERIVATIONS, account_id, invoice_id)
    return {row["invoice_line_id"]: row["derivation"] for row in rows}


async def document(conn: Connection, account_id: UUID, invoice_id: UUID) -> str | None:
    """Return what a finalized invoice says, as JSON."""
    stored: str | None = await conn.fetchval(DOCUMENT, account_id, invoice_id)
    return stored


async def owner(conn: Connection, invoice_id: UUID) -> UUID | None:
    """Return whose invoice it is, for staff who name it alone."""
    found: UUID | None = await conn.fetchval(OWNER, invoice_id)
    return found


async def issuer_of(conn: Connection, account_id: UUID, invoice_id: UUID) -> UUID:
    """Return who issued an invoice that was issued."""
    issuer_id: UUID = await conn.fetchval(ISSUER, account_id, invoice_id)
    return issuer_id


async def save_payment(conn: Connection, was: Invoice, now: Invoice) -> bool:
    """Write how far the invoice is paid and credited; False if it is no longer as it `was`."""
    written = await conn.fetchval(
        SAVE_PAYMENT,
        was.account_id,
        was.invoice_id,
        now.status,
        now.paid.minor,
        now.paid_at,
        now.credited.minor,
        now.offset.minor,
        was.status,
        was.paid.minor,
        was.credited.minor,
    )
    return written is not None


def _invoice(row: asyncpg.Record) -> Invoice:
    fields = {**dict(row), "terms": msgspec.json.decode(row["terms"])}
    return msgspec.convert(
        _with_money(fields, "subtotal", "tax", "total", "paid", "credited", "offset"), Invoice
    )


def _line(row: asyncpg.Record, currency: str) -> InvoiceLine:
    fields = {**dict(row), "currency": currency}
    return msgspec.convert(_with_money(fields, "amount"), InvoiceLine)


def _with_money(row: Any, *names: str) -> dict[str, Any]:
    """Return the row's fields with each `<name>_minor` put with the currency into `<name>`."""
    fields = dict(row)
    return fields | {name: Money(fields[f"{name}_minor"], fields["currency"]) for name in names}
