"""For staff: test clocks, and the accounts that live by them."""

from datetime import datetime
from typing import Annotated, Final

import msgspec
from litestar import get, post
from msgspec import Meta

from tallystick.accounts import service
from tallystick.accounts.checks import check_name
from tallystick.api import fields
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.kernel import ids, test_clocks
from tallystick.kernel.db import STAFF, WRITER
from tallystick.kernel.ids import new_id
from tallystick.kernel.test_clocks import TestClock

BASE: Final = "/api/v1/admin"
TAGS: Final = ["Admin: test clocks"]
READ: Final = {"permission": "staff:read"}
ADMIN: Final = {"permission": "staff:admin"}
ACCOUNTS_MAX: Final = 100


class NewClock(Body, frozen=True, kw_only=True):
    """A test clock that stands at `now` (RFC 3339), and the accounts to put on it."""

    name: fields.Line
    now: fields.Instant
    accounts: Annotated[tuple[fields.AccountId, ...], Meta(max_length=ACCOUNTS_MAX)] = ()


class Advance(Body, frozen=True, kw_only=True):
    """Move the clock on to `to` (RFC 3339); everything due on the way is done in order."""

    to: fields.Instant


class ClockAnswer(msgspec.Struct, frozen=True):
    """A test clock; `advancing` until due work on the way is done, then `ready`."""

    id: str
    name: str
    status: str
    now: datetime
    target: datetime


@post(f"{BASE}/test-clocks", opt=ADMIN, tags=TAGS, summary="Make a test clock")
async def create_clock(data: NewClock, services: Services) -> ClockAnswer:
    """Make a clock and put accounts on it."""
    check_name(data.name)
    now = fields.check_instant("now", data.now)
    async with services.db.transaction(WRITER) as conn:
        clock = await test_clocks.create(conn, new_id(), data.name, now, services.clock())
        for account in data.accounts:
            wanted = ids.parse("account", account)
            await service.set_test_clock(conn, wanted, clock.test_clock_id)
    return clock_answer(clock)


@get(f"{BASE}/test-clocks/{{test_clock_id:str}}", opt=READ, tags=TAGS, summary="A test clock")
async def read_clock(test_clock_id: str, services: Services) -> ClockAnswer:
    """Return a clock and whether it is being advanced."""
    async with services.db.transaction(STAFF) as conn:
        return clock_answer(await test_clocks.get(conn, ids.parse("test_clock", test_clock_id)))


@post(
    f"{BASE}/test-clocks/{{test_clock_id:str}}/advance",
    opt=ADMIN,
    tags=TAGS,
    status_code=202,
    summary="Advance a test clock",
)
async def advance_clock(test_clock_id: str, data: Advance, services: Services) -> ClockAnswer:
    """Ask for the clock to be advanced; the worker does it, and the clock says when it is done."""
    wanted = ids.parse("test_clock", test_clock_id)
    to = fields.check_instant("to", data.to)
    async with services.db.transaction(WRITER) as conn:
        return clock_answer(await test_clocks.aim(conn, wanted, to))


def clock_answer(clock: TestClock) -> ClockAnswer:
    """Show a test clock."""
    shown = ids.show("test_clock", clock.test_clock_id)
    return ClockAnswer(shown, clock.name, clock.status, clock.now_at, clock.target_at)


ROUTES: Final = (create_clock, read_clock, advance_clock)
