"""A worker of payments that can be killed: charges what is due, looks after what is open, ends.

What takes long to load is loaded once: each line on standard input (`<dsn> <gateway's address>
<seconds ahead>`) is one worker, a child that begins with all of it in place. Its pid is printed.
"""

import asyncio
import logging
import os
import sys
from datetime import UTC, datetime, timedelta
from typing import NoReturn

import stripe  # noqa: F401 - loaded before the children begin
import structlog

from tallystick.kernel.db import open_database
from tallystick.payments.attempts import Attempts
from tallystick.payments.collect import Collector
from tallystick.payments.gateway import Gateways
from tallystick.payments.gateways.stripe import StripeGateway, StripeSettings, transport  # noqa: F401
from tallystick.payments.gateways.stripe.client import CallRules
from tallystick.payments.jobs import Resolver
from tallystick.payments.refunds import Refunds


async def work(dsn: str, base_url: str, ahead: timedelta) -> None:
    """Do what is due until nothing is, as the worker does."""

    def clock() -> datetime:
        return datetime.now(UTC) + ahead

    settings = StripeSettings(
        secret_key="sk_test_world",
        publishable_key="pk_test_world",
        webhook_secrets=(),
        base_url=base_url,
        rules=CallRules(wait_factor=0),
    )
    gateways = Gateways([StripeGateway(settings)])
    db = await open_database(dsn, connections_max=2)
    tries = Attempts(db, gateways, clock)
    collector = Collector(db, gateways, tries, clock)
    resolver = Resolver(db, gateways, tries)
    refunds = Refunds(db, gateways, clock)
    while (
        await collector.run_due(clock(), None)
        + await resolver.run_due(clock())
        + await refunds.begin_due(clock())
        + await refunds.look_due(clock())
    ):
        pass
    await gateways.close()
    await db.close()


def child(dsn: str, base_url: str, ahead: timedelta) -> NoReturn:
    """Work and end; whatever happens, it does not become a second parent."""
    code = 1
    try:
        asyncio.run(work(dsn, base_url, ahead))
        code = 0
    finally:
        os._exit(code)


def main() -> None:
    """Begin a worker for each line; none outlives this process's input."""
    for line in sys.stdin:
        dsn, base_url, seconds = line.split()
        pid = os.fork()
        if pid == 0:
            child(dsn, base_url, timedelta(seconds=int(seconds)))
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


structlog.configure(
    wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
    logger_factory=structlog.PrintLoggerFactory(sys.stderr),
)
main()
