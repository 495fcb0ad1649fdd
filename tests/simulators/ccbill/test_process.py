"""The simulator as a process of its own."""

import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tallystick.simulators.ccbill.__main__ import main
from tallystick.simulators.ccbill.app import Options
from tallystick.simulators.ccbill.server import running
from tests.ccbill import CcbillSimulator, listening

COMMAND = [sys.executable, "-m", "tallystick.simulators.ccbill"]


def test_it_stops_cleanly_even_while_somebody_waits() -> None:
    process = subprocess.Popen(
        [*COMMAND, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    url = process.stdout.readline().split()[-1]
    fault = {"action": "delay", "delay_ms": 60_000, "path": "/data/main.cgi"}
    httpx.post(f"{url}/_sim/faults", json=fault).raise_for_status()
    with socket.create_connection(("127.0.0.1", httpx.URL(url).port or 0)) as waiting:
        waiting.sendall(b"GET /data/main.cgi HTTP/1.1\r\nhost: x\r\n\r\n")
        while httpx.get(f"{url}/_sim/faults").json()["count"]:
            pass
        process.terminate()
        out, err = process.communicate(timeout=10)
    assert process.returncode == 0
    assert (out, err) == ("", "")


def test_a_port_in_use_is_one_sentence(
    ccbill_process: str, capsys: pytest.CaptureFixture[str]
) -> None:
    port = str(httpx.URL(ccbill_process).port)
    assert main(["--port", port]) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"Port {port} on 127.0.0.1 can not be used")
    assert told.count("\n") == 1


def test_what_was_done_survives_a_restart_and_is_still_told(tmp_path: Path) -> None:
    with listening() as receiver:
        options = Options(
            state_path=tmp_path / "ccbill.sqlite",
            webhook_url=receiver.url,
            retry_gaps=(0, 60, 60),
        )
        receiver.statuses = [503]
        with running(options) as url:
            ccbill = CcbillSimulator(url)
            token = ccbill.token()
            first = ccbill.subscribe(token)
            receiver.wait(1)
            ccbill.until("deliveries", lambda found: bool(found[0]["attempts"]))
        with running(options) as url:
            ccbill = CcbillSimulator(url)
            second = ccbill.charge(token).json()["subscriptionId"]
            assert first != second
            assert [one["subscriptionId"] for one in ccbill.charges(token)] == [first, second]
            ccbill.advance(days=31)
            receiver.wait(4)
    kinds = ["UpSaleSuccess", "UpSaleSuccess", "UpSaleSuccess", "RenewalSuccess"]
    assert sorted(receiver.kinds()[:4]) == sorted(kinds)


def test_help_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    told = capsys.readouterr().out
    assert "example:" in told
    assert "--webhook-url http" in told
