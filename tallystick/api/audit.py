"""For staff: who changed what, when and why."""

from datetime import datetime
from typing import Any, Final

import msgspec
from litestar import get

from tallystick.api.answers import Pagination, pagination
from tallystick.api.services import Services
from tallystick.audit.model import AuditEntry
from tallystick.audit.service import list_audit
from tallystick.kernel import ids
from tallystick.kernel.db import STAFF
from tallystick.kernel.ids import HOUSE
from tallystick.kernel.paging import PageRequest


class AuditAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One change of one row; secret columns are left out."""

    id: int
    account: str | None
    at: datetime
    actor_kind: str
    actor: str
    request_id: str
    reason: str
    table: str
    action: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class AuditList(msgspec.Struct, frozen=True):
    """One part of the audit, newest first."""

    entries: list[AuditAnswer]
    pagination: Pagination
    total: int


@get(
    "/api/v1/admin/audit",
    opt={"permission": "staff:read"},
    tags=["Admin: audit"],
    summary="Who changed what",
)
async def read_audit(
    services: Services, paging: PageRequest, account_id: str | None = None
) -> AuditList:
    """List changes, newest first: of one account, or of the whole installation."""
    wanted = ids.parse("account", account_id) if account_id else None
    async with services.db.transaction(STAFF) as conn:
        found = await list_audit(conn, wanted, paging)
    answers = [_answer(entry) for entry in found.items]
    return AuditList(answers, pagination(found), found.total)


def _answer(entry: AuditEntry) -> AuditAnswer:
    return AuditAnswer(
        id=entry.audit_id,
        account=None if entry.account_id == HOUSE else ids.show("account", entry.account_id),
        at=entry.at,
        actor_kind=entry.actor_kind,
        actor=entry.actor_id,
        request_id=entry.request_id,
        reason=entry.reason,
        table=entry.table_name,
        action=entry.action,
        before=entry.before,
        after=entry.after,
    )


ROUTES: Final = (read_audit,)
