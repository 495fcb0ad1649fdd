import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tallystick.accounts.model import Account, NewAccount
from tallystick.accounts.service import create_account
from tallystick.catalog.model import Meter, NewMeter
from tallystick.kernel.db import WRITER, Database, account_scope
from tallystick.metering import service
from tallystick.metering.fold import Fold
from tallystick.metering.ingest import Ingest
from tallystick.metering.model import EventResult, UsageEvent

ALL_SETTLED = """
SELECT coalesce(max(tx), '0') < pg_snapshot_xmin(pg_current_snapshot()) FROM usage_events
"""
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FEBRUARY = (datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC))

Send = Callable[..., Awaitable[tuple[EventResult, ...]]]
Total = Callable[..., Awaitable[dict[str, Decimal]]]


@pytest.fixture
async def accounts(db: Database) -> Sequence[Account]:
    """Two accounts, known to their senders as cust-1 and cust-2."""
    async with db.transaction(WRITER) as conn:
        return [
            await create_account(
                conn,
                NewAccount(
                    name=name, email="a@example.com", currency="USD", country="US", external_id=name
                ),
                NOW,
            )
            for name in ("cust-1", "cust-2")
        ]


@pytest.fixture
async def meters(db: Database) -> Sequence[Meter]:
    """Events of type `call` are counted, and their property `n` is summed."""
    async with db.transaction(WRITER) as conn:
        return [
            await service.create_meter(conn, new, NOW)
            for new in (
                NewMeter(code="calls", event_type="call"),
                NewMeter(code="tokens", event_type="call", aggregation="sum", property="n"),
            )
        ]


@pytest.fixture
def settle(db: Database) -> Callable[[], Awaitable[None]]:
    """Wait until every older transaction has ended.

    Those of other tests on the same server, and the database's own upkeep, hold a fold back.
    """

    async def _settle() -> None:
        for _ in range(3000):
            async with db.transaction(WRITER) as conn:
                if await conn.fetchval(ALL_SETTLED):
                    return
            await asyncio.sleep(0.01)
        raise TimeoutError

    return _settle


@pytest.fixture
def fold(db: Database, settle: Callable[[], Awaitable[None]]) -> Callable[..., Awaitable[bool]]:
    """Fold everything that is stored."""

    async def _fold(**options: Any) -> bool:
        await settle()
        return await Fold(db, **options).run_once()

    return _fold


@pytest.fixture
async def ingest(db: Database) -> AsyncIterator[Ingest]:
    """A process's way in."""
    made = Ingest(db)
    yield made
    await made.close()


@pytest.fixture
def send(ingest: Ingest, accounts: Sequence[Account], meters: Sequence[Meter]) -> Send:  # noqa: ARG001 -- they must be there
    """Send events at noon of the first of March."""

    async def _send(*events: UsageEvent, **options: Any) -> tuple[EventResult, ...]:
        return await ingest.record(events, **{"now": NOW, **options})

    return _send


@pytest.fixture
def total(db: Database, accounts: Sequence[Account], meters: Sequence[Meter]) -> Total:
    """Read an account's totals as the account itself; February of the first one by default."""

    async def _total(
        start: datetime = FEBRUARY[0], end: datetime = FEBRUARY[1], account: int = 0
    ) -> dict[str, Decimal]:
        account_id = accounts[account].account_id
        async with db.transaction(account_scope(account_id)) as conn:
            return await service.period_totals(conn, account_id, meters, start, end)

    return _total
