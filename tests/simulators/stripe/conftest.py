"""A running simulator, the official SDK in front of it, and a check of every answer's shape."""

import functools
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types

from tallystick.simulators.stripe.app import Options
from tallystick.simulators.stripe.server import running

Json = dict[str, Any]
SECRET = "whsec_test"
SUBSET = json.loads((Path(__file__).parent / "openapi_subset.json").read_text("utf-8"))


def strict(schema: Any) -> Any:
    """Return a JSON schema of an OpenAPI one: nullable spelled out, no members but the named."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    turned = {name: strict(value) for name, value in schema.items() if name != "nullable"}
    if turned.get("properties") and "additionalProperties" not in turned:
        turned["additionalProperties"] = False
    if turned.get("x-open-enum"):
        turned.pop("enum", None)
    return {"anyOf": [turned, {"type": "null"}]} if schema.get("nullable") is True else turned


# A member may itself be called "nullable" or the like: none is in the subset, so that
# rewriting every nest alike is right.
SCHEMAS = {"components": {"schemas": strict(SUBSET["components"]["schemas"])}}


def check_shape(answer: Any) -> None:
    """Hold an answer, and all objects in it, against Stripe's own schemas."""
    if isinstance(answer, dict):
        for value in answer.values():
            check_shape(value)
        name = schema_name(answer)
        if name:
            found = validator(name).iter_errors(answer)
            problems = [f"{problem.json_path}: {problem.message}" for problem in found]
            assert not problems, f"{name}: {problems}"
    elif isinstance(answer, list):
        for item in answer:
            check_shape(item)


@functools.cache
def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({**SCHEMAS, "$ref": f"#/components/schemas/{name}"})


def schema_name(answer: Json) -> str | None:
    if "error" in answer and isinstance(answer["error"], dict):
        return "error_response"
    name: str | None = SUBSET["x-resources"].get(str(answer.get("object")))
    if name and answer.get("deleted"):
        gone = f"Deleted{name}"
        return gone if gone in SUBSET["components"]["schemas"] else None
    return name


class CheckedHttp(stripe.RequestsClient):
    """The SDK's HTTP client, which looks at every answer."""

    def request(  # type: ignore[override]  # as the SDK's own client differs from its base
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
    ) -> tuple[bytes, int, Mapping[str, str]]:
        body, status, replied = super().request(method, url, headers, post_data)
        check_shape(json.loads(body))
        return body, status, replied


def client_for(base_url: str, key: str = "sk_test_1", retries: int = 0) -> stripe.StripeClient:
    return stripe.StripeClient(
        key,
        base_addresses={
            "api": base_url,
            "meter_events": base_url,
            "files": base_url,
            "connect": base_url,
        },
        http_client=CheckedHttp(),
        max_network_retries=retries,
    )


