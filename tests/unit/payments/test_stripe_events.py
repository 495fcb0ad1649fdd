"""Stripe's events in our words: snapshot and thin, in today's shapes and older ones."""

from typing import Any
from uuid import uuid4

import msgspec
import pytest

from tallystick.kernel.errors import BadInput
from tallystick.money.amount import Money
from tallystick.payments.facts import (
    ChargeReported,
    ChargeReturned,
    CheckoutEnded,
    CustomerRemoved,
    DisputeReported,
    DisputeState,
    Ignored,
    MethodRemoved,
    MethodRevoked,
    MethodSaved,
    MirrorChanged,
    ObjectChanged,
    RefundReported,
)
from tallystick.payments.gateways.stripe import events
from tallystick.payments.mirrored import MirrorKind
from tallystick.payments.outcomes import Declined, NeedsAction, Pending, Succeeded
from tallystick.payments.verdicts import Handled, Parked, Skipped, together

Json = dict[str, Any]
USD_5 = Money(500, "USD")
ACCOUNT, PAYMENT, ATTEMPT, PAGE = uuid4(), uuid4(), uuid4(), uuid4()
METHOD: Json = {"id": "pm_1", "type": "card", "customer": "cus_1",
                "card": {"brand": "visa", "last4": "4242", "exp_month": 4,
                         "exp_year": 2040}}  # fmt: skip
INTENT: Json = {"id": "pi_1", "status": "succeeded", "currency": "usd", "amount": 500,
                "amount_received": 500, "customer": "cus_1",
                "metadata": {"tallystick_account": str(ACCOUNT),
                             "tallystick_payment": str(PAYMENT),
                             "tallystick_attempt": str(ATTEMPT)}}  # fmt: skip
DISPUTE: Json = {"id": "du_1", "status": "needs_response", "amount": 500, "currency": "usd",
                 "reason": "fraudulent", "payment_intent": "pi_1", "charge": "ch_1"}  # fmt: skip
CHARGE: Json = {"id": "ch_1", "status": "failed", "amount": 500, "currency": "usd",
                "payment_intent": "pi_1", "failure_code": "account_closed"}  # fmt: skip
SESSION: Json = {"id": "cs_1", "mode": "payment", "status": "complete", "payment_status": "paid",
                 "amount_total": 500, "currency": "usd", "payment_intent": "pi_1",
                 "metadata": {"tallystick_account": str(ACCOUNT),
                              "tallystick_checkout": str(PAGE),
                              "tallystick_attempt": str(ATTEMPT)}}  # fmt: skip


def event(kind: str, thing: object, **fields: object) -> bytes:
    head = {"id": "evt_1", "object": "event", "type": kind, "created": 1767225600}
    body = {**head, "livemode": False, "data": {"object": thing}, **fields}
    return msgspec.json.encode(body)


def thin(kind: str, related: object, **fields: object) -> bytes:
    head = {"id": "evt_2", "object": "v2.core.event", "type": kind, "livemode": False}
    body = {**head, "created": "2026-11-21T09:00:00.123Z", "related_object": related, **fields}
    return msgspec.json.encode(body)


def fact(body: bytes) -> object:
    return events.read_event(body, livemode=False).fact


def told(kind: str, thing: object, before: Json | None = None) -> object:
    data = {"object": thing, **({"previous_attributes": before} if before is not None else {})}
    return fact(event(kind, thing, data=data))


def test_methods_are_read_expanded_or_not() -> None:
    saved = MethodSaved("cus_1", "pm_1")
    assert told("payment_method.attached", METHOD) == saved
    assert told("payment_method.updated", {**METHOD, "customer": {"id": "cus_1"}}) == saved
    assert told("payment_method.automatically_updated", METHOD) == saved
    assert told("payment_method.card_automatically_updated", METHOD) == saved
    set_up = {"id": "seti_1", "status": "succeeded", "customer": "cus_1", "payment_method": METHOD}
    assert told("setup_intent.succeeded", set_up) == saved
    assert told("setup_intent.succeeded", {**set_up, "customer": None}) == Ignored("no_customer")


def test_a_detached_method_names_its_former_owner() -> None:
    gone = {**METHOD, "customer": None}
    removed = told("payment_method.detached", gone, {"customer": "cus_1"})
    assert isinstance(removed, MethodRemoved)
    assert (removed.customer_token, removed.method.token) == ("cus_1", "pm_1")
    assert told("payment_method.detached", gone, {"customer": None}) == Ignored("no_customer")
    # Without word of what changed, its owner is found here.
    assert told("payment_method.detached", gone) == MethodRevoked("pm_1")


