"""For staff: what banks took back, or ask about."""

from typing import Final, Literal

from litestar import get

from tallystick.api.answers import pagination
from tallystick.api.refund_answers import DisputeList, dispute_answer
from tallystick.api.services import Services
from tallystick.credit_notes.disputes import list_disputes
from tallystick.credit_notes.model import DisputeStatus
from tallystick.kernel import ids
from tallystick.kernel.db import STAFF
from tallystick.kernel.paging import PageRequest


@get(
    "/api/v1/admin/billing/disputes",
    opt={"permission": "staff:read"},
    tags=["Admin: refunds and disputes"],
    summary="Disputes of all accounts",
)
async def list_all_disputes(
    services: Services,
    paging: PageRequest,
    account_id: str | None = None,
    status: Literal["warning", "opened", "won", "lost"] | None = None,
) -> DisputeList:
    """List disputes and returns, newest first; of one account, or of all; in one state, or all."""
    wanted = ids.parse("account", account_id) if account_id else None
    state = DisputeStatus(status) if status else None
    async with services.db.transaction(STAFF) as conn:
        found = await list_disputes(conn, wanted, state, paging)
    return DisputeList([dispute_answer(one) for one in found.items], pagination(found), found.total)


ROUTES: Final = (list_all_disputes,)
