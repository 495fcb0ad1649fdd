"""`tallystick demo` as a newcomer meets it: real processes, from nothing to a paid invoice."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import msgspec
import pytest

START_SECONDS_MAX = 120
WAIT_SECONDS_MAX = 60


class Demo(msgspec.Struct):
    """A running demo: its process, its address and the API key that it printed."""

    process: "subprocess.Popen[str]"
    address: str
    api_key: str

    def client(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.api_key}", "X-Account-Id": "atelier"}
        return httpx.Client(base_url=self.address, headers=headers, timeout=30)

    def stop(self) -> int:
        """Stop it as Ctrl-C does and return its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(WAIT_SECONDS_MAX)


@contextmanager
def demo(home: Path, port: int) -> Iterator[Demo]:
    command = [sys.executable, "-m", "tallystick", "demo", "--port", str(port)]
    environment = {**os.environ, "TALLYSTICK_HOME": str(home)}
    environment.pop("DATABASE_URL", None)
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        printed = read_until(process, "Ctrl-C stops it")
        key = re.search(r"API key\s+(tsk_\w+)", printed)
        assert key, printed
        yield Demo(process, f"http://127.0.0.1:{port}", key[1])
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(WAIT_SECONDS_MAX)


def read_until(process: "subprocess.Popen[str]", words: str) -> str:
    assert process.stdout is not None
    deadline = time.monotonic() + START_SECONDS_MAX
    printed = ""
    while time.monotonic() < deadline:
        line = process.stdout.readline()
        printed += line
        if words in line or not line:
            break
    assert words in printed, printed
    return printed


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@pytest.fixture
def home(short_folder: Path) -> Path:
    return short_folder / "home"


def wait_for_invoice(client: httpx.Client) -> dict[str, object]:
    """Return the newest invoice when it is paid."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    found: list[dict[str, object]] = []
    while time.monotonic() < deadline:
        found = client.get("/api/v1/billing/invoices").json()["invoices"]
        if found and found[0]["paid"]:
            return found[0]
        time.sleep(0.2)
    raise AssertionError(f"no paid invoice: {found}")


def save_card(client: httpx.Client, stripe: str) -> None:
    """Save a card as the page does, but for the typing: confirm at the simulator."""
    setup = client.post("/api/v1/billing/setup-intent/card", json={}).json()
    intent = setup["client_secret"].partition("_secret_")[0]
    confirmed = httpx.post(
        f"{stripe}/v1/setup_intents/{intent}/confirm",
        data={"payment_method": "pm_card_visa"},
        auth=("sk_test_demo_simulator", ""),
    )
    assert confirmed.status_code == 200, confirmed.text
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not client.get("/api/v1/billing/payment-methods").json()["total"]:
        assert time.monotonic() < deadline, "the webhook did not come"
        time.sleep(0.1)


def test_the_demo_leads_to_a_paid_invoice_and_keeps_its_data(home: Path) -> None:
    port = free_port()
    with demo(home, port) as running, running.client() as client:
        config = client.get("/api/v1/billing/config").json()
        save_card(client, config["stripe"]["script_url"].removesuffix("/stripe.js"))
        event = {
            "specversion": "1.0", "id": "one-more", "source": "test", "type": "api_calls",
            "subject": "atelier", "data": {"quantity": "1"},
        }  # fmt: skip
        before = client.get("/api/v1/billing/usage/current").json()
        for _ in range(2):  # a resent event counts once
            sent = client.post(
                "/api/v1/events",
                content=json.dumps(event),
                headers={"Content-Type": "application/cloudevents+json"},
            )
            assert sent.status_code == 204
        after = client.get("/api/v1/billing/usage/current").json()
        assert (
            int(after["current_period"]["api_calls"])
            == int(before["current_period"]["api_calls"]) + 1
        )
        clock = client.get("/api/v1/admin/accounts").json()["accounts"][0]["test_clock"]
        end = after["current_period"]["end"]
        asked = client.post(f"/api/v1/admin/test-clocks/{clock}/advance", json={"to": end})
        assert asked.status_code == 202
        invoice = wait_for_invoice(client)
        # The account lives on a test clock, whose invoices have numbers of their own.
        assert invoice["number"] == "TEST-INV-" + str(invoice["issued_at"])[:4] + "-000001"
        pdf = client.get(f"/api/v1/billing/invoices/{invoice['id']}/pdf")
        assert pdf.content.startswith(b"%PDF-")
        assert running.stop() == 0
    with demo(home, port) as again, again.client() as client:
        assert client.get("/api/v1/billing/invoices").json()["total"] == 1


def test_a_port_in_use_is_one_sentence_and_nothing_is_started(home: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, "-m", "tallystick", "demo", "--port", str(port)],
            env={**os.environ, "TALLYSTICK_HOME": str(home)},
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
    assert done.returncode == 1
    assert f"Port {port}" in done.stderr
    assert "Traceback" not in done.stderr
    assert not home.exists()
