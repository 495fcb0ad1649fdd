"""For staff: test clocks, and the accounts that live by them."""

from datetime import datetime
from typing import Annotated, Final

import msgspec
from litestar import delete, get, post
from msgspec import Meta

from tallystick.accounts import service
from tallystick.accounts.checks import check_name
from tallystick.api import fields
from tallystick.api.admin_accounts import AccountList, account_answer
from tallystick.api.answers import Pagination, pagination
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.kernel import ids, test_clocks
from tallystick.kernel.db import STAFF, WRITER, Connection
from tallystick.kernel.ids import new_id
from tallystick.kernel.paging import PageRequest
from tallystick.kernel.test_clocks import TestClock
from tallystick.timeline import clocks

BASE: Final = "/api/v1/admin/test-clocks"
TAGS: Final = ["Admin: test clocks"]
READ: Final = {"permission": "staff:read"}
ADMIN: Final = {"permission": "staff:admin"}
ACCOUNTS_MAX: Final = 100
ONE: Final = f"{BASE}/{{test_clock_id:str}}"


class NewClock(Body, frozen=True, kw_only=True):
    """A test clock that stands at `now` (RFC 3339), and the accounts to put on it."""

    name: fields.Line
    now: fields.Instant
    accounts: Annotated[tuple[fields.AccountId, ...], Meta(max_length=ACCOUNTS_MAX)] = ()


class Attach(Body, frozen=True, kw_only=True):
    """Accounts to put on the clock, all or none."""

    accounts: Annotated[tuple[fields.AccountId, ...], Meta(min_length=1, max_length=ACCOUNTS_MAX)]


class Advance(Body, frozen=True, kw_only=True):
    """Move the clock on to `to` (RFC 3339); everything due on the way is done in order."""

    to: fields.Instant


class ClockProgress(msgspec.Struct, frozen=True):
    """How far the last advance has come: the way in whole percent of time, and work done on it."""

    started_from: datetime
    percent: int
    work_count: int


class ClockAnswer(msgspec.Struct, frozen=True):
    """A test clock; `advancing` until all due work on the way is done, then `ready`.

    `error` says why it can not go on at the moment; it is tried again every second.
    """

    id: str
    name: str
    status: str
    now: datetime
    target: datetime
    progress: ClockProgress
    error: str | None
    account_count: int
    created: datetime


class ClockList(msgspec.Struct, frozen=True):
    """Test clocks, newest first."""

    test_clocks: list[ClockAnswer]
    pagination: Pagination
    total: int


@get(BASE, opt=READ, tags=TAGS, summary="Test clocks")
async def list_clocks(services: Services, paging: PageRequest) -> ClockList:
    """List the clocks that are not deleted."""
    async with services.db.transaction(STAFF) as conn:
        found = await test_clocks.list_clocks(conn, paging)
        answers = [await _answer(conn, clock) for clock in found.items]
    return ClockList(answers, pagination(found), found.total)


@post(BASE, opt=ADMIN, tags=TAGS, summary="Make a test clock")
async def create_clock(data: NewClock, services: Services) -> ClockAnswer:
    """Make a clock and put accounts on it."""
    check_name(data.name)
    now, wall = fields.check_instant("now", data.now), services.clock()
    wanted = [ids.parse("account", account) for account in data.accounts]
    async with services.db.transaction(WRITER) as conn:
        clock = await test_clocks.create(conn, new_id(), data.name, now, wall)
        await clocks.attach(conn, clock.test_clock_id, wanted, wall)
        return await _answer(conn, clock)


@get(ONE, opt=READ, tags=TAGS, summary="A test clock")
async def read_clock(test_clock_id: str, services: Services) -> ClockAnswer:
    """Return a clock, and how far it has come when it is being advanced."""
    wanted = ids.parse("test_clock", test_clock_id)
    async with services.db.transaction(STAFF) as conn:
        return await _answer(conn, await test_clocks.live(conn, wanted))


@delete(ONE, opt=ADMIN, tags=TAGS, summary="Delete a test clock")
async def delete_clock(test_clock_id: str, services: Services) -> None:
    """Delete a clock that stands; for its accounts time stands still, and nothing falls due."""
    wanted = ids.parse("test_clock", test_clock_id)
    async with services.db.transaction(WRITER) as conn:
        await test_clocks.delete(conn, wanted, services.clock())


@post(f"{ONE}/advance", opt=ADMIN, tags=TAGS, status_code=202, summary="Advance a test clock")
async def advance_clock(test_clock_id: str, data: Advance, services: Services) -> ClockAnswer:
    """Ask for the clock to be advanced, ten years at most; the worker does it, in order.

    Read the clock to see how far it is. One advance at a time; a crash is gone on from.
    """
    wanted = ids.parse("test_clock", test_clock_id)
    to = fields.check_instant("to", data.to)
    async with services.db.transaction(WRITER) as conn:
        return await _answer(conn, await test_clocks.aim(conn, wanted, to))


@get(f"{ONE}/accounts", opt=READ, tags=TAGS, summary="Accounts of a test clock")
async def list_clock_accounts(
    test_clock_id: str, services: Services, paging: PageRequest
) -> AccountList:
    """List the accounts that live by a clock."""
    wanted = ids.parse("test_clock", test_clock_id)
    async with services.db.transaction(STAFF) as conn:
        clock = await test_clocks.live(conn, wanted)
        found = await service.list_on_clock(conn, clock.test_clock_id, paging)
    answers = [account_answer(account) for account in found.items]
    return AccountList(answers, pagination(found), found.total)


@post(
    f"{ONE}/accounts", opt=ADMIN, tags=TAGS, status_code=200, summary="Put accounts on a test clock"
)
async def attach_accounts(test_clock_id: str, data: Attach, services: Services) -> ClockAnswer:
    """Let accounts live by a clock that stands; time never runs backwards for an account."""
    wanted = ids.parse("test_clock", test_clock_id)
    accounts = [ids.parse("account", account) for account in data.accounts]
    async with services.db.transaction(WRITER) as conn:
        await clocks.attach(conn, wanted, accounts, services.clock())
        return await _answer(conn, await test_clocks.live(conn, wanted))


@delete(
    f"{ONE}/accounts/{{account_id:str}}",
    opt=ADMIN,
    tags=TAGS,
    summary="Take an account off a test clock",
)
async def detach_account(test_clock_id: str, account_id: str, services: Services) -> None:
    """Let an account live by wall time again, unless it has been in the future."""
    clock, account = ids.parse("test_clock", test_clock_id), ids.parse("account", account_id)
    async with services.db.transaction(WRITER) as conn:
        await clocks.detach(conn, clock, account, services.clock())


async def _answer(conn: Connection, clock: TestClock) -> ClockAnswer:
    return clock_answer(clock, await service.count_on_clock(conn, clock.test_clock_id))


def clock_answer(clock: TestClock, account_count: int) -> ClockAnswer:
    """Show a test clock."""
    return ClockAnswer(
        id=ids.show("test_clock", clock.test_clock_id),
        name=clock.name,
        status=clock.status,
        now=clock.now_at,
        target=clock.target_at,
        progress=ClockProgress(clock.from_at, clock.percent, clock.work_count),
        error=clock.error,
        account_count=account_count,
        created=clock.created_at,
    )


ROUTES: Final = (
    list_clocks,
    create_clock,
    read_clock,
    delete_clock,
    advance_clock,
    list_clock_accounts,
    attach_accounts,
    detach_account,
)
