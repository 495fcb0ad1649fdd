"""Who may call: secret and publishable test keys, and what each answer's headers say."""

import httpx
import pytest
import stripe

from tallystick.simulators.stripe.call import API_VERSION


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer"},
        {"authorization": "Bearer sk_live_1234567890abcdef"},
        {"authorization": "Bearer tsk_1"},
        {"authorization": "Basic !!"},
        {"authorization": "Digest sk_test_1"},
    ],
)
def test_without_a_test_key_nothing_is_answered(base_url: str, headers: dict[str, str]) -> None:
    answer = httpx.get(f"{base_url}/v1/customers", headers=headers)
    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert "1234567890" not in answer.text


def test_the_sdk_raises_an_authentication_error(base_url: str) -> None:
    client = stripe.StripeClient("sk_live_x", base_addresses={"api": base_url})
    with pytest.raises(stripe.AuthenticationError):
        client.v1.customers.list()


def test_a_key_comes_as_bearer_or_as_a_user_name(base_url: str) -> None:
    assert httpx.get(f"{base_url}/v1/customers", auth=("sk_test_1", "")).status_code == 200
    bearer = {"authorization": "Bearer rk_test_1"}
    assert httpx.get(f"{base_url}/v1/customers", headers=bearer).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/customers"), ("POST", "/v1/payment_intents"), ("GET", "/v1/events")],
)
def test_a_publishable_key_does_only_what_a_page_may(base_url: str, method: str, path: str) -> None:
    answer = httpx.request(method, base_url + path, headers={"authorization": "Bearer pk_test_1"})
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "secret_key_required"
    assert "access-control-allow-origin" not in answer.headers


def test_answers_carry_a_request_id_and_the_version(base_url: str) -> None:
    answer = httpx.get(f"{base_url}/v1/customers", auth=("sk_test_1", ""))
    assert answer.headers["request-id"].startswith("req_")
    assert answer.headers["stripe-version"] == API_VERSION
    refused = httpx.get(f"{base_url}/v1/customers/cus_1", auth=("sk_test_1", ""))
    assert refused.headers["request-id"] in refused.json()["error"]["request_log_url"]


def test_another_api_version_is_refused(base_url: str) -> None:
    answer = httpx.get(
        f"{base_url}/v1/customers",
        auth=("sk_test_1", ""),
        headers={"stripe-version": "2024-06-20"},
    )
    assert answer.status_code == 400
    assert API_VERSION in answer.json()["error"]["message"]


def test_the_sdk_speaks_the_version_of_the_simulator() -> None:
    assert stripe.api_version == API_VERSION


def test_a_page_may_ask_before_it_calls(base_url: str) -> None:
    for path, allowed in (
        ("/v1/setup_intents/seti_1/confirm", True),
        ("/v1/payment_methods", True),
        ("/_page/authenticate", True),
        ("/v1/customers", False),
        ("/_sim/faults", False),
    ):
        answer = httpx.options(base_url + path, headers={"origin": "http://shop.example"})
        assert ("access-control-allow-origin" in answer.headers) is allowed, path


def test_a_body_without_end_is_refused(base_url: str) -> None:
    answer = httpx.post(
        f"{base_url}/v1/customers", auth=("sk_test_1", ""), content=b"a" * (1024 * 1024 + 1)
    )
    assert answer.status_code == 413
