"""Reading the audit, for staff and for exports."""

from typing import Final
from uuid import UUID

from tallystick.audit import store
from tallystick.audit.model import AuditEntry
from tallystick.kernel.db import Connection
from tallystick.kernel.paging import After, Page, PageRequest, make_page

_BIGINT_MAX: Final = 2**63 - 1


async def list_audit(
    conn: Connection, account_id: UUID | None, request: PageRequest
) -> Page[AuditEntry]:
    """Return what was changed, newest first: of one account, or of the whole installation.

    Under an account's scope only that account's entries are to be seen, whatever is asked for.
    """
    # A cursor holds an id; here that is the entry's number.
    below = min(request.after.id.int, _BIGINT_MAX) if request.after else None
    rows = await store.list_entries(conn, account_id, below, request.limit + 1, request.offset)
    total = await store.count_entries(conn, account_id)
    return make_page(rows, total, request, lambda row: After(at=row.at, id=UUID(int=row.audit_id)))
