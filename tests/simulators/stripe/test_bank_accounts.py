"""US bank accounts: saving them with microdeposits, or at once where their bank knows them."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
import stripe
from stripe.params import SetupIntentCreateParams

Json = dict[str, Any]
Act = Callable[..., Json]
PageCall = Callable[..., httpx.Response]
DAY = 24 * 3600
ONLINE: SetupIntentCreateParams = {
    "mandate_data": {
        "customer_acceptance": {
            "type": "online",
            "online": {"ip_address": "192.0.2.1", "user_agent": "test"},
        }
    }
}
TYPED = {
    "payment_method_data[type]": "us_bank_account",
    "payment_method_data[us_bank_account][routing_number]": "110000000",
    "payment_method_data[us_bank_account][account_holder_type]": "individual",
    "payment_method_data[billing_details][name]": "Ada",
}


@pytest.fixture
def setup(client: stripe.StripeClient, customer: stripe.Customer) -> stripe.SetupIntent:
    return client.v1.setup_intents.create(
        {
            "customer": customer.id,
            "allowed_payment_method_types": ["us_bank_account"],
            "payment_method_options": {"us_bank_account": {"verification_method": "automatic"}},
        }
    )


@pytest.fixture
def confirm(page_call: PageCall) -> Callable[..., Json]:
    """Confirm as a page does, with the numbers that a payer typed in."""

    def confirm(
        intent: stripe.SetupIntent | stripe.PaymentIntent, number: str = "000123456789"
    ) -> Json:
        form = {**TYPED, "payment_method_data[us_bank_account][account_number]": number}
        path = f"/v1/{intent.object}s/{intent.id}/confirm"
        answer = page_call("POST", path, client_secret=str(intent.client_secret), **form)
        confirmed: Json = answer.json()
        return confirmed

    return confirm


def types(client: stripe.StripeClient, *kinds: str) -> list[str]:
    """The kinds of events there were of these families, oldest first."""
    listed = client.v1.events.list({"limit": 100}).data
    return [one.type for one in reversed(listed) if one.type.startswith(kinds)]


def test_a_typed_account_waits_for_microdeposits(
    client: stripe.StripeClient, setup: stripe.SetupIntent, confirm: Callable[..., Json]
) -> None:
    assert confirm(setup)["status"] == "requires_action"
    waiting = client.v1.setup_intents.retrieve(setup.id, {"expand": ["payment_method", "mandate"]})
    assert waiting.next_action is not None
    step = waiting.next_action.verify_with_microdeposits
    assert step is not None
    assert step.microdeposit_type == "descriptor_code"
    assert 2 * DAY <= step.arrival_date - setup.created <= 4 * DAY + 5
    done = client.v1.setup_intents.verify_microdeposits(setup.id, {"descriptor_code": "SM11AA"})
    assert done.status == "succeeded"
    method = client.v1.payment_methods.retrieve(str(done.payment_method))
    assert method.us_bank_account is not None
    assert method.us_bank_account.last4 == "6789"
    assert method.customer == setup.customer
    assert client.v1.mandates.retrieve(str(done.mandate)).status == "active"
    assert types(client, "setup_intent", "payment_method") == [
        "setup_intent.created",
        "setup_intent.requires_action",
        "payment_method.attached",
        "setup_intent.succeeded",
    ]


def test_amounts_prove_the_account_too(
    client: stripe.StripeClient, setup: stripe.SetupIntent, confirm: Callable[..., Json], act: Act
) -> None:
    act("ach/microdeposits", type="amounts")
    step = confirm(setup)["next_action"]["verify_with_microdeposits"]
    assert step["microdeposit_type"] == "amounts"
    done = client.v1.setup_intents.verify_microdeposits(setup.id, {"amounts": [45, 32]})
    assert done.status == "succeeded"


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ({"amounts": [10, 11]}, "attempts_exceeded"),
        ({"amounts": [40, 41]}, "timeout"),
        ({"descriptor_code": "SM33CC"}, "attempts_exceeded"),
        ({"descriptor_code": "SM44DD"}, "timeout"),
    ],
)
def test_some_values_end_the_verification(
    *,
    client: stripe.StripeClient,
    setup: stripe.SetupIntent,
    confirm: Callable[..., Json],
    told: Any,
    code: str,
) -> None:
    confirm(setup)
    with pytest.raises(stripe.InvalidRequestError) as refused:
        client.v1.setup_intents.verify_microdeposits(setup.id, told)
    assert refused.value.code == f"payment_method_microdeposit_verification_{code}"
    failed = client.v1.setup_intents.retrieve(setup.id)
    assert failed.status == "requires_payment_method"
    assert failed.last_setup_error is not None
    assert failed.last_setup_error.code == refused.value.code
    assert types(client, "setup_intent.setup")[-1] == "setup_intent.setup_failed"


@pytest.mark.parametrize(
    ("told", "tries", "code"),
    [
        ({"amounts": [1, 2]}, 3, "amounts_mismatch"),
        ({"descriptor_code": "SM99ZZ"}, 10, "descriptor_code_mismatch"),
    ],
)
def test_wrong_tries_are_counted(
    *,
    client: stripe.StripeClient,
    setup: stripe.SetupIntent,
    confirm: Callable[..., Json],
    told: Any,
    tries: int,
    code: str,
) -> None:
    confirm(setup)
    codes = []
    for _ in range(tries):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            client.v1.setup_intents.verify_microdeposits(setup.id, told)
        codes.append(str(refused.value.code).removeprefix("payment_method_microdeposit_"))
    assert codes == [f"verification_{code}"] * (tries - 1) + ["verification_attempts_exceeded"]
    with pytest.raises(stripe.InvalidRequestError, match="not waiting"):
        client.v1.setup_intents.verify_microdeposits(setup.id, told)


def test_amounts_that_can_not_be_do_not_count(
    client: stripe.StripeClient, setup: stripe.SetupIntent, confirm: Callable[..., Json]
) -> None:
    confirm(setup)
    for amounts in ([32], [0, 45], [32, 450]):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            client.v1.setup_intents.verify_microdeposits(setup.id, {"amounts": amounts})
        assert str(refused.value.code).endswith("amounts_invalid")
    with pytest.raises(stripe.InvalidRequestError, match="either"):
        client.v1.setup_intents.verify_microdeposits(setup.id)
    done = client.v1.setup_intents.verify_microdeposits(setup.id, {"amounts": [32, 45]})
    assert done.status == "succeeded"


@pytest.mark.parametrize(
    ("number", "days", "code"),
    [
        ("000666666661", 5, "payment_method_microdeposit_failed"),
        ("000123456789", 10, "payment_method_microdeposit_verification_timeout"),
    ],
)
def test_deposits_that_fail_or_are_forgotten_end_the_intent(
    *,
    client: stripe.StripeClient,
    setup: stripe.SetupIntent,
    confirm: Callable[..., Json],
    act: Act,
    number: str,
    days: int,
    code: str,
) -> None:
    confirm(setup, number)
    act("clock", advance_seconds=days * DAY)
    failed = client.v1.setup_intents.retrieve(setup.id)
    assert failed.status == "requires_payment_method"
    assert failed.last_setup_error is not None
    assert failed.last_setup_error.code == code


def test_microdeposits_can_be_asked_for(client: stripe.StripeClient) -> None:
    def start(method: Any) -> stripe.SetupIntent:
        return client.v1.setup_intents.create(
            {
                **ONLINE,
                "allowed_payment_method_types": ["us_bank_account"],
                "payment_method": "pm_usBankAccount_success",
                "payment_method_options": {"us_bank_account": {"verification_method": method}},
                "confirm": True,
            }
        )

    assert start("instant").status == "succeeded"
    assert start("microdeposits").status == "requires_action"


def test_a_payment_with_a_new_account_waits_for_microdeposits(
    client: stripe.StripeClient, confirm: Callable[..., Json], act: Act
) -> None:
    intent = client.v1.payment_intents.create(
        {
            "amount": 1500,
            "currency": "usd",
            "allowed_payment_method_types": ["card", "us_bank_account"],
        }
    )
    assert confirm(intent)["next_action"]["type"] == "verify_with_microdeposits"
    told = client.v1.payment_intents.verify_microdeposits(intent.id, {"amounts": [32, 45]})
    assert told.status == "processing"
    act("ach/settle")
    assert client.v1.payment_intents.retrieve(intent.id).amount_received == 1500


def test_no_account_but_a_test_account_is_taken(
    setup: stripe.SetupIntent, confirm: Callable[..., Json], page_call: PageCall
) -> None:
    assert confirm(setup, "000999999999")["error"]["code"] == "account_number_invalid"
    other = {
        "type": "us_bank_account",
        "us_bank_account[account_number]": "000123456789",
        "us_bank_account[routing_number]": "021000021",
        "us_bank_account[account_holder_type]": "company",
        "billing_details[name]": "Ada",
    }
    answer = page_call("POST", "/v1/payment_methods", **other)
    assert answer.json()["error"]["code"] == "routing_number_invalid"


def test_an_unverified_account_is_attached_by_an_intent_alone(
    client: stripe.StripeClient, customer: stripe.Customer, page_call: PageCall
) -> None:
    form = {"type": "us_bank_account", "billing_details[name]": "Ada"} | {
        "us_bank_account[account_number]": "000123456789",
        "us_bank_account[routing_number]": "110000000",
        "us_bank_account[account_holder_type]": "individual",
    }
    made = page_call("POST", "/v1/payment_methods", **form).json()
    with pytest.raises(stripe.InvalidRequestError, match="must be verified"):
        client.v1.payment_methods.attach(made["id"], {"customer": customer.id})


def test_the_clock_goes_ahead_alone(act: Act, base_url: str) -> None:
    now = httpx.get(f"{base_url}/_sim/clock").json()["now"]
    assert act("clock", to=now + 100)["now"] >= now + 100
    back = httpx.post(f"{base_url}/_sim/clock", json={"to": now})
    assert back.status_code == 400
    act("reset")
    assert httpx.get(f"{base_url}/_sim/clock").json()["now"] < now + 100
