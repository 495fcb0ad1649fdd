"""For staff: how the sending of usage to Lago goes, what it refused, and where totals differ."""

from datetime import datetime
from typing import Final

import msgspec
from litestar import get, post

from tallystick.api.answers import Pagination, pagination, plain
from tallystick.api.services import Services
from tallystick.kernel import ids
from tallystick.kernel.db import STAFF, WRITER
from tallystick.kernel.paging import PageRequest
from tallystick.lago_sync import service
from tallystick.lago_sync.model import Comparison, Difference, Refused

BASE: Final = "/api/v1/admin/lago"
TAGS: Final = ["Admin: Lago"]
READ: Final = {"permission": "staff:read"}
ADMIN: Final = {"permission": "staff:admin"}


class UncomparedAnswer(msgspec.Struct, frozen=True):
    """An account whose totals could not be compared, and why, in Lago's word."""

    account: str
    problem: str
    compared_at: datetime | None
    next_try_at: datetime


class SyncAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How it goes.

    `sent` counts events as Lago has them: one for each meter. `waiting` are written out to be
    sent, the oldest for `lag_seconds`; `unread` (10000: so many or more) are stored and not yet
    written out. After a failure, sending rests until `next_try_at`.
    """

    configured: bool
    sent: int
    waiting: int
    unread: int
    refused: int
    lag_seconds: int
    last_sent_at: datetime | None
    failures_in_a_row: int
    last_error: str | None
    last_error_at: datetime | None
    next_try_at: datetime | None
    differences: int
    uncompared_count: int
    uncompared: list[UncomparedAnswer]


class RefusedAnswer(msgspec.Struct, frozen=True):
    """An event that Lago would not take; `event` is what was sent, empty if nothing could be."""

    account: str
    transaction_id: str
    reason: str
    refused_at: datetime
    event: str


class RefusedList(msgspec.Struct, frozen=True):
    """One part of what was refused, newest first."""

    events: list[RefusedAnswer]
    pagination: Pagination
    total: int


class DifferenceAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A meter's period that Lago counts otherwise; `lago` null: no charge of its plan counts it."""

    account: str
    meter: str
    start: datetime
    end: datetime
    ours: str
    lago: str | None
    found_at: datetime
    seen_at: datetime
    gone_at: datetime | None


class DifferenceList(msgspec.Struct, frozen=True):
    """One part of the differences, newest first."""

    differences: list[DifferenceAnswer]
    pagination: Pagination
    total: int


class RetryAnswer(msgspec.Struct, frozen=True):
    """How many events are sent again."""

    retried: int


@get(BASE, opt=READ, tags=TAGS, summary="How sending to Lago goes")
async def read_sync(services: Services) -> SyncAnswer:
    """Return what is sent, waits and was refused, the last error and the lag."""
    async with services.db.transaction(STAFF) as conn:
        state = await service.sync_state(conn)
        uncompared = await service.list_problems(conn)
    now, sync, since = services.clock(), state.sync, state.waiting_since
    return SyncAnswer(
        configured=services.lago is not None,
        sent=sync.sent_count,
        waiting=state.waiting_count,
        unread=state.unread_count,
        refused=state.refused_count,
        lag_seconds=max(int((now - since).total_seconds()), 0) if since else 0,
        last_sent_at=sync.last_sent_at,
        failures_in_a_row=sync.failure_count,
        last_error=sync.last_error,
        last_error_at=sync.last_error_at,
        next_try_at=sync.next_try_at if sync.failure_count else None,
        differences=state.difference_count,
        uncompared_count=state.problem_count,
        uncompared=[_uncompared(row) for row in uncompared],
    )


@get(f"{BASE}/refused", opt=READ, tags=TAGS, summary="What Lago refused")
async def read_refused(services: Services, paging: PageRequest) -> RefusedList:
    """List events that Lago would not take, with its reason, newest first."""
    async with services.db.transaction(STAFF) as conn:
        found = await service.list_refused(conn, paging)
    return RefusedList([_refused(row) for row in found.items], pagination(found), found.total)


@post(
    f"{BASE}/refused/retry",
    opt=ADMIN,
    tags=TAGS,
    status_code=200,
    summary="Send refused events again",
)
async def retry_refused(services: Services, transaction_id: str | None = None) -> RetryAnswer:
    """Send what was refused again, as it was: one event, or all."""
    async with services.db.transaction(WRITER) as conn:
        return RetryAnswer(await service.send_again(conn, transaction_id))


@get(f"{BASE}/differences", opt=READ, tags=TAGS, summary="Where Lago's totals are not ours")
async def read_differences(
    services: Services, paging: PageRequest, *, gone: bool = False
) -> DifferenceList:
    """List differences of totals, newest first; `gone`: also those that are none any more."""
    async with services.db.transaction(STAFF) as conn:
        found = await service.list_differences(conn, paging, with_gone=gone)
    answers = [_difference(row) for row in found.items]
    return DifferenceList(answers, pagination(found), found.total)


def _uncompared(row: Comparison) -> UncomparedAnswer:
    shown = ids.show("account", row.account_id)
    return UncomparedAnswer(shown, row.problem or "", row.compared_at, row.compare_after)


def _refused(row: Refused) -> RefusedAnswer:
    shown = ids.show("account", row.account_id)
    return RefusedAnswer(shown, row.transaction_id, row.reason, row.refused_at, row.event)


def _difference(row: Difference) -> DifferenceAnswer:
    return DifferenceAnswer(
        account=ids.show("account", row.account_id),
        meter=row.meter_code,
        start=row.period_start,
        end=row.period_end,
        ours=plain(row.ours),
        lago=None if row.theirs is None else plain(row.theirs),
        found_at=row.found_at,
        seen_at=row.seen_at,
        gone_at=row.gone_at,
    )


ROUTES: Final = (read_sync, read_refused, retry_refused, read_differences)
