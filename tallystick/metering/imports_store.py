"""SQL of imports: how far the import of each file came."""

from typing import Final
from uuid import UUID

import msgspec

from tallystick.kernel.db import Connection
from tallystick.metering.import_model import Progress, Tally

# Held by the session, so it ends with the process however that ends.
LOCK: Final = "SELECT pg_try_advisory_lock(hashtextextended('usage import ' || $1::text, 0))"
READ: Final = """
SELECT import_id, file_name, position, line, errors_bytes, began_at, finished_at,
    accepted, duplicate, conflict, unmatched, invalid
FROM usage_imports WHERE import_id = $1
"""
SAVE: Final = """
INSERT INTO usage_imports (import_id, file_name, position, line, errors_bytes, began_at,
    finished_at, accepted, duplicate, conflict, unmatched, invalid)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
ON CONFLICT (import_id) DO UPDATE SET (file_name, position, line, errors_bytes, began_at,
    finished_at, accepted, duplicate, conflict, unmatched, invalid) =
    (excluded.file_name, excluded.position, excluded.line, excluded.errors_bytes,
     excluded.began_at, excluded.finished_at, excluded.accepted, excluded.duplicate,
     excluded.conflict, excluded.unmatched, excluded.invalid)
"""


async def try_lock(conn: Connection, import_id: UUID) -> bool:
    """Take the import of a file for this session; False when another process has it."""
    taken: bool = await conn.fetchval(LOCK, str(import_id))
    return taken


async def find(conn: Connection, import_id: UUID) -> Progress | None:
    """Return how far the import of a file came, None when it never began."""
    row = await conn.fetchrow(READ, import_id)
    if row is None:
        return None
    values = dict(row)
    tally = Tally(**{name: values.pop(name) for name in Tally.__struct_fields__})
    return Progress(**values, tally=tally)


async def save(conn: Connection, progress: Progress) -> None:
    """Write how far it came."""
    tally = msgspec.structs.astuple(progress.tally)
    await conn.execute(
        SAVE, progress.import_id, progress.file_name, progress.position, progress.line,
        progress.errors_bytes, progress.began_at, progress.finished_at, *tally,
    )  # fmt: skip
