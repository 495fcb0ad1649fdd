"""US bank accounts: saving them with microdeposits or at once, and debits that end days later."""

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


@pytest.fixture
def save_account(client: stripe.StripeClient, customer: stripe.Customer) -> Callable[[str], str]:
    """Save a test account that its bank knows; gives the payment method's id."""

    def save_account(token: str) -> str:
        intent = client.v1.setup_intents.create(
            {
                **ONLINE,
                "customer": customer.id,
                "allowed_payment_method_types": ["us_bank_account"],
                "payment_method": f"pm_usBankAccount_{token}",
                "confirm": True,
            }
        )
        assert intent.status == "succeeded"
        return str(intent.payment_method)

    return save_account


@pytest.fixture
def debit(
    client: stripe.StripeClient, customer: stripe.Customer, save_account: Callable[[str], str]
) -> Callable[[str], stripe.PaymentIntent]:
    """Debit a saved test account of 15.00, off session."""

    def debit(token: str) -> stripe.PaymentIntent:
        intent = client.v1.payment_intents.create(
            {
                "amount": 1500,
                "currency": "usd",
                "customer": customer.id,
                "allowed_payment_method_types": ["us_bank_account"],
                "payment_method": save_account(token),
                "confirm": True,
                "off_session": True,
            }
        )
        assert intent.status == "processing"
        return intent

    return debit


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


def test_a_debit_succeeds_some_business_days_later(
    client: stripe.StripeClient, debit: Callable[[str], stripe.PaymentIntent], act: Act
) -> None:
    intent = debit("success")
    charge = client.v1.charges.retrieve(str(intent.latest_charge))
    assert (charge.status, charge.paid, charge.balance_transaction) == ("pending", False, None)
    act("clock", advance_seconds=3 * DAY)
    assert client.v1.payment_intents.retrieve(intent.id).status == "processing"
    act("clock", advance_seconds=4 * DAY)
    done = client.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]})
    assert (done.status, done.amount_received) == ("succeeded", 1500)
    assert isinstance(done.latest_charge, stripe.Charge)
    details = done.latest_charge.payment_method_details
    assert details is not None
    assert details.us_bank_account is not None
    assert details.us_bank_account.mandate is not None
    assert types(client, "payment_intent", "charge") == [
        "payment_intent.created",
        "charge.pending",
        "payment_intent.processing",
        "charge.succeeded",
        "payment_intent.succeeded",
    ]


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("accountClosed", "account_closed"),
        ("noAccount", "no_account"),
        ("insufficientFunds", "insufficient_funds"),
        ("debitNotAuthorized", "debit_not_authorized"),
    ],
)
def test_a_debit_fails_as_its_account_says(
    *,
    client: stripe.StripeClient,
    debit: Callable[[str], stripe.PaymentIntent],
    act: Act,
    token: str,
    code: str,
) -> None:
    intent = debit(token)
    act("ach/settle", payment_intent=intent.id)
    failed = client.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]})
    assert failed.status == "requires_payment_method"
    assert failed.last_payment_error is not None
    assert failed.last_payment_error.code == code
    assert isinstance(failed.latest_charge, stripe.Charge)
    assert (failed.latest_charge.status, failed.latest_charge.failure_code) == ("failed", code)
    revoked = types(client, "mandate.updated") == ["mandate.updated"]
    assert revoked == (code == "debit_not_authorized")


def test_a_debit_may_stay_processing(
    client: stripe.StripeClient, debit: Callable[[str], stripe.PaymentIntent], act: Act
) -> None:
    intent = debit("processing")
    act("clock", advance_seconds=60 * DAY)
    assert client.v1.payment_intents.retrieve(intent.id).status == "processing"
    act("ach/settle", outcome="succeeded")
    assert client.v1.payment_intents.retrieve(intent.id).status == "succeeded"


def test_a_debit_may_be_disputed_and_the_dispute_is_lost(
    client: stripe.StripeClient, debit: Callable[[str], stripe.PaymentIntent], act: Act
) -> None:
    intent = debit("dispute")
    act("clock", advance_seconds=7 * DAY)
    (dispute,) = client.v1.disputes.list({"payment_intent": intent.id}).data
    assert (dispute.status, dispute.amount) == ("lost", 1500)
    assert dispute.evidence_details.due_by is None
    assert types(client, "charge.dispute") == [
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.closed",
    ]


def test_a_late_return_is_a_dispute_or_a_failed_charge(
    client: stripe.StripeClient, debit: Callable[[str], stripe.PaymentIntent], act: Act
) -> None:
    first, second = debit("success"), debit("success")
    act("ach/settle")
    act("ach/return", payment_intent=first.id)
    assert client.v1.payment_intents.retrieve(first.id).status == "succeeded"
    assert client.v1.disputes.list().data[0].reason == "insufficient_funds"
    act("ach/return", payment_intent=second.id, shape="failure", failure_code="account_closed")
    after = client.v1.payment_intents.retrieve(
        second.id, {"expand": ["latest_charge.failure_balance_transaction"]}
    )
    assert (after.status, after.amount_received) == ("requires_payment_method", 0)
    assert isinstance(after.latest_charge, stripe.Charge)
    assert after.latest_charge.failure_code == "account_closed"
    moved = after.latest_charge.failure_balance_transaction
    assert isinstance(moved, stripe.BalanceTransaction)
    assert (moved.type, moved.amount) == ("payment_failure_refund", -1500)


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


def test_a_debit_needs_a_mandate_dollars_and_an_allowed_type(client: stripe.StripeClient) -> None:
    def pay(currency: str = "usd", kind: Any = "us_bank_account") -> None:
        client.v1.payment_intents.create(
            {
                "amount": 1500,
                "currency": currency,
                "allowed_payment_method_types": [kind],
                "payment_method": "pm_usBankAccount_success",
                "confirm": True,
            }
        )

    with pytest.raises(stripe.InvalidRequestError, match="mandate") as refused:
        pay()
    assert refused.value.code == "payment_intent_mandate_invalid"
    with pytest.raises(stripe.InvalidRequestError, match="usd"):
        pay(currency="eur")
    with pytest.raises(stripe.InvalidRequestError, match="not allowed"):
        pay(kind="card")


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
