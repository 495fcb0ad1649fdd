"""The SQL of rendered invoices."""

from typing import Final
from uuid import UUID

import msgspec

from tallystick.kernel.db import Connection

# The content is many pages of storage; who asks for the ETag does not read it.
FIND_ETAG: Final = """
SELECT etag FROM invoice_pdfs WHERE account_id = $1 AND invoice_id = $2 AND source = $3
"""
FIND: Final = """
SELECT content, etag FROM invoice_pdfs WHERE account_id = $1 AND invoice_id = $2 AND source = $3
"""
SAVE: Final = """
INSERT INTO invoice_pdfs (account_id, invoice_id, source, etag, content)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (account_id, invoice_id) DO UPDATE SET source = $3, etag = $4, content = $5
"""


class InvoicePdf(msgspec.Struct, frozen=True):
    """The bytes of an invoice and their strong ETag, in its quotes."""

    content: bytes
    etag: str


async def find_etag(
    conn: Connection, account_id: UUID, invoice_id: UUID, source: bytes
) -> str | None:
    """Return the ETag of what was rendered from this source."""
    etag: str | None = await conn.fetchval(FIND_ETAG, account_id, invoice_id, source)
    return etag


async def find(
    conn: Connection, account_id: UUID, invoice_id: UUID, source: bytes
) -> InvoicePdf | None:
    """Return what was rendered from this source."""
    row = await conn.fetchrow(FIND, account_id, invoice_id, source)
    return InvoicePdf(row["content"], row["etag"]) if row else None


async def save(
    conn: Connection, account_id: UUID, invoice_id: UUID, source: bytes, pdf: InvoicePdf
) -> None:
    """Keep a rendering instead of the one before."""
    await conn.execute(SAVE, account_id, invoice_id, source, pdf.etag, pdf.content)
