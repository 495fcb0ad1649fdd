"""A process that bills what is due, a few subscriptions a transaction, until nothing is left."""

import asyncio
import logging
import sys

import structlog

from tallystick.documents.document import Party
from tallystick.invoices.billing_run import BillingRun
from tallystick.kernel.clock import system_clock
from tallystick.kernel.db import open_database


async def main(dsn: str) -> None:
    db = await open_database(dsn, connections_max=1)
    run = BillingRun(db, system_clock, Party("Seller"), batch_max=7)
    while await run.run_due(system_clock(), None):
        pass
    await db.close()


structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
asyncio.run(main(sys.argv[1]))
