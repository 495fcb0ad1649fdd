"""The CCBill simulator for tests: its process, a merchant's calls to it, a webhook receiver.

A conftest takes the fixtures in: `from tests.ccbill import ccbill, ccbill_process`.
"""

import contextlib
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import msgspec
import pytest

Json = dict[str, Any]
ACCNUM = 900000
FRONTEND = ("sim-frontend", "sim-frontend-secret")
BACKEND = ("sim-backend", "sim-backend-secret")
V1 = "application/vnd.mcn.transaction-service.api.v.1+json"
V2 = "application/vnd.mcn.transaction-service.api.v.2+json"
# Plain HTTP: reading the machine's certificates would take longer than most tests do.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
VISA = "4111111111111111"
CUSTOMER = {
    "customerFname": "Ann",
    "customerLname": "Lee",
    "email": "ann@example.com",
    "country": "US",
    "zipcode": "85281",
}


class CcbillSimulator:
    """A running simulator, and what a merchant does with it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.Client(base_url=url, trust_env=False, timeout=20, verify=NO_TLS)
        self.accept = V2
        self._bearers: dict[tuple[str, str], str] = {}

    # -- control --

    def reset(self, seed: int | None = None) -> None:
        """Forget everything."""
        self._bearers.clear()
        self.accept = V2
        body = {} if seed is None else {"seed": seed}
        self.http.post("/_sim/reset", json=body).raise_for_status()

    def configure(self, **members: Any) -> Json:
        """Change the setup: `configure(price_limits={"*": ["1", "9"]})`."""
        answer = self.http.put("/_sim/config", json=members)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def notify(self, url: str, **members: Any) -> None:
        """Let one URL be told of everything."""
        self.configure(webhooks=[{"url": url, **members}])

    def fault(self, action: str, **members: Any) -> None:
        """Arm a fault."""
        answer = self.http.post("/_sim/faults", json={"action": action, **members})
        assert answer.status_code == 200, answer.text

    def advance(self, **units: float) -> None:
        """Let simulated time pass: `advance(days=30, seconds=1)`; access tokens are made anew."""
        self._bearers.clear()
        lengths = {"days": 86400, "hours": 3600, "minutes": 60, "seconds": 1}
        seconds = sum(lengths[name] * count for name, count in units.items())
        answer = self.http.post("/_sim/clock/advance", json={"seconds": seconds})
        assert answer.status_code == 200, answer.text

    def trigger(self, subscription_id: str, name: str, **members: Any) -> Json:
        """Let something happen to a subscription: `trigger(id, "refund", amount="5.00")`."""
        path = f"/_sim/subscriptions/{subscription_id}/{name}"
        answer = self.http.post(path, json=members)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def look(self, name: str) -> list[Json]:
        """Look inside, oldest first: tokens, subscriptions, moves, events, deliveries, requests."""
        return list(self.http.get(f"/_sim/{name}").json()["data"])[::-1]

    def told(self) -> list[str]:
        """Return the kinds of all events, oldest first."""
        return [event["kind"] for event in self.look("events")]

    def charges_made(self) -> list[Json]:
        """Return every sale and rebill that took money."""
        return [move for move in self.look("moves") if move["kind"] in ("NEW", "REBILL")]

    def until(self, name: str, is_so: Callable[[list[Json]], bool]) -> list[Json]:
        """Look until what is inside is as wanted; fail after ten seconds."""
        end = time.monotonic() + 10
        while not is_so(found := self.look(name)):
            assert time.monotonic() < end, found
            time.sleep(0.01)
        return found

    # -- the API --

    def bearer(self, client: tuple[str, str]) -> str:
        """Return an access token of a client, the same one until `reset`."""
        if client not in self._bearers:
            answer = self.oauth(client)
            assert answer.status_code == 200, answer.text
            self._bearers[client] = answer.json()["access_token"]
        return self._bearers[client]

    def oauth(self, client: tuple[str, str]) -> httpx.Response:
        """Ask for an access token."""
        form = {"grant_type": "client_credentials"}
        return self.http.post("/ccbill-auth/oauth/token", auth=client, data=form)

    def call(
        self, method: str, path: str, client: tuple[str, str] = BACKEND, **more: Any
    ) -> httpx.Response:
        """Send a request of the REST API."""
        headers = {"authorization": f"Bearer {self.bearer(client)}", "accept": self.accept}
        headers |= more.pop("headers", {})
        return self.http.request(method, path, headers=headers, **more)

    def token_body(self, number: str = VISA, subacc: int = 0, **members: Any) -> Json:
        """Return the body that makes a token of a card."""
        card = {
            "cardNum": number,
            "expMonth": "03",
            "expYear": "2040",
            "nameOnCard": "Ann Lee",
            "cvv2": "123",
        }
        body = {
            "clientAccnum": ACCNUM,
            "clientSubacc": subacc,
            "subscriptionId": 0,
            "customerInfo": CUSTOMER,
            "paymentInfo": {"creditCardPaymentInfo": card},
        }
        return {**body, **members}

    def token(self, number: str = VISA, **members: Any) -> str:
        """Make a token of a card, as the widget does; the value is its id."""
        body = self.token_body(number, **members)
        answer = self.call("POST", "/payment-tokens/merchant-only", FRONTEND, json=body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["paymentTokenId"])

    def charge(self, token: str, price: object = 10.5, **members: Any) -> httpx.Response:
        """Charge a token once, or (`recurring_price=9.99`) from now on."""
        threeds = members.pop("threeds", None)
        body = {
            "clientAccnum": ACCNUM,
            "clientSubacc": 0,
            "initialPrice": price,
            "initialPeriod": 30,
            "currencyCode": 840,
            **members,
            **(threeds or {}),
        }
        part = "threeds/" if threeds is not None else ""
        return self.call("POST", f"/transactions/payment-tokens/{part}{token}", json=body)

    def subscribe(self, token: str, price: object = 18, **members: Any) -> str:
        """Sell a subscription for 30 days and 30 days again; the value is its id."""
        terms = {"recurringPrice": price, "recurringPeriod": 30, "rebills": 99}
        answer = self.charge(token, price, **{**terms, **members})
        assert answer.status_code == 200, answer.text
        assert answer.json()["approved"] is True, answer.text
        return str(answer.json()["subscriptionId"])

    def charges(self, token: str, **query: Any) -> list[Json]:
        """List a token's charges."""
        path = f"/transactions/payment-tokens/{token}"
        answer = self.call("GET", path, params={"clientAccnum": ACCNUM, **query})
        assert answer.status_code == 200, answer.text
        return list(answer.json())


