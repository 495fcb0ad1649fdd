"""Workers that are killed while they send usage to a Lago: every event arrives, each once."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from tallystick.accounts.model import NewAccount
from tallystick.accounts.service import create_account
from tallystick.catalog.model import NewMeter
from tallystick.kernel.db import WRITER, Database
from tallystick.metering import service as metering
from tallystick.metering.ingest import Ingest
from tallystick.metering.model import UsageEvent
from tallystick.simulators.lago.server import running

EVENTS = 1500
WAIT_S = 60.0
KEY = "a-key-that-nobody-prints"


@pytest.fixture
def lago() -> Iterator[str]:
    with running() as url:
        metric = post(
            url,
            "billable_metrics",
            {
                "billable_metric": {
                    "name": "t",
                    "code": "tokens",
                    "aggregation_type": "sum_agg",
                    "field_name": "n",
                }
            },
        )
        charge = {
            "billable_metric_id": metric["billable_metric"]["lago_id"],
            "charge_model": "standard",
            "properties": {"amount": "1"},
        }
        post(
            url,
            "plans",
            {
                "plan": {
                    "name": "p",
                    "code": "p",
                    "interval": "yearly",
                    "amount_currency": "USD",
                    "charges": [charge],
                }
            },
        )
        post(
            url,
            "subscriptions",
            {
                "subscription": {
                    "external_customer_id": "cust-1",
                    "external_id": "cust-1",
                    "plan_code": "p",
                    "subscription_at": "2026-01-01T00:00:00Z",
                }
            },
        )
        yield url  # fmt: skip


def post(url: str, path: str, body: Any) -> Any:
    headers = {"authorization": f"Bearer {KEY}"}
    return httpx.post(f"{url}/api/v1/{path}", json=body, headers=headers).raise_for_status().json()


def set_fault(url: str, fault: Any) -> None:
    httpx.delete(f"{url}/_sim/faults").raise_for_status()
    if fault:
        httpx.post(f"{url}/_sim/faults", json=fault).raise_for_status()


def stored_count(url: str) -> int:
    headers = {"authorization": f"Bearer {KEY}"}
    answer = httpx.get(f"{url}/api/v1/events", params={"per_page": "1"}, headers=headers)
    return int(answer.json()["meta"]["total_count"])


def environment(dsn: str, lago: str) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", ""), "HOME": "/nowhere", "DATABASE_URL": dsn,
        "LAGO_API_URL": lago, "LAGO_API_KEY": KEY, "TALLYSTICK_LOG_LEVEL": "DEBUG",
    }  # fmt: skip


def start(dsn: str, lago: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tallystick", "worker"], env=environment(dsn, lago),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


async def until(is_so: Any) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + WAIT_S
    while not is_so():
        assert loop.time() < end
        await asyncio.sleep(0.02)


async def record(db: Database) -> None:
    now = datetime.now(UTC)
    new = NewAccount(
        name="A", email="a@example.com", currency="USD", country="US", external_id="cust-1"
    )
    meter = NewMeter(code="tokens", event_type="call", aggregation="sum", property="n")
    async with db.transaction(WRITER) as conn:
        await create_account(conn, new, now)
        await metering.create_meter(conn, meter, now)
    events = [
        UsageEvent(source="s", id=str(at), type="call", subject="cust-1",
                   at=now - timedelta(seconds=at), properties={"n": Decimal("0.1")})
        for at in range(EVENTS)
    ]  # fmt: skip
    await Ingest(db).record(events, now=now)


async def test_killed_at_any_point_nothing_is_lost_and_nothing_counts_twice(
    db: Database, dsn: str, lago: str
) -> None:
    await record(db)
    output = ""
    for sent in (1, 600, 1100):
        # The killed one's call hangs after Lago did the work.
        fault = {"action": "delay", "delay_ms": 60_000, "path": "*/events/batch", "skip": 2}
        set_fault(lago, fault)
        worker = start(dsn, lago)
        await until(lambda sent=sent: stored_count(lago) >= sent)
        worker.kill()
        output += worker.communicate()[0]
        set_fault(lago, None)
        async with db.transaction(WRITER) as conn:
            # As if the dead one's lease had run out.
            await conn.execute("UPDATE lago_sync SET lease_until = 'epoch'")
    worker = start(dsn, lago)
    try:
        await until(lambda: stored_count(lago) >= EVENTS)
        done = await asyncio.to_thread(compare, dsn, lago)
    finally:
        worker.terminate()
        output += worker.communicate()[0]
    assert stored_count(lago) == EVENTS
    assert done.returncode == 0, done.stdout + done.stderr
    assert "equal" in done.stdout
    assert KEY not in output + done.stdout + done.stderr


def compare(dsn: str, lago: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "tallystick", "lago", "compare"], env=environment(dsn, lago),
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


async def test_compare_shows_each_difference_and_exits_with_1(
    db: Database, dsn: str, lago: str
) -> None:
    await record(db)
    worker = start(dsn, lago)
    try:
        await until(lambda: stored_count(lago) >= EVENTS)
    finally:
        worker.terminate()
        worker.communicate()
    stray = {"transaction_id": "x", "external_subscription_id": "cust-1", "code": "tokens",
             "properties": {"n": "2.5"}}  # fmt: skip
    post(lago, "events", {"event": stray})
    done = await asyncio.to_thread(compare, dsn, lago)
    assert done.returncode == 1
    (line,) = [line for line in done.stdout.splitlines() if "tokens" in line]
    assert [word for word in ("150", "152.5", "2.5", "differs") if word not in line] == []


def test_check_says_what_is_wrong_with_the_settings_of_lago(dsn: str, lago: str) -> None:
    def told(**variables: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "tallystick", "check"],
            env={**environment(dsn, lago), **variables},
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert KEY not in done.stdout + done.stderr
        return done.stdout + done.stderr

    assert "the database answers" in told()
    assert "LAGO_API_KEY is missing" in told(LAGO_API_KEY="")
    assert "LAGO_API_URL is missing" in told(LAGO_API_URL="")
    assert "without /api/v1" in told(LAGO_API_URL=f"{lago}/api/v1")
    assert "can not be reached" in told(LAGO_API_URL="http://127.0.0.1:1")
    assert "LAGO_API_KEY must be" in told(LAGO_API_KEY=f"{KEY} ü")
    httpx.post(f"{lago}/_sim/faults", json={"action": "status", "status": 401}).raise_for_status()
    assert "Lago refuses LAGO_API_KEY" in told()
