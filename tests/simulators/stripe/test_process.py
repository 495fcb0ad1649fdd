"""The simulator as a process of its own."""

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

COMMAND = [sys.executable, "-m", "tallystick.simulators.stripe"]


def start(*arguments: str) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("listening on http://127.0.0.1:"), line
    return process, line.split()[-1]


@pytest.fixture
def process() -> Iterator[tuple[subprocess.Popen[str], str]]:
    process, url = start("--port", "0")
    yield process, url
    process.kill()
    process.communicate()


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly_even_while_somebody_waits(
    process: tuple[subprocess.Popen[str], str], kind: signal.Signals
) -> None:
    running, url = process
    fault = {"action": "delay", "delay_ms": 60_000, "path": "/v1/customers"}
    httpx.post(f"{url}/_sim/faults", json=fault)
    with (
        httpx.Client() as idle,
        socket.create_connection(("127.0.0.1", httpx.URL(url).port or 0)) as waiting,
    ):
        idle.get(f"{url}/_sim/charges")
        waiting.sendall(
            b"GET /v1/customers HTTP/1.1\r\nhost: x\r\nauthorization: Bearer sk_test_1\r\n\r\n"
        )
        while not httpx.get(f"{url}/_sim/requests").is_success:
            time.sleep(0.01)
        running.send_signal(kind)
        out, err = running.communicate(timeout=10)
    assert running.returncode == 0
    assert (out, err) == ("", "")


def test_a_port_in_use_is_one_sentence(process: tuple[subprocess.Popen[str], str]) -> None:
    port = str(httpx.URL(process[1]).port)
    second = subprocess.run(
        [*COMMAND, "--port", port], capture_output=True, text=True, timeout=30, check=False
    )
    assert second.returncode == 1
    assert second.stdout == ""
    assert second.stderr.startswith(f"Port {port} on 127.0.0.1 can not be used")
    assert second.stderr.count("\n") == 1


def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    state = str(tmp_path / "stripe.sqlite")
    process, url = start("--port", "0", "--state", state)
    made = httpx.post(f"{url}/v1/customers", auth=("sk_test_1", ""), data={"name": "Ada"}).json()
    process.kill()
    process.communicate()
    process, url = start("--port", "0", "--state", state)
    found = httpx.get(f"{url}/v1/customers/{made['id']}", auth=("sk_test_1", "")).json()
    process.terminate()
    process.communicate(timeout=10)
    assert found["name"] == "Ada"


def test_help_shows_an_example() -> None:
    told = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, check=True)
    assert "example:" in told.stdout
    assert "--webhook-secret whsec_" in told.stdout


def test_it_listens_on_the_loopback_address_alone(
    process: tuple[subprocess.Popen[str], str],
) -> None:
    port = httpx.URL(process[1]).port
    with socket.socket() as other:
        # Whoever listens on all addresses also holds 127.0.0.2.
        other.bind(("127.0.0.2", port or 0))
