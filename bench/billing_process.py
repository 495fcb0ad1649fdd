"""A worker that bills: says `ready`, waits for a line, bills until nothing is due."""

import asyncio
import logging
import sys
from datetime import datetime

import structlog

from tallystick.documents.document import Party
from tallystick.invoices.billing_run import BillingRun
from tallystick.kernel.db import open_database


async def main(dsn: str, now: datetime) -> None:
    """Bill what is due by `now`."""
    db = await open_database(dsn, connections_max=1)
    run = BillingRun(db, lambda: now, Party("Bench"))
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    while await run.run_due(now, None):
        pass
    await db.close()


structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
asyncio.run(main(sys.argv[1], datetime.fromisoformat(sys.argv[2])))
