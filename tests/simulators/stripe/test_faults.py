"""Faults on demand, as the SDK and its retries meet them."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
import stripe

Json = dict[str, Any]
Arm = Callable[..., None]
Look = Callable[[str], list[Json]]
PATH = "/v1/payment_intents"


def pay(base_url: str, retries: int, key: str = "pay:1:1") -> stripe.PaymentIntent:
    client = stripe.StripeClient(
        "sk_test_1", base_addresses={"api": base_url}, max_network_retries=retries
    )
    return client.v1.payment_intents.create(
        {
            "amount": 1500,
            "currency": "usd",
            "allowed_payment_method_types": ["card"],
            "payment_method": "pm_card_visa",
            "confirm": True,
        },
        {"idempotency_key": key},
    )


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stripe.HTTPClient, "INITIAL_DELAY", 0.01)


def test_a_connection_cut_before_leaves_nothing(base_url: str, arm: Arm, look: Look) -> None:
    arm("drop_before", method="POST", path=PATH)
    with pytest.raises(stripe.APIConnectionError):
        pay(base_url, retries=0)
    assert look("charges") == []
    assert look("requests")[0]["status"] is None
    assert pay(base_url, retries=0).status == "succeeded"


def test_a_lost_reply_is_found_again_by_its_key(base_url: str, arm: Arm, look: Look) -> None:
    arm("drop_reply", path=PATH)
    with pytest.raises(stripe.APIConnectionError):
        pay(base_url, retries=0)
    assert len(look("charges")) == 1
    assert pay(base_url, retries=0).id == look("payment_intents")[0]["id"]
    assert len(look("charges")) == 1


@pytest.mark.parametrize("action", ["drop_before", "drop_reply", "status"])
def test_the_sdks_retries_heal_two_faults_with_one_charge(
    base_url: str, arm: Arm, look: Look, action: str
) -> None:
    arm(action, path=PATH, times=2)
    assert pay(base_url, retries=2).status == "succeeded"
    assert len(look("charges")) == 1
    seen = [one for one in look("requests") if one["path"] == PATH]
    assert len(seen) == 3
    assert {one["idempotency_key"] for one in seen} == {"pay:1:1"}


def test_an_error_after_the_charge_is_kept_under_the_key(
    base_url: str, arm: Arm, look: Look
) -> None:
    arm("status_after", path=PATH)
    for _ in range(2):
        with pytest.raises(stripe.APIError):
            pay(base_url, retries=1)
    assert [intent["status"] for intent in look("payment_intents")] == ["succeeded"]


def test_an_error_after_the_charge_may_heal_with_the_key(
    base_url: str, arm: Arm, look: Look
) -> None:
    arm("status_after", path=PATH, keep_answer=False)
    with pytest.raises(stripe.APIError):
        pay(base_url, retries=0)
    assert pay(base_url, retries=0).status == "succeeded"
    assert len(look("charges")) == 1


def test_too_many_requests_are_not_retried_by_the_sdk(base_url: str, arm: Arm, look: Look) -> None:
    arm("status", status=429, path=PATH)
    with pytest.raises(stripe.RateLimitError):
        pay(base_url, retries=2)
    assert look("charges") == []


def test_a_fault_meets_its_path_and_method_alone(base_url: str, arm: Arm, look: Look) -> None:
    arm("status", method="GET", path=PATH)
    arm("status", path="*/capture", times=None)
    assert pay(base_url, retries=0).status == "succeeded"
    for _ in range(3):
        answer = httpx.post(f"{base_url}{PATH}/pi_1/capture", auth=("sk_test_1", ""))
        assert answer.status_code == 500
    listed = httpx.get(f"{base_url}/_sim/faults").json()
    assert listed["count"] == 2
    httpx.delete(f"{base_url}/_sim/faults")
    assert httpx.get(f"{base_url}/_sim/faults").json()["count"] == 0
    assert look("requests")[0]["fault"] == "status"


def test_a_fault_may_let_the_first_ones_pass(base_url: str, arm: Arm) -> None:
    arm("status", path="/v1/customers", skip=2)
    codes = [
        httpx.get(f"{base_url}/v1/customers", auth=("sk_test_1", "")).status_code for _ in range(4)
    ]
    assert codes == [200, 200, 500, 200]


@pytest.mark.parametrize(
    "wish",
    [
        {"action": "explode"},
        {"action": "status", "status": 200},
        {"action": "delay", "delay_ms": -1},
        {"action": "delay", "colour": "red"},
        {"action": "delay", "times": 0},
        {},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(base_url: str, wish: Json) -> None:
    answer = httpx.post(f"{base_url}/_sim/faults", json=wish)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_control_routes_take_json_alone(base_url: str) -> None:
    """A page of another origin can send forms and plain text unasked, but no JSON."""
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        answer = httpx.post(f"{base_url}/_sim/reset", content=b"{}", headers={"content-type": kind})
        assert answer.status_code == 415
    assert httpx.get(f"{base_url}/_sim/nothing").status_code == 404
    assert httpx.post(f"{base_url}/_sim/nothing", json={}).status_code == 404


def test_a_reset_forgets_everything(base_url: str, look: Look, arm: Arm) -> None:
    pay(base_url, retries=0)
    arm("status", path=PATH)
    httpx.post(f"{base_url}/_sim/reset", json={})
    assert look("charges") == []
    assert look("requests") == []
    assert pay(base_url, retries=0).status == "succeeded"
