"""SQL that takes events out of all counts."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from tallystick.kernel.db import Connection

VOID: Final = """
INSERT INTO usage_voids (account_id, key) SELECT $1, * FROM unnest($2::uuid[])
"""


async def void(conn: Connection, account_id: UUID, keys: Sequence[UUID]) -> None:
    """Take events out; each can be taken out once."""
    await conn.execute(VOID, account_id, list(keys))
