"""Idempotency keys: the first answer again, and nothing twice."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import stripe

from tallystick.simulators.stripe.server import running

Json = dict[str, Any]
Look = Callable[[str], list[Json]]
CHARGE = {
    "amount": "1500",
    "currency": "usd",
    "allowed_payment_method_types[]": "card",
    "payment_method": "pm_card_visa",
    "confirm": "true",
}


def post(base_url: str, key: str, path: str = "/v1/payment_intents", **form: str) -> httpx.Response:
    return httpx.post(
        base_url + path,
        auth=("sk_test_1", ""),
        headers={"idempotency-key": key},
        data=form or CHARGE,
    )


def test_the_same_request_gives_the_first_answer_and_one_charge(base_url: str, look: Look) -> None:
    first, again = post(base_url, "pay:1:1"), post(base_url, "pay:1:1")
    assert again.json() == first.json()
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["original-request"] == first.headers["request-id"]
    assert again.headers["idempotency-key"] == "pay:1:1"
    assert len(look("charges")) == 1
    assert [seen["replayed"] for seen in look("requests")] == [True, False]


def test_the_order_of_parameters_does_not_matter(base_url: str, look: Look) -> None:
    post(base_url, "k")
    turned = post(base_url, "k", **dict(reversed(CHARGE.items())))
    assert turned.status_code == 200
    assert len(look("charges")) == 1


def test_another_amount_under_the_same_key_is_refused(
    client: stripe.StripeClient, base_url: str, look: Look
) -> None:
    post(base_url, "k")
    with pytest.raises(stripe.IdempotencyError) as refused:
        client.v1.payment_intents.create(
            {"amount": 1600, "currency": "usd"}, {"idempotency_key": "k"}
        )
    assert refused.value.http_status == 400
    assert "same parameters" in str(refused.value)
    assert len(look("payment_intents")) == 1


def test_another_path_under_the_same_key_is_refused(base_url: str) -> None:
    post(base_url, "k")
    refused = post(base_url, "k", "/v1/customers", name="Ada")
    assert refused.json()["error"]["type"] == "idempotency_error"
    assert "same endpoint" in refused.json()["error"]["message"]


def test_a_decline_is_kept_too(base_url: str, look: Look) -> None:
    form = {**CHARGE, "payment_method": "pm_card_chargeDeclined"}
    first, again = post(base_url, "k", **form), post(base_url, "k", **form)
    assert (first.status_code, again.status_code) == (402, 402)
    assert again.json() == first.json()
    assert len(look("charges")) == 1


@pytest.mark.parametrize("wrong", [{"colour": "red"}, {"amount": "1"}, {"customer": "cus_none"}])
def test_a_refused_request_may_be_put_right_under_its_key(
    base_url: str, look: Look, wrong: dict[str, str]
) -> None:
    assert post(base_url, "k", **{**CHARGE, **wrong}).status_code == 400
    assert post(base_url, "k").status_code == 200
    assert len(look("charges")) == 1


def test_a_key_that_is_still_in_use_is_409_and_charges_once(
    base_url: str, arm: Callable[..., None], look: Look
) -> None:
    arm("delay", delay_ms=400, path="/v1/payment_intents")
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: post(base_url, "k"), range(2)))
    assert sorted(answer.status_code for answer in both) == [200, 409]
    refused = next(answer for answer in both if answer.status_code == 409)
    assert refused.json()["error"]["code"] == "idempotency_key_in_use"
    assert post(base_url, "k").headers["idempotent-replayed"] == "true"
    assert len(look("charges")) == 1


def test_a_key_is_new_again_after_a_day() -> None:
    now = [1_800_000_000]
    with running(clock=lambda: now[0]) as base_url:
        first = post(base_url, "k").json()["id"]
        now[0] += 24 * 3600 - 1
        assert post(base_url, "k").json()["id"] == first
        now[0] += 1
        assert post(base_url, "k").json()["id"] != first


def test_a_get_takes_no_notice_of_a_key(base_url: str) -> None:
    for _ in range(2):
        answer = httpx.get(
            f"{base_url}/v1/customers", auth=("sk_test_1", ""), headers={"idempotency-key": "k"}
        )
        assert "idempotent-replayed" not in answer.headers


def test_a_key_of_256_characters_is_too_long(base_url: str) -> None:
    assert post(base_url, "k" * 255).status_code == 200
    assert post(base_url, "k" * 256).status_code == 400
