"""The SQL of credit notes as files."""

from typing import Final
from uuid import UUID

from tallystick.documents.files import DocumentFile, Form
from tallystick.kernel.db import Connection

FIND: Final = """
SELECT content, etag FROM credit_note_files
WHERE account_id = $1 AND credit_note_id = $2 AND form = $3 AND source = $4
"""
SAVE: Final = """
INSERT INTO credit_note_files (account_id, credit_note_id, form, source, etag, content)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (account_id, credit_note_id, form) DO UPDATE SET source = $4, etag = $5, content = $6
"""


async def find(
    conn: Connection, account_id: UUID, credit_note_id: UUID, form: Form, source: bytes
) -> DocumentFile | None:
    """Return what was drawn from this source."""
    row = await conn.fetchrow(FIND, account_id, credit_note_id, form, source)
    return DocumentFile(row["content"], row["etag"]) if row else None


async def save(
    conn: Connection,
    account_id: UUID,
    credit_note_id: UUID,
    file: DocumentFile,
    *,
    form: Form,
    source: bytes,
) -> None:
    """Keep a file instead of the one before."""
    await conn.execute(SAVE, account_id, credit_note_id, form, source, file.etag, file.content)
