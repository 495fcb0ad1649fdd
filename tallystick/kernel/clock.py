"""Where `now` comes from: the machine's clock, or a test clock that an account sits on.

Instants are aware and UTC everywhere; code that decides something takes `now` as an argument.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from tallystick.kernel.db import Connection

Clock = Callable[[], datetime]
"""A function that answers with the present instant (aware, UTC)."""

ACCOUNT_NOW: Final = """
SELECT c.now_at FROM accounts a JOIN test_clocks c USING (test_clock_id) WHERE a.account_id = $1
"""


def system_clock() -> datetime:
    """Return the machine's present instant."""
    return datetime.now(UTC)


async def account_now(conn: Connection, account_id: UUID, wall: datetime) -> datetime:
    """Return the present as the account lives it: its test clock's, or `wall`."""
    at: datetime | None = await conn.fetchval(ACCOUNT_NOW, account_id)
    return at or wall
