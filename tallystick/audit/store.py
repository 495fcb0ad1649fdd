"""SQL of the audit; its rows are written by a trigger (migration 0001), here they are only read."""

from typing import Final
from uuid import UUID

from tallystick.audit.model import AuditEntry, read_entry
from tallystick.kernel.db import Connection

# Of one account, or of all when none is given; the newest first, by number.
LIST: Final = """
SELECT audit_id, account_id, at, actor_kind, actor_id, request_id, reason, table_name, action,
       before, after
FROM billing_audit
WHERE ($1::uuid IS NULL OR account_id = $1) AND ($2::bigint IS NULL OR audit_id < $2)
ORDER BY audit_id DESC LIMIT $3 OFFSET $4
"""
COUNT: Final = "SELECT count(*) FROM billing_audit WHERE $1::uuid IS NULL OR account_id = $1"


async def list_entries(
    conn: Connection, account_id: UUID | None, below: int | None, limit: int, offset: int
) -> list[AuditEntry]:
    """Return up to `limit` entries with numbers under `below`, newest first."""
    rows = await conn.fetch(LIST, account_id, below, limit, offset)
    return [read_entry(dict(row)) for row in rows]


async def count_entries(conn: Connection, account_id: UUID | None) -> int:
    """Return how many entries the account has (None: how many there are)."""
    return int(await conn.fetchval(COUNT, account_id))
