"""`tallystick import usage` as a process: seconds, and peak memory whatever the size."""

import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from bench.figures import Figure
from bench.installation import ACCOUNTS, Installation

SIZES = (100_000, 1_000_000)
_METERS = ("impressions", "api_calls", "data_transfer")
_encode = msgspec.json.Encoder().encode


def measure(place: Installation) -> list[Figure]:
    """Import a file of each size; the ratio of memory is to the first one."""
    figures, first = [], 0.0
    for lines in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / f"usage-{lines}.ndjson"
            _write(file, lines)
            seconds, peak_mb = _import(place, file)
        first = first or peak_mb
        value = f"{seconds:.1f} s, {lines / seconds:,.0f} lines/s"
        figures += [
            Figure(f"import of a file of {lines:,} lines", value, "", lines / seconds),
            Figure(
                f"import of {lines:,} lines: peak", f"{peak_mb:.0f} MB", f"{peak_mb / first:.2f}"
            ),
        ]
    return figures


def _import(place: Installation, file: Path) -> tuple[float, float]:
    began = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603 - ours
        [sys.executable, "-m", "tallystick", "import", "usage", str(file)],
        env={**os.environ, "DATABASE_URL": place.dsn},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    assert os.waitstatus_to_exitcode(status) == 0
    return seconds, used.ru_maxrss / 1024  # ru_maxrss counts KiB


def _write(file: Path, lines: int) -> None:
    latest = datetime.now(UTC)
    with file.open("wb") as written:
        for number in range(lines):
            event = {
                "id": f"{lines}-{number}",
                "source": "import",
                "type": _METERS[number % len(_METERS)],
                "subject": f"bench-{number % ACCOUNTS}",
                "time": latest - timedelta(seconds=number % 1_000_000),
                "properties": {"quantity": str(number % 1000)},
            }
            written.write(_encode(event) + b"\n")
