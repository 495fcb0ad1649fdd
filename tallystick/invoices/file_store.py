"""The SQL of invoices as files."""

from typing import Final
from uuid import UUID

from tallystick.documents.files import DocumentFile, Form
from tallystick.kernel.db import Connection

# The content is many pages of storage; who asks for the ETag does not read it.
FIND_ETAG: Final = """
SELECT etag FROM invoice_files
WHERE account_id = $1 AND invoice_id = $2 AND form = $3 AND source = $4
"""
FIND: Final = """
SELECT content, etag FROM invoice_files
WHERE account_id = $1 AND invoice_id = $2 AND form = $3 AND source = $4
"""
SAVE: Final = """
INSERT INTO invoice_files (account_id, invoice_id, form, source, etag, content)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (account_id, invoice_id, form) DO UPDATE SET source = $4, etag = $5, content = $6
"""


async def find_etag(
    conn: Connection, account_id: UUID, invoice_id: UUID, form: Form, source: bytes
) -> str | None:
    """Return the ETag of what was drawn from this source."""
    etag: str | None = await conn.fetchval(FIND_ETAG, account_id, invoice_id, form, source)
    return etag


async def find(
    conn: Connection, account_id: UUID, invoice_id: UUID, form: Form, source: bytes
) -> DocumentFile | None:
    """Return what was drawn from this source."""
    row = await conn.fetchrow(FIND, account_id, invoice_id, form, source)
    return DocumentFile(row["content"], row["etag"]) if row else None


async def save(
    conn: Connection,
    account_id: UUID,
    invoice_id: UUID,
    file: DocumentFile,
    *,
    form: Form,
    source: bytes,
) -> None:
    """Keep a file instead of the one before."""
    await conn.execute(SAVE, account_id, invoice_id, form, source, file.etag, file.content)
