"""US bank accounts at Stripe: saved and proved, debited over days, and what comes back late."""

from typing import TYPE_CHECKING, Any

import pytest

from tallystick.kernel.errors import BadInput, Conflict, NotFound, TallystickError
from tallystick.payments.facts import ChargeReturned
from tallystick.payments.gateways.stripe.events import read_event
from tallystick.payments.model import AttemptOutcome, PaymentStatus
from tallystick.payments.requests import Microdeposits, SetupState

if TYPE_CHECKING:
    from uuid import UUID

    from tests.service.payments.conftest import World

Json = dict[str, Any]
BANK = "us_bank_account"
TYPED = {
    "payment_method_data[type]": BANK,
    "payment_method_data[us_bank_account][routing_number]": "110000000",
    "payment_method_data[us_bank_account][account_holder_type]": "individual",
    "payment_method_data[billing_details][name]": "Ada",
}


async def typed_in(world: "World", account_id: "UUID", number: str = "000123456789") -> str:
    """Type a bank account's numbers in on the page; return the setup intent that waits."""
    begun = await world.setup.start_card_setup(account_id, method_type=BANK)
    form = {**TYPED, "payment_method_data[us_bank_account][account_number]": number}
    path = f"/v1/setup_intents/{begun.reference}/confirm"
    answer = await world.page(path, client_secret=begun.client_secret, **form)
    assert answer["status"] == "requires_action"
    return begun.reference


async def save_account(world: "World", account_id: "UUID", kind: str = "success") -> None:
    """Save an account that its bank knows, as a page does."""
    begun = await world.setup.start_card_setup(account_id, method_type=BANK)
    await world.page(
        f"/v1/setup_intents/{begun.reference}/confirm",
        client_secret=begun.client_secret,
        payment_method=f"pm_usBankAccount_{kind}",
    )
    await world.endpoint.wait("setup_intent.succeeded")
    await world.endpoint.wait("payment_method.attached")
    await world.settle_down()


async def act(world: "World", name: str, **facts: object) -> None:
    answer = await world.http.post(f"/_sim/ach/{name}", json=facts)
    answer.raise_for_status()


async def debited(world: "World", kind: str = "success") -> "tuple[UUID, UUID]":
    """An account whose open invoice is being debited, and the invoice."""
    account = await world.account()
    await save_account(world, account, kind)
    invoice = await world.invoice(account)
    await world.settle_down()
    return account, invoice


async def test_a_typed_in_account_is_saved_once_its_deposits_are_told(world: "World") -> None:
    account = await world.account()
    reference = await typed_in(world, account)
    assert await world.methods(account) == ()
    for wrong, field, code in [
        (Microdeposits(amounts=(1, 2)), "amounts", "amounts_differ"),
        (Microdeposits(descriptor_code="SM99ZZ"), "descriptor_code", "descriptor_code_differs"),
        (Microdeposits(amounts=(0, 100)), "amounts", "amounts_invalid"),
    ]:
        with pytest.raises(BadInput) as refused:
            await world.setup.verify_setup(account, reference, wrong)
        assert [(one.field, one.code) for one in refused.value.errors] == [(field, code)]
    for _ in range(2):  # again: the answer may have been lost
        proof = Microdeposits(amounts=(32, 45))
        proved = await world.setup.verify_setup(account, reference, proof)
        assert proved.state is SetupState.SUCCEEDED
    await world.endpoint.wait("payment_method.attached")
    await world.settle_down()
    (method,) = await world.methods(account)
    assert (method.type, method.token, method.is_default) == (BANK, proved.method_token, True)
    assert method.bank is not None
    assert (method.bank.name, method.bank.last4) == ("STRIPE TEST BANK", "6789")


@pytest.mark.parametrize(
    ("proof", "code"),
    [
        (Microdeposits(amounts=(10, 11)), "microdeposit_tries_used_up"),
        (Microdeposits(descriptor_code="SM33CC"), "microdeposit_tries_used_up"),
        (Microdeposits(amounts=(40, 41)), "microdeposit_time_over"),
        (Microdeposits(descriptor_code="SM44DD"), "microdeposit_time_over"),
    ],
)
async def test_an_account_that_can_not_be_proved_any_more_is_told_so_each_time(
    world: "World", proof: Microdeposits, code: str
) -> None:
    account = await world.account()
    reference = await typed_in(world, account)
    for again in (proof, Microdeposits(amounts=(32, 45))):
        with pytest.raises(Conflict) as refused:
            await world.setup.verify_setup(account, reference, again)
        assert refused.value.code == code
    assert await world.methods(account) == ()


async def test_nobody_proves_the_account_of_another(world: "World") -> None:
    reference = await typed_in(world, await world.account())
    other = await world.account()
    for named in (reference, "seti_0"):
        with pytest.raises(NotFound) as refused:
            await world.setup.verify_setup(other, named, Microdeposits(amounts=(32, 45)))
        assert refused.value.code == "setup_intent_not_found"


