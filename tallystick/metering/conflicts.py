"""Conflicts for staff: what was sent under the key of a stored event, with other content."""

from datetime import datetime
from uuid import UUID

from tallystick.kernel.db import Connection
from tallystick.kernel.errors import Conflict
from tallystick.kernel.ids import unknown
from tallystick.kernel.paging import After, Page, PageRequest, make_page
from tallystick.metering import conflicts_store as store
from tallystick.metering.conflicts_store import KeptConflict


async def list_conflicts(
    conn: Connection, request: PageRequest, status: str, account_id: UUID | None
) -> Page[KeptConflict]:
    """Return open or dismissed conflicts, newest first; of one account, or of all (None)."""
    rows = await store.list_page(conn, request, status, account_id)
    total = await store.count(conn, status, account_id)
    return make_page(
        rows, total, request, lambda row: After(at=row.received_at, id=row.usage_conflict_id)
    )


async def dismiss(conn: Connection, usage_conflict_id: UUID, now: datetime) -> None:
    """Take a conflict off the list: the stored event stands, or was corrected by hand.

    Raises NotFound, Conflict `event_conflict_settled`.
    """
    if await store.dismiss(conn, usage_conflict_id, now):
        return
    if await store.find_status(conn, usage_conflict_id) is None:
        raise unknown("event_conflict")
    raise Conflict("event_conflict_settled", "This conflict was dismissed before.")
