"""For staff: what was corrected, by whom and why, and the history of an event."""

from typing import Annotated, Final, Literal

import msgspec
from litestar import get
from litestar.params import Parameter

from tallystick.api.answers import Pagination, pagination
from tallystick.api.correction_answers import (
    CorrectionAnswer,
    ToldAnswer,
    corrections,
    told,
)
from tallystick.api.services import Services
from tallystick.corrections.model import Named
from tallystick.corrections.service import event_history, list_corrections
from tallystick.kernel import ids
from tallystick.kernel.db import STAFF
from tallystick.kernel.paging import PageRequest
from tallystick.metering import own_events
from tallystick.metering.model import TEXT_LENGTH_MAX

BASE: Final = "/api/v1/admin/billing"
TAGS: Final = ["Admin: usage"]
READ: Final = {"permission": "staff:read"}
Name = Annotated[str, Parameter(min_length=1, max_length=TEXT_LENGTH_MAX)]


class CorrectionList(msgspec.Struct, frozen=True):
    """One part of the corrections, newest first."""

    corrections: list[CorrectionAnswer]
    pagination: Pagination
    total: int


class EventHistory(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it was sent (null: no longer kept), what counts now (null: nothing), and why."""

    account: str
    source: str
    event_id: str
    original: ToldAnswer | None
    current: ToldAnswer | None
    corrections: list[CorrectionAnswer]


@get(f"{BASE}/usage-corrections", opt=READ, tags=TAGS, summary="Corrections of usage")
async def list_usage_corrections(
    services: Services,
    paging: PageRequest,
    account_id: str | None = None,
    kind: Literal["amend", "reverse", "backfill"] | None = None,
) -> CorrectionList:
    """List events that were amended, taken out or put in later: who, when, why, what came of it."""
    wanted = ids.parse("account", account_id) if account_id else None
    async with services.db.transaction(STAFF) as conn:
        found = await list_corrections(conn, paging, wanted, kind)
    return CorrectionList(corrections(found.items), pagination(found), found.total)


@get(f"{BASE}/event-history", opt=READ, tags=TAGS, summary="History of an event")
async def read_event_history(
    services: Services, account_id: str, event_id: Name, source: Name = own_events.SOURCE
) -> EventHistory:
    """Show what an event said first and all that was done to it, in order."""
    named = Named(ids.parse("account", account_id), source, event_id)
    async with services.db.transaction(STAFF) as conn:
        found = await event_history(conn, named)
    return EventHistory(
        account=account_id,
        source=found.source,
        event_id=found.event_id,
        original=told(found.original),
        current=told(found.current),
        corrections=corrections(found.corrections),
    )


ROUTES: Final = (list_usage_corrections, read_event_history)
