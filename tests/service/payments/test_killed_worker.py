"""A worker killed before, during and after a gateway call; the next one finds one charge."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING
from uuid import UUID

import pytest

from tallystick.kernel.db import WRITER
from tallystick.payments.model import AttemptOutcome, PaymentStatus
from tests.cutting_proxy import CuttingProxy, Point, cutting_proxy
from tests.service.payments.refunds import REFUNDS, Back
from tests.service.payments.test_unclear_outcomes import INTENTS, assert_paid_once, owing

if TYPE_CHECKING:
    from tests.service.payments.conftest import World

PROCESS = Path(__file__).with_name("worker_process.py")
LATER_S = 300
DAY_S = 25 * 3600
POLLS_MAX = 2000
WAITS = """
SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE NOT granted AND datname = current_database()
"""


class Workers:
    """Starts workers, one at a time, and kills them."""

    def __init__(self, dsn: str, base_url: str, sent: IO[str], told: IO[str]) -> None:
        self._dsn = dsn
        self._base_url = base_url
        self._sent = sent
        self._told = told
        self.pid = 0

    async def start(self, ahead_s: int = 0) -> None:
        self._sent.write(f"{self._dsn} {self._base_url} {ahead_s}\n")
        self._sent.flush()
        self.pid = int(await asyncio.to_thread(self._told.readline))

    async def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        assert await self.end() == -signal.SIGKILL

    async def end(self) -> int:
        return int(await asyncio.to_thread(self._told.readline))


@pytest.fixture(scope="module")
def source() -> Iterator["subprocess.Popen[str]"]:
    """The process that has everything loaded."""
    command = [sys.executable, str(PROCESS)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        yield process
        process.communicate(timeout=20)


@pytest.fixture
async def proxy(world: "World") -> AsyncIterator[CuttingProxy]:
    """A proxy before the simulator; the workers go through it."""
    async with cutting_proxy(world.base_url) as made:
        yield made


@pytest.fixture
def workers(source: "subprocess.Popen[str]", proxy: CuttingProxy, dsn: str) -> Workers:
    assert source.stdin is not None
    assert source.stdout is not None
    return Workers(dsn, proxy.base_url, source.stdin, source.stdout)


def charging(line: str) -> bool:
    return line.startswith(f"POST {INTENTS} ")


def refunding(line: str) -> bool:
    return line.startswith(f"POST {REFUNDS} ")


async def kill_at(point: Point, workers: Workers, proxy: CuttingProxy) -> None:
    """Kill a worker whose charge has come to this point."""
    proxy.hold(charging, point)
    await workers.start()
    await proxy.reached()
    await workers.kill()
    proxy.mend()


async def kill_with_the_answer_in_hand(
    world: "World", workers: Workers, proxy: CuttingProxy, account: UUID
) -> None:
    """Kill a worker that has its answer, and waits for the payment's row to write it down."""
    proxy.hold(charging, Point.UNANSWERED)
    await workers.start()
    await proxy.reached()
    async with world.db.transaction(WRITER) as conn:
        await conn.execute("SELECT FROM payments WHERE account_id = $1 FOR UPDATE", account)
        proxy.go_on()
        await somebody_waits(world)
        await workers.kill()


async def somebody_waits(world: "World") -> None:
    """Wait until a lock is waited for in the world's database."""
    for _ in range(POLLS_MAX):
        async with world.db.transaction(WRITER) as conn:  # activity is read once in each
            if await conn.fetchval(WAITS):
                return
        await asyncio.sleep(0.005)
    raise AssertionError("the worker never came to write its answer")


@pytest.mark.parametrize(
    ("when", "ahead_s"),
    [
        ("before", LATER_S),
        ("during", LATER_S),
        ("after", LATER_S),
        ("before", DAY_S),
        ("during", DAY_S),
    ],
)
async def test_a_worker_that_is_killed_at_its_charge_leaves_one_charge_and_one_entry(
    world: "World", workers: Workers, proxy: CuttingProxy, when: str, ahead_s: int
) -> None:
    account, invoice = await owing(world)
    if when == "after":
        await kill_with_the_answer_in_hand(world, workers, proxy, account)
    else:
        point = Point.BEFORE if when == "before" else Point.UNANSWERED
        await kill_at(point, workers, proxy)
    assert len(await world.charges()) == (0 if when == "before" else 1)
    assert (await world.attempt(await world.payment(account))).outcome is AttemptOutcome.CREATED
    await workers.start(ahead_s)
    assert await workers.end() == 0
    if when == "before" and ahead_s > LATER_S:
        # Its key may be forgotten by now, so it is not sent again: it never was.
        payment = await world.payment(account)
        assert (payment.status, payment.failure_code) == (PaymentStatus.FAILED, "never_charged")
        assert await world.charges() == []
        assert await world.balances(account) == (4900, 0)
        return
    await assert_paid_once(world, account, invoice)


async def test_a_worker_killed_again_and_again_charges_once(
    world: "World", workers: Workers, proxy: CuttingProxy
) -> None:
    """Its look-ups are killed too; each later worker goes on where the one before ended."""
    account, invoice = await owing(world)
    await kill_at(Point.UNANSWERED, workers, proxy)
    for round_number in (1, 2):
        proxy.hold(lambda line: "/v1/payment_intents" in line, Point.UNANSWERED)
        await workers.start(round_number * LATER_S)
        await proxy.reached()
        await workers.kill()
        proxy.mend()
    await workers.start(3 * LATER_S)
    assert await workers.end() == 0
    await assert_paid_once(world, account, invoice)


@pytest.mark.parametrize("when", ["before", "during", "after"])
async def test_a_worker_that_is_killed_at_its_refund_gives_back_once(
    world: "World", workers: Workers, proxy: CuttingProxy, when: str
) -> None:
    back = Back(world)
    account, invoice, _ = await back.paid()
    await back.wish(account, invoice, 1000)
    proxy.hold(refunding, Point.BEFORE if when == "before" else Point.UNANSWERED)
    await workers.start()
    await proxy.reached()
    if when == "after":
        async with world.db.transaction(WRITER) as conn:
            await conn.execute("SELECT FROM payments WHERE account_id = $1 FOR UPDATE", account)
            proxy.go_on()
            await somebody_waits(world)
            await workers.kill()
    else:
        await workers.kill()
        proxy.mend()
    assert len(await world.look("refunds")) == (0 if when == "before" else 1)
    await workers.start(LATER_S)
    assert await workers.end() == 0
    assert [one["amount"] for one in await world.look("refunds")] == [1000]
    assert (await world.payment(account)).status is PaymentStatus.PARTIALLY_REFUNDED
    async with world.db.transaction(WRITER) as conn:
        rows = await conn.fetch("SELECT outcome FROM refund_attempts")
        entries = await conn.fetchval(
            "SELECT count(*) FROM ledger_entries WHERE kind LIKE 'refund%'"
        )
    assert [row["outcome"] for row in rows] == ["succeeded"]
    assert entries == 1
