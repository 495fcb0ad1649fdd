"""The worker's part: what-ifs are gone through in batches, each a transaction of its own.

A worker that dies loses one batch; the next one goes on behind the last that was committed.
"""

from datetime import datetime
from typing import Final

import structlog

from tallystick.kernel.db import WRITER, Connection, Database
from tallystick.kernel.due import WallKind
from tallystick.kernel.errors import TallystickError
from tallystick.money.errors import MoneyError
from tallystick.whatif import service
from tallystick.whatif.model import WhatIf

log = structlog.get_logger()

NAME: Final = "what_ifs"


class WhatIfs:
    """The work of the kind `what_ifs`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def kind(self) -> WallKind:
        """Return the work as the worker takes it."""
        return WallKind(NAME, self.run_due)

    async def run_due(self, now: datetime) -> int:
        """Go through one batch of the oldest what-if that runs; return how many that were."""
        async with self._db.transaction(WRITER) as conn:
            running = await service.lock_running(conn)
            if running is not None:
                await _advance(conn, running, now)
                return 1
            return await service.forget_old(conn, now)


async def _advance(conn: Connection, running: WhatIf, now: datetime) -> None:
    try:
        async with conn.transaction():
            await service.advance(conn, running, now)
    except (TallystickError, MoneyError) as error:
        log.warning("what_if_failed", what_if_id=str(running.what_if_id), code=error.code)
        await service.fail(conn, running, f"{error.code}: {error.detail}", now)
