"""`tallystick import usage` as a process: killed, interrupted, fed through a pipe, told off."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from tallystick.accounts.model import NewAccount
from tallystick.accounts.service import create_account
from tallystick.catalog.model import NewMeter
from tallystick.kernel.db import WRITER, Database
from tallystick.metering import service

AT = datetime(2026, 2, 1, tzinfo=UTC)


def start(dsn: str, *arguments: str, stdin: int | None = None) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "tallystick", "import", "usage", *arguments],
        env={"PATH": os.environ["PATH"], "DATABASE_URL": dsn},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=stdin,
    )  # fmt: skip


def run(dsn: str, *arguments: str, given: bytes = b"") -> tuple[int, str, str]:
    with start(dsn, *arguments, stdin=subprocess.PIPE) as process:
        out, err = process.communicate(given, timeout=120)
    return process.returncode, out.decode(), err.decode()


def kill_after(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    with process, suppress(subprocess.TimeoutExpired):
        try:
            process.wait(seconds)
        finally:
            process.kill()


def event(number: int) -> bytes:
    told = {"id": f"e{number}", "type": "call", "subject": "cust-1",
            "time": "2026-02-03T10:00:00Z", "properties": {"n": number}}  # fmt: skip
    return json.dumps(told).encode() + b"\n"


@pytest.fixture
async def totals(db: Database) -> None:
    """An account and a meter."""
    new = NewAccount(
        name="A", email="a@example.com", currency="USD", country="US", external_id="cust-1"
    )
    async with db.transaction(WRITER) as conn:
        await create_account(conn, new, AT)
        meter = NewMeter(code="tokens", event_type="call", aggregation="sum", property="n")
        await service.create_meter(conn, meter, AT)


async def stored(db: Database) -> tuple[int, Decimal]:
    async with db.transaction(WRITER) as conn:
        row = await conn.fetchrow(
            "SELECT count(*) AS count, coalesce(sum((properties ->> 'n')::numeric), 0) AS total "
            "FROM usage_events"
        )
    assert row is not None
    return row["count"], row["total"]


@pytest.mark.usefixtures("totals")
async def test_killed_at_any_point_and_run_again_all_is_counted_once(
    db: Database, dsn: str, tmp_path: Path
) -> None:
    count = 60_000
    file, errors = tmp_path / "usage.ndjson", tmp_path / "errors.ndjson"
    bad = b'{"type": "call"}\n'
    file.write_bytes(b"".join(bad if at % 10_000 == 0 else event(at) for at in range(count)))
    arguments = (str(file), "--errors", str(errors))
    chance = random.Random(1)  # noqa: S311 - a test's dice
    lines = []
    for _ in range(6):
        kill_after(start(dsn, *arguments), chance.uniform(0.5, 3))
        async with db.transaction(WRITER) as conn:
            lines.append(await conn.fetchval("SELECT max(line) FROM usage_imports") or 0)
    assert lines == sorted(lines)
    code, out, _ = run(dsn, *arguments)
    assert code == 3
    assert await stored(db) == (
        count - 6,
        Decimal(sum(range(count)) - sum(range(0, count, 10_000))),
    )
    refused = [json.loads(line)["line"] for line in errors.read_text().splitlines()]
    assert refused == [1, 10_001, 20_001, 30_001, 40_001, 50_001]
    assert "invalid" in out


@pytest.mark.usefixtures("totals")
async def test_an_interrupt_says_how_to_go_on(db: Database, dsn: str) -> None:
    # A pipe that stays open: the import waits in the middle of its input.
    with start(dsn, "-", stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(b"".join(event(at) for at in range(12_000)))
        process.stdin.flush()
        deadline = time.monotonic() + 60
        while (await stored(db))[0] < 10_000 and time.monotonic() < deadline:  # noqa: ASYNC110 - another process stores them
            await asyncio.sleep(0.02)
        process.send_signal(signal.SIGINT)
        err = process.communicate(timeout=60)[1].decode()
        assert process.returncode == 130
    assert "Interrupted behind line 10000." in err
    assert "nothing is counted twice" in err
    assert "Traceback" not in err


@pytest.mark.usefixtures("totals")
async def test_a_pipe_is_read_like_a_file(db: Database, dsn: str) -> None:
    rows = b"subject,meter,n\ncust-1,tokens,1\ncust-1,tokens,2\n"
    code, out, err = run(dsn, "-", given=rows)
    assert (code, err) == (0, "")
    assert out.split() == ["accepted", "2", "duplicate", "0"]
    code, out, _ = run(dsn, "-", given=rows)
    assert out.split() == ["accepted", "0", "duplicate", "2"]
    assert await stored(db) == (2, Decimal(3))


@pytest.mark.usefixtures("totals")
async def test_a_dry_run_says_what_an_import_would_find_and_stores_nothing(
    db: Database, dsn: str, tmp_path: Path
) -> None:
    file = tmp_path / "usage.ndjson"
    file.write_bytes(event(1) + b"no json\n")
    code, out, _ = run(dsn, str(file), "--dry-run")
    assert code == 3
    assert "Nothing was stored." in out
    assert "line 2: invalid: malformed_json" in out
    assert await stored(db) == (0, Decimal(0))
    assert run(dsn, str(file))[0] == 3
    assert "was imported before" in run(dsn, str(file))[1]
    assert await stored(db) == (1, Decimal(1))


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("none.csv", None, "There is no file"),
        (".", None, "is a directory; name a file in it."),
        ("wide.csv", "subject,type\nä,b\n".encode("utf-16"), "UTF-16; convert it: iconv"),
        ("old.csv", b"subject,type,stra\xdfe\n", "is no text in UTF-8"),
        ("usage.csv", b"when,what\n1,2\n", "No column says the subject"),
        ("cut.ndjson.gz", b"\x1f\x8b\x08\x00\x00", "damaged or cut off"),
    ],
)
def test_a_file_that_can_not_be_read_is_one_sentence(
    dsn: str, tmp_path: Path, name: str, content: bytes | None, told: str
) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    code, out, err = run(dsn, str(file))
    assert (code, out) == (1, "")
    assert told in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--format", "xml"), "--format must be ndjson or csv."),
        (("--delimiter", ";;"), "--delimiter must be one character"),
        (("--column", "id"), "--column takes NAME=VALUE, not id."),
        (("--errors", "nowhere/errors"), "nowhere/errors can not be written"),
    ],
)
def test_a_wrong_option_is_one_sentence(
    dsn: str, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    file = tmp_path / "usage.ndjson"
    file.write_bytes(event(1))
    code, _, err = run(dsn, str(file), *arguments)
    assert code == 1
    assert told in err
    assert err.count("\n") == 1


def test_an_empty_file_is_no_usage(dsn: str, tmp_path: Path) -> None:
    file = tmp_path / "usage.ndjson"
    file.touch()
    assert run(dsn, str(file))[0] == 0