async def test_a_card_does_not_wait_for_deposits(world: "World") -> None:
    account = await world.account()
    begun = await world.setup.start_card_setup(account)
    proof = Microdeposits(amounts=(32, 45))
    result = await world.setup.verify_setup(account, begun.reference, proof)
    assert result.state is SetupState.FAILED
    secret = begun.client_secret
    await world.page(
        f"/v1/setup_intents/{begun.reference}/confirm",
        client_secret=secret,
        payment_method="pm_card_authenticationRequired",
    )
    with pytest.raises(TallystickError) as refused:
        await world.setup.verify_setup(account, begun.reference, proof)
    assert refused.value.code == "setup_needs_no_proof"


async def test_a_debit_is_money_only_once_the_bank_has_paid(world: "World") -> None:
    account, invoice = await debited(world)
    payment = await world.payment(account)
    assert payment.status is PaymentStatus.PROCESSING
    assert (await world.attempt(payment)).outcome is AttemptOutcome.PENDING
    assert (await world.balances(account), await world.settled_entries(account)) == ((4900, 0), 0)
    await act(world, "settle")
    await world.endpoint.wait("payment_intent.succeeded")
    await world.settle_down()
    assert (await world.payment(account)).status is PaymentStatus.SUCCEEDED
    assert (await world.get_invoice(account, invoice)).status == "paid"
    assert (await world.balances(account), await world.settled_entries(account)) == ((0, 4900), 1)


async def test_a_webhook_over_less_is_held_against_the_gateway_and_the_whole_debit_is_booked(
    world: "World",
) -> None:
    account, _ = await debited(world)
    (intent,) = await world.look("payment_intents")
    wrong = {**intent, "status": "succeeded", "amount_received": 100}
    forged = {"type": "payment_intent.succeeded", "object": wrong}
    (await world.http.post("/_sim/webhooks/forge", json=forged)).raise_for_status()
    await world.endpoint.wait("payment_intent.succeeded")
    await world.settle_down()
    row = (await world.inbox_rows())[-1]
    assert (row["status"], row["error"]) == ("parked", "amount_differs")
    assert (await world.balances(account), await world.settled_entries(account)) == ((4900, 0), 0)
    await act(world, "settle")
    await world.endpoint.wait("payment_intent.succeeded", 2)
    await world.settle_down()
    assert (await world.balances(account), await world.settled_entries(account)) == ((0, 4900), 1)


@pytest.mark.parametrize(
    ("token", "code", "hard"),
    [
        ("accountClosed", "bank_account_closed", True),
        ("noAccount", "bank_account_closed", True),
        ("insufficientFunds", "insufficient_funds", False),
        ("debitNotAuthorized", "bank_debit_not_authorized", True),
    ],
)
async def test_a_debit_that_the_bank_refuses_books_nothing(
    world: "World",
    token: str,
    code: str,
    hard: bool,  # noqa: FBT001 - a parameter of pytest
) -> None:
    account, invoice = await debited(world, token)
    await act(world, "settle")
    await world.endpoint.wait("payment_intent.payment_failed")
    if token == "debitNotAuthorized":
        await world.endpoint.wait("mandate.updated")
    await world.settle_down()
    payment = await world.payment(account)
    assert (payment.status, payment.failure_code) == (PaymentStatus.FAILED, code)
    assert (await world.attempt(payment)).hard is hard
    assert (await world.get_invoice(account, invoice)).status == "open"
    assert await world.settled_entries(account) == 0
    # Who took the permission back has no such method any more.
    assert len(await world.methods(account)) == (0 if token == "debitNotAuthorized" else 1)


async def test_a_debit_in_another_currency_is_never_asked_for(world: "World") -> None:
    account = await world.account()
    await save_account(world, account)
    invoice = await world.invoice(account, currency="EUR")
    await world.settle_down()
    payment = await world.payment(account)
    assert payment.failure_code == "currency_not_supported"
    # A person is told before anything is written.
    with pytest.raises(BadInput) as refused:
        await world.collector.pay_invoice(account, invoice, request_key="mine")
    assert [one.code for one in refused.value.errors] == ["currency_not_supported"]
    assert len(await world.payments(account)) == 1
    assert await world.look("payment_intents") == []


@pytest.mark.parametrize("shape", ["dispute", "failure"])
async def test_a_late_return_is_told_with_the_charge_that_it_takes_back(
    world: "World", shape: str
) -> None:
    account, _ = await debited(world)
    await act(world, "settle")
    await world.endpoint.wait("payment_intent.succeeded")
    await world.settle_down()
    payment = await world.payment(account)
    await act(
        world,
        "return",
        payment_intent=payment.reference,
        shape=shape,
        failure_code="insufficient_funds",
    )
    kind = "charge.dispute.closed" if shape == "dispute" else "charge.failed"
    await world.endpoint.wait(kind)
    fact = read_event(world.endpoint.of(kind)[0][0], livemode=False).fact
    assert isinstance(fact, ChargeReturned)
    assert (fact.charge_reference, fact.amount) == (payment.reference, payment.amount)
    assert fact.code == "insufficient_funds"