class Posted:
    """One webhook as it came."""

    def __init__(self, path: str, headers: dict[str, str], body: bytes) -> None:
        self.query = dict(parse_qsl(urlsplit(path).query))
        self.headers = headers
        self.body = body

    @property
    def kind(self) -> str:
        return self.query["eventType"]

    @property
    def fields(self) -> dict[str, str]:
        if self.headers["content-type"] == "application/json":
            return dict(msgspec.json.decode(self.body))
        return dict(parse_qsl(self.body.decode()))


class Receiver:
    """A webhook endpoint: it keeps what comes, and answers the statuses it was given."""

    def __init__(self) -> None:
        self.posted: list[Posted] = []
        self.statuses: list[int] = []
        self._news = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                self.send_response(receiver.take(Posted(self.path, headers, body)))
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"

    def take(self, posted: Posted) -> int:
        with self._news:
            self.posted.append(posted)
            self._news.notify_all()
            return self.statuses.pop(0) if self.statuses else 200

    def kinds(self) -> list[str]:
        return [one.kind for one in self.posted]

    def wait(self, wanted: "Callable[[Receiver], bool] | int") -> None:
        """Wait until so many came, or what came is as wanted; fail after ten seconds."""

        def is_so() -> bool:
            return len(self.posted) >= wanted if isinstance(wanted, int) else wanted(self)

        with self._news:
            assert self._news.wait_for(is_so, timeout=10), self.kinds()[-20:]


@contextlib.contextmanager
def running_simulator(*arguments: str) -> Iterator[str]:
    """Run the simulator as a process of its own, as a person does; the value is its address."""
    command = [sys.executable, "-m", "tallystick.simulators.ccbill", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().rpartition(" ")[2].strip()
        finally:
            process.terminate()


@contextlib.contextmanager
def listening() -> Iterator[Receiver]:
    """Run a webhook receiver."""
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.server.shutdown()
        receiver.server.server_close()


def assert_error(answer: httpx.Response, status: int, code: int) -> None:
    """Hold an error against its status and CCBill's code."""
    assert (answer.status_code, answer.json()["errorCode"]) == (status, code), answer.text


@pytest.fixture(scope="session")
def ccbill_process() -> Iterator[str]:
    """The address of one simulator for the whole run."""
    with running_simulator() as url:
        yield url


@pytest.fixture
def ccbill(ccbill_process: str) -> Iterator[CcbillSimulator]:
    """A simulator that remembers nothing."""
    simulator = CcbillSimulator(ccbill_process)
    simulator.reset()
    yield simulator
    simulator.http.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A webhook endpoint; tell the simulator of it with `ccbill.notify(receiver.url)`."""
    with listening() as receiver:
        yield receiver
