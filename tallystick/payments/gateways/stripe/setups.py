"""Saving a method at Stripe: setup intents for cards and US bank accounts, and microdeposits.

https://docs.stripe.com/payments/ach-direct-debit/set-up-payment
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from tallystick.kernel.errors import NotFound
from tallystick.payments.gateways.stripe import proofs, wire
from tallystick.payments.gateways.stripe.charges import BANK
from tallystick.payments.gateways.stripe.client import StripeCalls
from tallystick.payments.gateways.stripe.outcomes import code_of
from tallystick.payments.gateways.stripe.readers import describe
from tallystick.payments.gateways.stripe.wire import id_of
from tallystick.payments.requests import (
    Bank,
    Microdeposits,
    SetupResult,
    SetupState,
    WaitingSetup,
)

if TYPE_CHECKING:
    import stripe

STATES: Final[Mapping[str, SetupState]] = {
    "succeeded": SetupState.SUCCEEDED,
    "processing": SetupState.PROCESSING,
    "requires_action": SetupState.NEEDS_ACTION,
    "requires_confirmation": SetupState.NEEDS_ACTION,
    "requires_payment_method": SetupState.FAILED,
    "canceled": SetupState.FAILED,
}

DEPOSITS: Final = "verify_with_microdeposits"
PROOFS: Final[Mapping[str, str]] = {"amounts": "amounts", "descriptor_code": "descriptor_code"}
"""Kinds of deposits that are known; another one that Stripe may name is not told on."""
LISTED: Final = 100


async def start(calls: StripeCalls, customer: str, key: str, method_type: str) -> wire.SetupIntent:
    """Make a setup intent for charges without the payer."""
    params: stripe.params.SetupIntentCreateParams = {
        "customer": customer,
        "usage": "off_session",
        "allowed_payment_method_types": [method_type],
    }
    if method_type == BANK:
        # Signed in at the bank where it can be, else two small deposits that take a day or two.
        params["payment_method_options"] = {"us_bank_account": {"verification_method": "automatic"}}
    return await calls.fetch(
        lambda client: client.v1.setup_intents.create_async(params, {"idempotency_key": key}),
        wire.SetupIntent,
    )


async def verify(
    calls: StripeCalls, customer: str, reference: str, proof: Microdeposits, key: str
) -> SetupResult:
    """Tell Stripe what arrived; a proof that was right before is so again.

    Raises NotFound for another customer's setup intent, and what `proofs` has for Stripe's
    codes.
    """
    intent = await _of_customer(calls, customer, reference)
    error = intent.last_setup_error
    ended = proofs.refused(error.code) if error else None
    if intent.status == "requires_payment_method" and ended is not None:
        raise ended
    if intent.status == "requires_action":
        intent = await calls.fetch(
            lambda client: client.v1.setup_intents.verify_microdeposits_async(
                reference, _told(proof), {"idempotency_key": key}
            ),
            wire.SetupIntent,
        )
    return result(intent)


async def waiting(calls: StripeCalls, customer: str) -> tuple[WaitingSetup, ...]:
    """List the bank accounts of a customer that wait for deposits; its newest hundred intents.

    Stripe ends what is not proved within ten days, so older ones do not wait.
    """
    try:
        page = await calls.fetch(
            lambda client: client.v1.setup_intents.list_async(
                {
                    "customer": customer,
                    "limit": LISTED,
                    "expand": ["data.payment_method"],
                }
            ),
            wire.Page[wire.SetupIntent],
        )
    except NotFound:  # the customer was deleted there
        return ()
    return tuple(found for intent in page.data if (found := _waiting(intent)) is not None)


def _waiting(intent: wire.SetupIntent) -> WaitingSetup | None:
    step = intent.next_action
    if intent.status != "requires_action" or step is None or step.type != DEPOSITS:
        return None
    sent = step.verify_with_microdeposits or wire.Deposits()
    arrives = datetime.fromtimestamp(sent.arrival_date, UTC) if sent.arrival_date else None
    return WaitingSetup(intent.id, _bank(intent), arrives, PROOFS.get(sent.microdeposit_type or ""))


def _bank(intent: wire.SetupIntent) -> Bank | None:
    """Return what may be shown of the account; None where Stripe named the method alone."""
    if not isinstance(intent.payment_method, dict):
        return None
    return describe(msgspec.convert(intent.payment_method, wire.PaymentMethod)).bank


def result(intent: wire.SetupIntent) -> SetupResult:
    """Return how the saving of a method stands."""
    state = STATES.get(intent.status, SetupState.PROCESSING)
    error = intent.last_setup_error
    code = code_of(error.code) if error and state is SetupState.FAILED else None
    return SetupResult(state, id_of(intent.payment_method), code)


async def _of_customer(calls: StripeCalls, customer: str, reference: str) -> wire.SetupIntent:
    """Return a setup intent; another customer's looks as one that does not exist."""
    missing = NotFound("setup_intent_not_found", "There is no such setup intent.")
    try:
        intent = await calls.fetch(
            lambda client: client.v1.setup_intents.retrieve_async(reference), wire.SetupIntent
        )
    except NotFound as error:
        raise missing from error
    if id_of(intent.customer) != customer:
        raise missing
    return intent


def _told(proof: Microdeposits) -> "stripe.params.SetupIntentVerifyMicrodepositsParams":
    if proof.amounts is not None:
        return {"amounts": list(proof.amounts)}
    return {"descriptor_code": proof.descriptor_code or ""}
