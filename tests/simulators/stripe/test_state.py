"""The memory: whole requests or nothing, and a file that survives restarts and kills."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import stripe

from tallystick.kernel.errors import SetupError
from tallystick.simulators.state_store import StateFile
from tallystick.simulators.stripe.app import App, Options
from tallystick.simulators.stripe.ids import Ids
from tallystick.simulators.stripe.server import running
from tallystick.simulators.stripe.state import State

Receiver = Any
Connect = Callable[[str], stripe.StripeClient]
IDS = Ids(random.Random(1))  # noqa: S311 ids of a test


def test_a_failed_change_leaves_everything_as_it_was(tmp_path: Path) -> None:
    state = State(lambda: 1, IDS, StateFile(tmp_path / "s"))
    with state.change():
        state.put("pot", "a", {"n": 1})
        state.put("pot", "b", {"n": 1})

    def fail() -> None:
        with state.change():
            state.put("pot", "a", {"n": 2})
            state.put("pot", "c", {"n": 2})
            state.drop("pot", "b")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert state.get("pot", "a") == {"n": 1}
    assert state.get("pot", "b") == {"n": 1}
    assert state.get("pot", "c") is None
    state.close()
    again = State(lambda: 1, IDS, StateFile(tmp_path / "s"))
    assert sorted(thing["n"] for thing in again.newest_first("pot")) == [1, 1]


def test_the_order_of_making_survives_a_restart(tmp_path: Path) -> None:
    state = State(lambda: 1, IDS, StateFile(tmp_path / "s"))
    for key in "cab":
        with state.change():
            state.put("pot", key, {"key": key, "n": 1})
    with state.change():
        state.put("pot", "c", {"key": "c", "n": 2})
    state.close()
    again = State(lambda: 1, IDS, StateFile(tmp_path / "s"))
    assert [thing["key"] for thing in again.newest_first("pot")] == ["b", "a", "c"]


def test_customers_cards_and_keys_survive_a_restart(tmp_path: Path, connect: Connect) -> None:
    options = Options(state_path=tmp_path / "stripe.sqlite")
    with running(options) as base_url:
        client = connect(base_url)
        customer = client.v1.customers.create({"name": "Ada", "payment_method": "pm_card_visa"})
        method = client.v1.customers.payment_methods.list(customer.id).data[0].id
        paid = charge(client, customer.id, method)
    with running(options) as base_url:
        client = connect(base_url)
        assert client.v1.customers.retrieve(customer.id).name == "Ada"
        assert charge(client, customer.id, method).id == paid.id
        assert len(client.v1.charges.list().data) == 1
        httpx.post(f"{base_url}/_sim/reset", json={})
    with running(options) as base_url:
        assert connect(base_url).v1.customers.list().data == []


def charge(client: stripe.StripeClient, customer: str, method: str) -> stripe.PaymentIntent:
    return client.v1.payment_intents.create(
        {
            "amount": 1500,
            "currency": "usd",
            "customer": customer,
            "payment_method": method,
            "confirm": True,
            "off_session": True,
            "allowed_payment_method_types": ["card"],
        },
        {"idempotency_key": "pay:1:1"},
    )


def test_an_undelivered_webhook_is_sent_after_a_restart(
    tmp_path: Path, connect: Connect, receiver: Receiver
) -> None:
    path = tmp_path / "stripe.sqlite"
    dead = Options(webhook_url="http://127.0.0.1:9/", webhook_secret="whsec_test", state_path=path)
    with running(dead) as base_url:
        connect(base_url).v1.customers.create({"name": "Ada"})
    alive = Options(webhook_url=receiver.url, webhook_secret="whsec_test", state_path=path)
    with running(alive) as base_url:
        receiver.wait(lambda r: r.types() == ["customer.created"])
        assert len(connect(base_url).v1.webhook_endpoints.list().data) == 1


def test_a_file_in_use_or_of_another_kind_is_named(tmp_path: Path) -> None:
    path = tmp_path / "s"
    first = StateFile(path)
    with pytest.raises(SetupError, match="--state"):
        StateFile(path)
    first.close()
    StateFile(path).close()
    other = tmp_path / "letter.txt"
    other.write_text("Dear reader, " * 100)
    with pytest.raises(SetupError, match=r"letter\.txt"):
        StateFile(other)
    assert other.read_text().startswith("Dear reader")


def test_ids_and_times_come_from_what_was_given() -> None:
    def make() -> tuple[str, int]:
        source = random.Random(7)  # noqa: S311 ids of a test
        with running(clock=lambda: 1_800_000_000, source=source) as base_url:
            made = httpx.post(f"{base_url}/v1/customers", auth=("sk_test_1", "")).json()
        return made["id"], made["created"]

    assert make() == make()
    assert make()[1] == 1_800_000_000


def test_making_an_application_touches_nothing_outside(tmp_path: Path) -> None:
    App(Options())
    assert list(tmp_path.iterdir()) == []
