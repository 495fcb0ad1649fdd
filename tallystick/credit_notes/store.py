"""The SQL of credit notes, and of what they took of invoices."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from tallystick.credit_notes.model import CreditNote, NoteLine, NoteTax
from tallystick.credit_notes.shares import Left, Shares, TakenLine, TakenTax
from tallystick.kernel.db import Connection
from tallystick.kernel.paging import PageRequest
from tallystick.money.amount import Money

_NOTE: Final = """
    n.account_id, n.credit_note_id, n.invoice_id, n.number, i.number AS invoice_number, n.status,
    n.reason, n.text, n.currency::text AS currency, n.subtotal_minor, n.tax_minor, n.total_minor,
    n.offset_minor, n.credit_minor, n.refund_minor, n.issued_at, n.voided_at
FROM credit_notes AS n JOIN invoices AS i USING (account_id, invoice_id)
"""
INSERT: Final = """
INSERT INTO credit_notes (account_id, credit_note_id, invoice_id, number, status, reason, text,
    currency, subtotal_minor, tax_minor, total_minor, offset_minor, credit_minor, refund_minor,
    request_key, document, issued_at, issuer_id)
VALUES ($1, $2, $3, $4, 'issued', $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
"""
INSERT_LINES: Final = """
INSERT INTO credit_note_lines (account_id, credit_note_id, invoice_id, invoice_line_id, position,
    description, quantity, amount_minor, net_minor)
SELECT $1, $2, $3, * FROM unnest($4::uuid[], $5::int[], $6::text[], $7::numeric[], $8::bigint[],
                                 $9::bigint[])
"""
INSERT_TAXES: Final = """
INSERT INTO credit_note_taxes (account_id, credit_note_id, place, name, percent, base_minor,
    amount_minor)
SELECT $1, $2, * FROM unnest($3::int[], $4::text[], $5::numeric[], $6::bigint[], $7::bigint[])
"""
# The rows' checks refuse what is more than a line or a tax has, whoever writes.
TAKE_LINES: Final = """
INSERT INTO credited_lines AS c (account_id, invoice_id, invoice_line_id, amount_minor, net_minor,
    credited_minor, credited_net_minor, credited_quantity)
SELECT $1, $2, * FROM unnest($3::uuid[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
                             $8::numeric[])
ON CONFLICT (account_id, invoice_id, invoice_line_id) DO UPDATE
SET credited_minor = c.credited_minor + EXCLUDED.credited_minor,
    credited_net_minor = c.credited_net_minor + EXCLUDED.credited_net_minor,
    credited_quantity = c.credited_quantity + EXCLUDED.credited_quantity
"""
TAKE_TAXES: Final = """
INSERT INTO credited_taxes AS c (account_id, invoice_id, place, base_minor, amount_minor,
    credited_base_minor, credited_minor)
SELECT $1, $2, * FROM unnest($3::int[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
ON CONFLICT (account_id, invoice_id, place) DO UPDATE
SET credited_base_minor = c.credited_base_minor + EXCLUDED.credited_base_minor,
    credited_minor = c.credited_minor + EXCLUDED.credited_minor
"""
GIVE_LINES: Final = """
UPDATE credited_lines AS c SET credited_minor = c.credited_minor - l.amount_minor,
    credited_net_minor = c.credited_net_minor - l.net_minor,
    credited_quantity = c.credited_quantity - coalesce(l.quantity, 0)
FROM credit_note_lines AS l
WHERE l.account_id = $1 AND l.credit_note_id = $2 AND c.account_id = l.account_id
    AND c.invoice_id = l.invoice_id AND c.invoice_line_id = l.invoice_line_id
"""
GIVE_TAXES: Final = """
UPDATE credited_taxes AS c SET credited_base_minor = c.credited_base_minor - t.base_minor,
    credited_minor = c.credited_minor - t.amount_minor
FROM credit_note_taxes AS t
WHERE t.account_id = $1 AND t.credit_note_id = $2 AND c.account_id = t.account_id
    AND c.invoice_id = $3 AND c.place = t.place
"""
TAKEN_LINES: Final = """
SELECT invoice_line_id, credited_minor, credited_net_minor, credited_quantity FROM credited_lines
WHERE account_id = $1 AND invoice_id = $2
"""
TAKEN_TAXES: Final = """
SELECT place, credited_base_minor, credited_minor FROM credited_taxes
WHERE account_id = $1 AND invoice_id = $2
"""
VOID: Final = """
UPDATE credit_notes SET status = 'void', voided_at = $3
WHERE account_id = $1 AND credit_note_id = $2 AND status = 'issued' RETURNING credit_note_id
"""
FIND: Final = f"SELECT {_NOTE} WHERE n.account_id = $1 AND n.credit_note_id = $2"
BY_KEY: Final = f"SELECT {_NOTE} WHERE n.account_id = $1 AND n.request_key = $2"
OWNER: Final = "SELECT account_id FROM credit_notes WHERE credit_note_id = $1"
OF_INVOICE: Final = f"""
SELECT {_NOTE} WHERE n.account_id = $1 AND n.invoice_id = $2 ORDER BY n.issued_at, n.credit_note_id
"""
LIST: Final = f"""
SELECT {_NOTE} WHERE ($1::uuid IS NULL OR n.account_id = $1)
  AND ($2::timestamptz IS NULL OR (n.issued_at, n.credit_note_id) < ($2, $3::uuid))
ORDER BY n.issued_at DESC, n.credit_note_id DESC LIMIT $4 OFFSET $5
"""
COUNT: Final = "SELECT count(*) FROM credit_notes WHERE ($1::uuid IS NULL OR account_id = $1)"
LINES: Final = """
SELECT l.credit_note_id, l.invoice_line_id, l.position, l.description, l.quantity, l.amount_minor,
    l.net_minor
FROM unnest($1::uuid[], $2::uuid[]) AS w (account_id, id)
JOIN credit_note_lines AS l ON l.account_id = w.account_id AND l.credit_note_id = w.id
ORDER BY l.credit_note_id, l.position
"""
TAXES: Final = """
SELECT t.credit_note_id, t.place, t.name, t.percent, t.base_minor, t.amount_minor
FROM unnest($1::uuid[], $2::uuid[]) AS w (account_id, id)
JOIN credit_note_taxes AS t ON t.account_id = w.account_id AND t.credit_note_id = w.id
ORDER BY t.credit_note_id, t.place
"""
DOCUMENT: Final = "SELECT document FROM credit_notes WHERE account_id = $1 AND credit_note_id = $2"


class Kept(msgspec.Struct, frozen=True):
    """What a note is kept with: who numbers it, its document as JSON, the intent behind it."""

    issuer_id: UUID
    document: str
    request_key: str | None


async def insert(conn: Connection, note: CreditNote, kept: Kept) -> None:
    """Write a note with its lines and taxes."""
    account_id, note_id, lines, taxes = (
        note.account_id, note.credit_note_id, note.lines, note.taxes,
    )  # fmt: skip
    await conn.execute(
        INSERT, account_id, note_id, note.invoice_id, note.number, note.reason, note.text,
        note.currency, note.subtotal.minor, note.tax.minor, note.total.minor, note.offset.minor,
        note.credit.minor, note.refund.minor, kept.request_key, kept.document, note.issued_at,
        kept.issuer_id,
    )  # fmt: skip
    await conn.execute(
        INSERT_LINES, account_id, note_id, note.invoice_id,
        [line.invoice_line_id for line in lines],
        [line.position for line in lines],
        [line.description for line in lines],
        [line.quantity for line in lines],
        [line.amount_minor for line in lines],
        [line.net_minor for line in lines],
    )  # fmt: skip
    await conn.execute(
        INSERT_TAXES, account_id, note_id,
        [tax.place for tax in taxes],
        [tax.name for tax in taxes],
        [tax.percent for tax in taxes],
        [tax.base_minor for tax in taxes],
        [tax.amount_minor for tax in taxes],
    )  # fmt: skip


async def take(
    conn: Connection, account_id: UUID, invoice_id: UUID, left: Left, shares: Shares
) -> None:
    """Count what a note takes of each line and tax; the table refuses more than there is."""
    lines = {one.line.invoice_line_id: one for one in left.lines}
    taxes = {one.place: one for one in left.taxes}
    taken = [(lines[share.invoice_line_id], share) for share in shares.lines]
    await conn.execute(
        TAKE_LINES, account_id, invoice_id,
        [share.invoice_line_id for _, share in taken],
        [one.line.amount.minor for one, _ in taken],
        [one.net for one, _ in taken],
        [share.amount_minor for _, share in taken],
        [share.net_minor for _, share in taken],
        [share.quantity or 0 for _, share in taken],
    )  # fmt: skip
    await conn.execute(
        TAKE_TAXES, account_id, invoice_id,
        [share.place for share in shares.taxes],
        [taxes[share.place].base for share in shares.taxes],
        [taxes[share.place].amount for share in shares.taxes],
        [share.base_minor for share in shares.taxes],
        [share.amount_minor for share in shares.taxes],
    )  # fmt: skip


async def give_back(conn: Connection, note: CreditNote) -> None:
    """Count what a note took as left again."""
    await conn.execute(GIVE_LINES, note.account_id, note.credit_note_id)
    await conn.execute(GIVE_TAXES, note.account_id, note.credit_note_id, note.invoice_id)


async def taken_lines(
    conn: Connection, account_id: UUID, invoice_id: UUID
) -> Mapping[UUID, TakenLine]:
    """Return what notes took of each line of an invoice."""
    return {
        row["invoice_line_id"]: TakenLine(
            row["credited_minor"], row["credited_net_minor"], row["credited_quantity"]
        )
        for row in await conn.fetch(TAKEN_LINES, account_id, invoice_id)
    }


async def taken_taxes(
    conn: Connection, account_id: UUID, invoice_id: UUID
) -> Mapping[int, TakenTax]:
    """Return what notes took of each tax of an invoice."""
    return {
        row["place"]: TakenTax(row["credited_base_minor"], row["credited_minor"])
        for row in await conn.fetch(TAKEN_TAXES, account_id, invoice_id)
    }


async def void(conn: Connection, note: CreditNote) -> bool:
    """Write that a note is void; False if it was before."""
    return (
        await conn.fetchval(VOID, note.account_id, note.credit_note_id, note.voided_at) is not None
    )


async def find(conn: Connection, account_id: UUID, credit_note_id: UUID) -> CreditNote | None:
    """Return one note of the account, with its lines and taxes."""
    return await _one(conn, await conn.fetchrow(FIND, account_id, credit_note_id))


async def find_by_key(conn: Connection, account_id: UUID, request_key: str) -> CreditNote | None:
    """Return the note that was issued for this intent."""
    return await _one(conn, await conn.fetchrow(BY_KEY, account_id, request_key))


async def owner(conn: Connection, credit_note_id: UUID) -> UUID | None:
    """Return whose note it is, for staff who name it alone."""
    found: UUID | None = await conn.fetchval(OWNER, credit_note_id)
    return found


async def of_invoice(
    conn: Connection, account_id: UUID, invoice_id: UUID
) -> tuple[CreditNote, ...]:
    """Return the notes of an invoice, the first one first."""
    return await _with_parts(conn, await conn.fetch(OF_INVOICE, account_id, invoice_id))


async def page(
    conn: Connection, account_id: UUID | None, request: PageRequest
) -> tuple[CreditNote, ...]:
    """Return one more note than asked for, newest first; None: of all accounts."""
    after = request.after
    rows = await conn.fetch(
        LIST,
        account_id,
        after.at if after else None,
        after.id if after else None,
        request.limit + 1,
        request.offset,
    )
    return await _with_parts(conn, rows)


async def count(conn: Connection, account_id: UUID | None) -> int:
    """Return how many there are."""
    found: int = await conn.fetchval(COUNT, account_id)
    return found


async def document(conn: Connection, account_id: UUID, credit_note_id: UUID) -> str | None:
    """Return what a note says, as JSON."""
    stored: str | None = await conn.fetchval(DOCUMENT, account_id, credit_note_id)
    return stored


async def _one(conn: Connection, row: asyncpg.Record | None) -> CreditNote | None:
    return (await _with_parts(conn, [row]))[0] if row else None


async def _with_parts(conn: Connection, rows: Sequence[asyncpg.Record]) -> tuple[CreditNote, ...]:
    wanted = [row["account_id"] for row in rows], [row["credit_note_id"] for row in rows]
    lines: dict[UUID, list[NoteLine]] = {note_id: [] for note_id in wanted[1]}
    taxes: dict[UUID, list[NoteTax]] = {note_id: [] for note_id in wanted[1]}
    for row in await conn.fetch(LINES, *wanted):
        lines[row["credit_note_id"]].append(msgspec.convert(dict(row), NoteLine))
    for row in await conn.fetch(TAXES, *wanted):
        taxes[row["credit_note_id"]].append(msgspec.convert(dict(row), NoteTax))
    return tuple(
        _note(row, tuple(lines[row["credit_note_id"]]), tuple(taxes[row["credit_note_id"]]))
        for row in rows
    )


def _note(
    row: asyncpg.Record, lines: tuple[NoteLine, ...], taxes: tuple[NoteTax, ...]
) -> CreditNote:
    fields = dict(row) | {"lines": lines, "taxes": taxes}
    for name in ("subtotal", "tax", "total", "offset", "credit", "refund"):
        fields[name] = Money(fields.pop(f"{name}_minor"), fields["currency"])
    return msgspec.convert(fields, CreditNote)