def test_a_method_goes_with_its_mandate_and_with_its_customer() -> None:
    mandate = {"id": "mandate_1", "status": "inactive", "payment_method": "pm_1"}
    assert told("mandate.updated", mandate) == MethodRevoked("pm_1")
    stands = Ignored("mandate_stands")
    assert told("mandate.updated", {**mandate, "status": "active"}) == stands
    # One of a single use ends with every payment.
    assert told("mandate.updated", {**mandate, "type": "single_use"}) == stands
    assert told("customer.deleted", {"id": "cus_1", "object": "customer"}) == CustomerRemoved(
        "cus_1"
    )


def test_a_charge_is_known_by_our_ids() -> None:
    reported = ChargeReported(ACCOUNT, ATTEMPT, "cus_1", Succeeded("pi_1", USD_5))
    assert told("payment_intent.succeeded", INTENT) == reported
    for metadata in ({}, {**INTENT["metadata"], "tallystick_attempt": "5"}):
        ignored = told("payment_intent.succeeded", {**INTENT, "metadata": metadata})
        assert ignored == Ignored("not_ours")


def test_a_charge_is_read_in_the_shape_of_older_versions() -> None:
    """Before 2022-11-15 an intent brought its charges; today it names the latest."""
    old = {**INTENT, "charges": {"object": "list", "data": [{"id": "ch_1", "refunds": {}}]},
           "payment_method_types": ["card"], "source": None}  # fmt: skip
    today = {**INTENT, "latest_charge": "ch_1", "allowed_payment_method_types": ["card"]}
    assert told("payment_intent.succeeded", old) == told("payment_intent.succeeded", today)


def test_a_refusal_on_a_page_ends_nothing_for_its_payer_may_try_again() -> None:
    error = {"code": "card_declined", "decline_code": "insufficient_funds"}
    refused = {**INTENT, "status": "requires_payment_method", "last_payment_error": error}
    assert told("payment_intent.payment_failed", refused) == ChargeReported(
        ACCOUNT, ATTEMPT, "cus_1", Declined("insufficient_funds", reference="pi_1")
    )
    on_page = {**refused, "metadata": {**INTENT["metadata"], "tallystick_checkout": str(PAGE)}}
    assert told("payment_intent.payment_failed", on_page) == Ignored("page_tells")
    paid = {**on_page, "status": "succeeded"}
    assert isinstance(told("payment_intent.succeeded", paid), ChargeReported)


def test_refunds_are_told_by_themselves_or_asked_of_their_charge() -> None:
    ours = uuid4()
    refund = {"id": "re_1", "status": "succeeded", "amount": 500, "currency": "usd",
              "charge": {"id": "ch_1"}, "payment_intent": "pi_1",
              "metadata": {"tallystick_refund": str(ours)}}  # fmt: skip
    reported = RefundReported("re_1", "pi_1", USD_5, Succeeded("re_1", USD_5), ours)
    for kind in ("refund.created", "refund.updated", "refund.failed", "charge.refund.updated"):
        assert told(kind, refund) == reported
    assert told("charge.refunded", {**CHARGE, "refunds": {"data": [refund]}}) == ObjectChanged(
        "charge.refunded", "ch_1"
    )


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("warning_needs_response", DisputeState.WARNING),
        ("warning_under_review", DisputeState.WARNING),
        ("warning_closed", DisputeState.WARNING),
        ("prevented", DisputeState.WARNING),
        ("needs_response", DisputeState.OPENED),
        ("under_review", DisputeState.OPENED),
        ("charge_refunded", DisputeState.WON),
        ("won", DisputeState.WON),
        ("lost", DisputeState.LOST),
    ],
)
def test_a_dispute_stands_where_stripe_says(status: str, state: DisputeState) -> None:
    assert told("charge.dispute.updated", {**DISPUTE, "status": status}) == DisputeReported(
        "du_1", "pi_1", USD_5, state, "fraudulent"
    )


def test_a_dispute_whose_status_is_new_is_left_alone() -> None:
    assert told("charge.dispute.updated", {**DISPUTE, "status": "x"}) == Ignored("unknown_status")


def test_a_bank_debit_that_came_back_is_no_dispute_to_answer() -> None:
    returned = {**DISPUTE, "reason": "insufficient_funds"}
    wanted = ChargeReturned("du_1", "pi_1", USD_5, "insufficient_funds")
    for status in ("needs_response", "lost"):
        assert told("charge.dispute.closed", {**returned, "status": status}) == wanted
    closed = {**CHARGE, "failure_balance_transaction": "txn_1"}
    failed = ChargeReturned("ch_1", "pi_1", USD_5, "bank_account_closed")
    assert told("charge.failed", closed) == failed
    assert told("charge.failed", CHARGE, {"status": "succeeded"}) == failed
    assert told("charge.failed", CHARGE, {"status": "pending"}) == Ignored("charge_tells")