class Receiver:
    """A webhook endpoint: it keeps what comes, and answers the statuses it was given."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.headers: list[str] = []
        self.statuses: list[int] = []
        self._news = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                status = receiver.take(body, self.headers["stripe-signature"])
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"

    def take(self, body: bytes, signature: str) -> int:
        with self._news:
            self.bodies.append(body)
            self.headers.append(signature)
            self._news.notify_all()
            return self.statuses.pop(0) if self.statuses else 200

    def events(self) -> list[stripe.Event]:
        """All events so far, each verified by the SDK."""
        pairs = list(zip(self.bodies, self.headers, strict=True))
        return [stripe.Webhook.construct_event(body, header, SECRET) for body, header in pairs]

    def types(self) -> list[str]:
        return [event.type for event in self.events()]

    def wait(self, wanted: Callable[["Receiver"], bool]) -> None:
        """Wait until what came is as wanted; fail after ten seconds."""
        with self._news:
            assert self._news.wait_for(lambda: wanted(self), timeout=10), self.types()


@pytest.fixture(scope="session")
def shared_simulator() -> Iterator[str]:
    with running() as base_url:
        yield base_url


@pytest.fixture
def base_url(shared_simulator: str) -> str:
    """The address of a simulator that remembers nothing."""
    httpx.post(f"{shared_simulator}/_sim/reset", json={}).raise_for_status()
    return shared_simulator


@pytest.fixture
def client(base_url: str) -> stripe.StripeClient:
    return client_for(base_url)


@pytest.fixture
def arm(base_url: str) -> Callable[..., None]:
    """Arm a fault: `arm("drop_reply", path="/v1/payment_intents")`."""

    def arm(action: str, **facts: Any) -> None:
        httpx.post(f"{base_url}/_sim/faults", json={"action": action, **facts}).raise_for_status()

    return arm


@pytest.fixture
def act(base_url: str) -> Callable[..., Json]:
    """Use a control route: `act("clock", advance_seconds=60)`."""

    def act(name: str, **wish: Any) -> Json:
        answer = httpx.post(f"{base_url}/_sim/{name}", json=wish)
        answer.raise_for_status()
        done: Json = answer.json()
        return done

    return act


@pytest.fixture
def look(base_url: str) -> Callable[[str], list[Json]]:
    """Look inside: `look("charges")` gives all of them, newest first."""

    def look(name: str) -> list[Json]:
        found: list[Json] = httpx.get(f"{base_url}/_sim/{name}").json()["data"]
        return found

    return look


@pytest.fixture
def page_call(base_url: str) -> Callable[..., httpx.Response]:
    """Send what a page would: a form with a publishable key."""

    def page_call(method: str, path: str, **form: str) -> httpx.Response:
        key = {"authorization": "Bearer pk_test_1", "origin": "http://shop.example"}
        sent = {"params": form} if method == "GET" else {"data": form}
        return httpx.request(method, base_url + path, headers=key, **sent)  # type: ignore[arg-type]  # by keyword

    return page_call


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()


@pytest.fixture
def hooked(receiver: Receiver) -> Iterator[str]:
    """A simulator of its own that tells `receiver` everything."""
    options = Options(webhook_url=receiver.url, webhook_secret=SECRET, retry_gaps=(0.02, 0.04))
    with running(options) as base_url:
        yield base_url


@pytest.fixture
def connect() -> Callable[[str], stripe.StripeClient]:
    """Make a client for a simulator's address."""
    return client_for


@pytest.fixture(name="check_shape")
def shape_check() -> Callable[[Any], None]:
    """Hold an object against Stripe's own schemas."""
    return check_shape


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], None]:
    """Wait until something is so; fail after ten seconds."""

    def eventually(is_so: Callable[[], bool]) -> None:
        end = time.monotonic() + 10
        while not is_so():
            assert time.monotonic() < end
            time.sleep(0.01)

    return eventually


@pytest.fixture
def customer(client: stripe.StripeClient) -> stripe.Customer:
    return client.v1.customers.create({"email": "ada@example.com"})


@pytest.fixture
def save_card(client: stripe.StripeClient, customer: stripe.Customer) -> Callable[[str], str]:
    """Save a test card to the customer through a setup intent; gives the payment method's id."""

    def save_card(token: str) -> str:
        intent = client.v1.setup_intents.create(
            {
                "customer": customer.id,
                "usage": "off_session",
                "allowed_payment_method_types": ["card"],
                "payment_method": token,
                "confirm": True,
            }
        )
        if intent.status == "requires_action":
            intent = complete(client, intent)
        assert intent.status == "succeeded"
        assert isinstance(intent.payment_method, str)
        return intent.payment_method

    return save_card


def complete(client: stripe.StripeClient, intent: stripe.SetupIntent) -> stripe.SetupIntent:
    """Be the payer who passes the bank's check."""
    base = str(client._requestor.base_addresses["api"])
    form = {"client_secret": intent.client_secret, "outcome": "complete", "key": "pk_test_1"}
    httpx.post(f"{base}/_page/authenticate", data=form).raise_for_status()
    return client.v1.setup_intents.retrieve(intent.id)
