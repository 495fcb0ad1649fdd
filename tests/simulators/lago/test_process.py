"""The Lago simulator as a process of its own."""

import subprocess
import sys

import httpx
import pytest

COMMANDS = [
    [sys.executable, "-m", "tallystick.simulators.lago"],
    [sys.executable, "-m", "tallystick", "simulators", "lago"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=["module", "command"])
def test_it_says_where_it_listens_and_stops_cleanly(command: list[str]) -> None:
    process = subprocess.Popen(
        [*command, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("listening on http://127.0.0.1:")
    assert httpx.get(f"{line.split()[-1]}/api/v1/events").status_code == 401
    process.terminate()
    assert process.communicate(timeout=10) == ("", "")
    assert process.returncode == 0
