"""Stripe's amounts, answers, errors and events in our words."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
import stripe
from hypothesis import given
from hypothesis import strategies as st

from tallystick.kernel.errors import BadInput, Conflict, NotFound, Unavailable
from tallystick.money.amount import Money
from tallystick.money.currency import currencies
from tallystick.payments.declines import DECLINES, GENERIC, words
from tallystick.payments.facts import BadSignature
from tallystick.payments.gateways.stripe import codes, events, listing, outcomes, signature
from tallystick.payments.gateways.stripe.amounts import (
    AMOUNT_MAX,
    AMOUNT_MIN,
    EXPONENTS,
    NotChargeable,
    from_stripe,
    refusal,
    to_stripe,
)
from tallystick.payments.gateways.stripe.wire import BalanceTransaction, LastError, PaymentIntent
from tallystick.payments.outcomes import Declined, NeedsAction, Outcome, Pending, Succeeded, Unknown

MICRO = "payment_method_microdeposit"
amounts = st.builds(Money, st.integers(0, 10**9), st.sampled_from(sorted(currencies())))


@given(amounts)
def test_what_stripe_is_told_is_read_back_to_the_same_amount(amount: Money) -> None:
    try:
        units = to_stripe(amount)
    except NotChargeable:
        assert refusal(amount) in DECLINES
        return
    assert from_stripe(units, amount.currency.lower()) == amount


@given(st.integers(0, 10**9), st.sampled_from(sorted(EXPONENTS)))
def test_special_currencies_follow_stripes_rules(units: int, code: str) -> None:
    """Three-decimal ones end in 0; ISK and UGX in 00; zero-decimal ones are whole as they are."""
    step = {0: 1, 2: 100, 3: 10}[EXPONENTS[code]]
    try:
        money = from_stripe(units, code)
    except NotChargeable:
        assert units % step
        return
    if units % step:
        # Read as it stands, yet never asked for.
        assert refusal(money) == "amount_not_chargeable"
        return
    assert to_stripe(money) == units
    whole = Decimal(units) / 10 ** EXPONENTS[code]
    assert money.to_decimal() == whole


@pytest.mark.parametrize(
    ("amount", "units"),
    [
        (Money(1099, "USD"), 1099),
        (Money(500, "JPY"), 500),
        (Money(1230, "KWD"), 1230),
        (Money(100, "MGA"), 1),
        (Money(100, "ISK"), 10000),
        (Money(100, "UGX"), 10000),
        (Money(350, "HUF"), 350),
    ],
)
def test_amounts_are_in_stripes_own_minor_units(amount: Money, units: int) -> None:
    assert to_stripe(amount) == units
    assert from_stripe(units, amount.currency) == amount


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        (Money(49, "USD"), "amount_too_small"),
        (Money(50, "USD"), None),
        (Money(29, "GBP"), "amount_too_small"),
        (Money(AMOUNT_MAX, "USD"), None),
        (Money(AMOUNT_MAX + 1, "USD"), "amount_too_large"),
        (Money(0, "SEK"), "amount_too_small"),
        (Money(0, "ALL"), "amount_too_small"),
        (Money(1235, "KWD"), "amount_not_chargeable"),
        (Money(150, "MGA"), "amount_not_chargeable"),
        (Money(1000, "IQD"), "currency_not_supported"),
        (Money(10000, "CLF"), "currency_not_supported"),
    ],
)
def test_what_stripe_would_refuse_is_known_before_the_call(amount: Money, code: str | None) -> None:
    assert refusal(amount) == code


def test_a_part_of_a_yen_is_not_read_as_money() -> None:
    with pytest.raises(ValueError, match="not_chargeable"):
        from_stripe(15, "isk")
    with pytest.raises(ValueError, match="ZZZ"):
        from_stripe(1, "zzz")


def test_the_tables_speak_of_currencies_that_exist() -> None:
    assert {*EXPONENTS, *AMOUNT_MIN} <= {*currencies()}


def intent(status: str, **fields: object) -> PaymentIntent:
    known = {"id": "pi_1", "status": status, "currency": "usd", "amount": 500}
    return msgspec.convert({**known, **fields}, PaymentIntent)


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        (intent("succeeded", amount_received=500), Succeeded("pi_1", Money(500, "USD"))),
        (intent("succeeded", amount_received=300), Succeeded("pi_1", Money(300, "USD"))),
        (
            intent("succeeded", amount_received=1, currency="zzz"),
            Unknown("unreadable_answer", "pi_1"),
        ),
        (intent("processing"), Pending("pi_1")),
        (intent("requires_action"), NeedsAction("pi_1")),
        (intent("canceled"), Declined("cancelled", reference="pi_1")),
        (intent("requires_confirmation"), Unknown("unexpected_status", "pi_1")),
        (intent("requires_payment_method"), Unknown("unexpected_status", "pi_1")),
        (intent("a_status_of_next_year"), Unknown("unexpected_status", "pi_1")),
        (
            intent("requires_payment_method", last_payment_error={"code": "expired_card"}),
            Declined("expired_card", hard=True, reference="pi_1"),
        ),
        (
            intent(
                "requires_payment_method", last_payment_error={"code": "authentication_required"}
            ),
            NeedsAction("pi_1"),
        ),
    ],
)
def test_only_a_succeeded_intent_is_money(told: PaymentIntent, outcome: Outcome) -> None:
    assert outcomes.outcome_of_intent(told) == outcome


@pytest.mark.parametrize(
    ("error", "code", "hard"),
    [
        (LastError("card_declined", "insufficient_funds"), "insufficient_funds", False),
        (LastError("card_declined", "generic_decline"), GENERIC, False),
        (LastError("card_declined", "lost_card"), GENERIC, True),
        (LastError("card_declined", "stolen_card"), GENERIC, True),
        (LastError("card_declined", "fraudulent"), GENERIC, True),
        (LastError("card_declined", "do_not_honor", "do_not_try_again"), GENERIC, True),
        (LastError("processing_error", None, "do_not_try_again"), "processing_error", True),
        (LastError("card_declined", "insufficient_funds", "do_not_try_again"),
         "insufficient_funds", True),
        (LastError("card_declined", "insufficient_funds", "try_again_later"),
         "insufficient_funds", False),
        (LastError("account_closed"), "bank_account_closed", True),
        (LastError("no_account"), "bank_account_closed", True),
        (LastError("debit_not_authorized"), "bank_debit_not_authorized", True),
        (LastError("bank_account_restricted"), "bank_account_restricted", True),
        (LastError("insufficient_funds"), "insufficient_funds", False),
        (LastError("expired_card"), "expired_card", True),
        (LastError("incorrect_cvc"), "incorrect_cvc", False),
        (LastError("processing_error"), "processing_error", False),
        (LastError("a_code_of_next_year", "another"), GENERIC, False),
        (LastError(), GENERIC, False),
    ],
)  # fmt: skip
def test_declines_are_told_apart_without_telling_a_thief(
    error: LastError,
    code: str,
    hard: bool,  # noqa: FBT001 - a parameter of pytest
) -> None:
    assert outcomes.declined(error, "pi_1") == Declined(code, hard=hard, reference="pi_1")


def test_every_code_we_may_answer_with_has_words() -> None:
    assert set(codes.CODES.values()) <= set(DECLINES)
    assert len({words(code) for code in DECLINES}) == len(DECLINES)
    assert words("unheard") == words(GENERIC) == DECLINES[GENERIC]


def failure(
    kind: Callable[..., stripe.StripeError], status: int | None, **said: object
) -> stripe.StripeError:
    """Make an error of the SDK; some kinds name a parameter, and one a code too."""
    named: dict[object, tuple[str, ...]] = {
        stripe.InvalidRequestError: ("a_param",),
        stripe.CardError: ("a_param", "a_code"),
    }
    body = {"error": said} if said else None
    return kind("Stripe's own text", *named.get(kind, ()), http_status=status, json_body=body)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (failure(stripe.APIConnectionError, None), Unknown("no_answer")),
        (failure(stripe.APIError, 500), Unknown("gateway_failed")),
        (failure(stripe.APIError, 200), Unknown("gateway_failed")),
        (failure(stripe.APIError, 409, code="idempotency_key_in_use"), Unknown("gateway_busy")),
        (failure(stripe.RateLimitError, 429), Unknown("gateway_busy")),
        (failure(stripe.AuthenticationError, 401), Unknown("gateway_unconfigured")),
        (failure(stripe.PermissionError, 403), Unknown("gateway_unconfigured")),
        (failure(stripe.CardError, 402, code="expired_card"),
         Declined("expired_card", hard=True)),
        (failure(stripe.InvalidRequestError, 400, code="amount_too_small"),
         Declined("amount_too_small")),
        (failure(stripe.InvalidRequestError, 404, code="resource_missing"),
         Declined("payment_method_missing", hard=True)),
        (failure(stripe.InvalidRequestError, 400, code="parameter_unknown"),
         Declined("payment_request_invalid", hard=True)),
        (failure(stripe.InvalidRequestError, 400, code=7),
         Declined("payment_request_invalid", hard=True)),
        (failure(stripe.IdempotencyError, 400), Unknown("idempotency_conflict")),
    ],
)  # fmt: skip
def test_without_a_clear_answer_nothing_is_known_of_the_money(
    error: stripe.StripeError, outcome: Outcome
) -> None:
    assert outcomes.outcome_of_error(error) == outcome


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (failure(stripe.APIError, 503), Unavailable, "gateway_unavailable"),
        (failure(stripe.APIConnectionError, None), Unavailable, "gateway_unavailable"),
        (failure(stripe.AuthenticationError, 401, type="invalid_request_error"),
         Unavailable, "gateway_unavailable"),
        (failure(stripe.InvalidRequestError, 404, code="resource_missing"),
         NotFound, "gateway_object_missing"),
        (failure(stripe.InvalidRequestError, 400, type="invalid_request_error"),
         Unavailable, "gateway_request_invalid"),
        *[
            (failure(stripe.InvalidRequestError, 400, type="invalid_request_error", code=said),
             kind, code)
            for said, kind, code in [
                (f"{MICRO}_verification_amounts_mismatch", BadInput, "validation_failed"),
                (f"{MICRO}_verification_amounts_invalid", BadInput, "validation_failed"),
                (f"{MICRO}_verification_descriptor_code_mismatch", BadInput, "validation_failed"),
                (f"{MICRO}_verification_attempts_exceeded", Conflict,
                 "microdeposit_tries_used_up"),
                (f"{MICRO}_verification_timeout", Conflict, "microdeposit_time_over"),
                (f"{MICRO}_failed", Conflict, "microdeposits_not_accepted"),
                ("setup_intent_unexpected_state", Conflict, "setup_needs_no_proof"),
            ]
        ],
    ],
)  # fmt: skip
def test_where_no_money_is_asked_for_a_failure_is_an_error_of_ours_without_stripes_text(
    error: stripe.StripeError, kind: type[Exception], code: str
) -> None:
    ours = outcomes.ours(error)
    assert (type(ours), ours.code) == (kind, code)
    assert "Stripe's own text" not in ours.detail


@pytest.mark.parametrize(
    ("category", "kind", "source", "references"),
    [
        ("charge", "charge", {"id": "ch_1", "payment_intent": "pi_1"}, ("ch_1", "pi_1")),
        ("refund", "refund", {"id": "re_1", "charge": "ch_1", "payment_intent": {"id": "pi_1"}},
         ("re_1", "pi_1", "ch_1")),
        ("charge_failure", "refund", "ch_1", ("ch_1",)),
        ("dispute", "dispute", {"id": "du_1", "charge": "ch_1"}, ("du_1", "ch_1")),
        ("dispute_reversal", "dispute", "du_1", ("du_1",)),
        ("payout", "payout", "po_1", ("po_1",)),
        ("fee", "fee", None, ()),
        ("a_category_of_next_year", "adjustment", None, ()),
    ],
)  # fmt: skip
def test_a_movement_of_the_balance_names_all_by_which_it_is_found(
    category: str, kind: str, source: object, references: tuple[str, ...]
) -> None:
    told = {"id": "txn_1", "amount": -900, "fee": 0, "net": -900, "currency": "usd",
            "created": 1767225600, "type": "x", "reporting_category": category,
            "source": source}  # fmt: skip
    moved = listing.transaction(msgspec.convert(told, BalanceTransaction))
    assert (moved.kind, moved.references) == (kind, references)
    assert (moved.amount, moved.fee) == (Money(-900, "USD"), Money(0, "USD"))
    assert moved.created_at == datetime(2026, 1, 1, tzinfo=UTC)


def test_a_receipt_keeps_every_byte_but_client_secrets() -> None:
    body = b'{"id":"evt_1","type":"t", "x": {"client_secret" : "a\\"b_secret_c", "d": 1}, "n":1.10}'
    kept = events.receipt(body).body
    assert kept == body.replace(b'"a\\"b_secret_c"', b"null")
    said = b'{"id":"evt_1","type":"t","text":"\\"client_secret\\": \\"stays\\""}'
    assert events.receipt(said).body == said


@given(st.binary(max_size=200), st.integers(-300, 300))
def test_our_check_takes_what_stripes_sdk_signs(body: bytes, late: int) -> None:
    now = datetime.now(UTC)
    stamp = int(now.timestamp()) - late
    own = signature.sign(str(stamp), body, "whsec_1")
    if abs(now.timestamp() - stamp) <= signature.TOLERANCE_S:
        signature.check(f"t={stamp},v1={own}", body, ["whsec_0", "whsec_1"], now)


@given(st.text(max_size=80))
def test_no_header_gets_past_by_its_form(header: str) -> None:
    with pytest.raises(BadSignature):
        signature.check(header, b"{}", ["whsec_1"], datetime.now(UTC))
    stamp = int(time.time())
    with pytest.raises(BadSignature):
        signature.check(f"t={stamp},v1={header}", b"{}", ["whsec_1"], datetime.now(UTC))