@pytest.mark.parametrize(
    ("kind", "changes", "outcome"),
    [
        ("completed", {}, Succeeded("pi_1", USD_5)),
        ("async_payment_succeeded", {}, Succeeded("pi_1", USD_5)),
        # Versions before 2021 have no status; whether it is paid decides.
        ("completed", {"status": None}, Succeeded("pi_1", USD_5)),
        ("completed", {"payment_status": "unpaid"}, Pending("pi_1")),
        ("completed", {"payment_status": "no_payment_required", "payment_intent": None},
         Pending(None)),
        ("completed", {"status": "open"}, NeedsAction("pi_1")),
        ("expired", {"status": "expired", "payment_status": "unpaid", "payment_intent": None},
         Declined("cancelled")),
        ("async_payment_failed", {"payment_status": "unpaid"},
         Declined("bank_debit_refused", reference="pi_1")),
    ],
)  # fmt: skip
def test_only_what_is_paid_on_a_page_is_money(kind: str, changes: Json, outcome: object) -> None:
    ended = told(f"checkout.session.{kind}", {**SESSION, **changes})
    assert ended == CheckoutEnded(ACCOUNT, PAGE, "cs_1", ATTEMPT, outcome)  # type: ignore[arg-type]  # one of the union


def test_a_page_of_somebody_else_is_nothing_to_us() -> None:
    for metadata in (None, {}, {"tallystick_account": "x"}):
        other = {**SESSION, "metadata": metadata}
        assert told("checkout.session.completed", other) == Ignored("not_ours")


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("setup_intent.requires_action", "nothing_saved"),
        ("setup_intent.setup_failed", "nothing_saved"),
        ("invoice.upcoming", "nothing_changed"),
        ("invoice_payment.paid", "billed_at_stripe"),
        ("customer.subscription.trial_will_end", "nothing_changed"),
        ("customer.source.created", "kept_here"),
        ("a_kind.of_next_year", "unknown_kind"),
    ],
)
def test_what_changes_nothing_is_ignored_for_a_reason(kind: str, reason: str) -> None:
    """Also with the members of older versions: an invoice had its payment intent then."""
    assert told(kind, {"id": "x_1", "payment_intent": "pi_1"}) == Ignored(reason)


@pytest.mark.parametrize(
    ("kind", "mirrored"),
    [
        ("charge.succeeded", MirrorKind.CHARGE),
        ("customer.updated", MirrorKind.CUSTOMER),
        ("invoice.created", MirrorKind.INVOICE),
        ("invoice.payment_failed", MirrorKind.INVOICE),
        ("customer.subscription.updated", MirrorKind.SUBSCRIPTION),
        ("customer.subscription.deleted", MirrorKind.SUBSCRIPTION),
    ],
)
def test_what_lives_at_stripe_is_for_the_mirror(kind: str, mirrored: MirrorKind) -> None:
    """Also with the members of older versions: an invoice had its payment intent then."""
    assert told(kind, {"id": "x_1", "payment_intent": "pi_1"}) == MirrorChanged(mirrored, "x_1")


def test_another_mode_and_another_account_are_not_ours() -> None:
    assert fact(event("payment_intent.succeeded", INTENT, livemode=True)) == Ignored("other_mode")
    other = event("payment_intent.succeeded", INTENT, account="acct_2")
    assert fact(other) == Ignored("other_account")
    about = {"id": "pi_1", "type": "payment_intent", "url": "/v1/payment_intents/pi_1"}
    kind = "v1.payment_intent.succeeded"
    assert fact(thin(kind, about, livemode=True)) == Ignored("other_mode")
    assert fact(thin(kind, about, context="acct_2")) == Ignored("other_account")


def test_a_thin_event_names_what_has_to_be_asked_for() -> None:
    about = {"id": "pi_1", "type": "payment_intent", "url": "/v1/payment_intents/pi_1"}
    read = events.read_event(thin("v1.payment_intent.succeeded", about), livemode=False)
    assert read.fact == ObjectChanged("payment_intent.succeeded", "pi_1")
    assert (read.event_id, read.created_at.isoformat()) == (
        "evt_2", "2026-11-21T09:00:00.123000+00:00",
    )  # fmt: skip
    assert fact(thin("v1.invoice.paid", about)) == MirrorChanged(MirrorKind.INVOICE, "pi_1")
    assert fact(thin("v2.core.account.updated", None)) == Ignored("unknown_kind")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff",
        b'{"id":"e","type":"t"}',
        event("refund.failed", []),
        event("charge.dispute.created", {"id": 5}),
        thin("v1.refund.failed", {"id": 5}),
        event("checkout.session.completed", {}),
    ],
)
def test_what_can_not_be_read_is_bad_input(body: bytes) -> None:
    with pytest.raises(BadInput) as refused:
        events.read_event(body, livemode=False)
    assert refused.value.code == "invalid_payload"


def test_several_facts_of_one_event_wait_while_one_of_them_does() -> None:
    done, skipped, parked = Handled(ACCOUNT), Skipped("old"), Parked("charge_unknown", "pi_1")
    assert together([skipped, done, parked]) == parked
    assert together([skipped, done]) == done
    assert together([skipped]) == skipped
    assert together([]) == Skipped("object_gone")
