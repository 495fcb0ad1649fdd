"""A process that records events under a hard limit, and says how many it was allowed.

`python limit_asker.py DSN REDIS_URL NAME COUNT ACCOUNT LIMIT`, all about one account and its calls;
REDIS_URL may be empty. It prints `ready`, waits for a line, and asks.
"""

import asyncio
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from tallystick.catalog.service import get_meter
from tallystick.kernel.db import open_database
from tallystick.metering.counters_redis import RedisCounters
from tallystick.metering.decide import Work
from tallystick.metering.gate import Gate
from tallystick.metering.limits import AppliedLimit, Ask
from tallystick.metering.prepare import event_key

NOW = datetime(2026, 2, 10, 12, tzinfo=UTC)
CODE = "calls"
IN_FLIGHT = 8


async def main() -> None:
    dsn, url, name, count, account, most = sys.argv[1:]
    db = await open_database(dsn, connections_max=2)
    async with db.reading() as conn:
        meter = await get_meter(conn, CODE)
    gate = Gate(db, RedisCounters(url) if url else None)
    limit = AppliedLimit(
        limit=Decimal(most), per="period", kind="hard", origin="plan",
        start=NOW - timedelta(days=9), end=NOW + timedelta(days=18),
    )  # fmt: skip
    account_id = UUID(account)
    ask = Ask(account_id, meter, Decimal(1), (limit,))
    numbers = iter(range(int(count)))
    allowed = 0

    async def record() -> None:
        nonlocal allowed
        for number in numbers:
            event = f"{name}-{number}"
            row = (account_id, event_key("api", event), NOW, CODE, "api", event, "{}")
            answer = await gate.check_and_record(
                Work(row=row, stated_at=None, content=b"", asks=(ask,), now=NOW, wall=NOW)
            )
            allowed += answer.is_allowed

    print("ready", flush=True)  # noqa: T201 - the test reads it
    sys.stdin.readline()
    await asyncio.gather(*(record() for _ in range(IN_FLIGHT)))
    await gate.close()
    await db.close()
    print(allowed, flush=True)  # noqa: T201 - the test reads it


if __name__ == "__main__":
    asyncio.run(main())
