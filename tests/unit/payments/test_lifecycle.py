"""The two machines, walked."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.money.amount import Money
from tallystick.payments import lifecycle
from tallystick.payments.lifecycle import (
    ATTEMPT_TRANSITIONS,
    LIVE_ATTEMPTS,
    LIVE_PAYMENTS,
    PAYMENT_TRANSITIONS,
    PaymentEvent,
    move_attempt,
    move_payment,
)
from tallystick.payments.model import AttemptOutcome, PaymentStatus
from tallystick.payments.outcomes import Declined, NeedsAction, Outcome, Pending, Succeeded, Unknown

NOW = datetime(2026, 11, 1, tzinfo=UTC)
MONEY = Succeeded("pi", Money(1, "USD"))
OUTCOMES: dict[AttemptOutcome, Outcome] = {
    AttemptOutcome.SUCCEEDED: MONEY,
    AttemptOutcome.DECLINED: Declined("card_declined"),
    AttemptOutcome.NEEDS_ACTION: NeedsAction("pi"),
    AttemptOutcome.PENDING: Pending("pi"),
    AttemptOutcome.UNKNOWN: Unknown("no_answer"),
}
news = st.lists(st.sampled_from(list(OUTCOMES)), max_size=12)


def walk(heard: list[AttemptOutcome]) -> Iterator[AttemptOutcome]:
    state = AttemptOutcome.CREATED
    for outcome in heard:
        state = move_attempt(state, outcome) or state
        yield state


@pytest.mark.parametrize(("status", "event"), list(product(PaymentStatus, PaymentEvent)))
def test_every_pair_moves_as_the_table_says_or_not_at_all(
    status: PaymentStatus, event: PaymentEvent
) -> None:
    assert move_payment(status, event) is PAYMENT_TRANSITIONS.get((status, event))


@pytest.mark.parametrize(("was", "heard"), list(product(AttemptOutcome, AttemptOutcome)))
def test_every_attempt_moves_as_the_table_says_or_not_at_all(
    was: AttemptOutcome, heard: AttemptOutcome
) -> None:
    assert move_attempt(was, heard) is ATTEMPT_TRANSITIONS.get((was, heard))


def test_money_is_taken_from_every_state_in_which_it_was_not_taken_yet() -> None:
    before = {status for status, event in PAYMENT_TRANSITIONS if event is PaymentEvent.SUCCEED}
    assert before == LIVE_PAYMENTS - {PaymentStatus.PENDING} | {
        PaymentStatus.FAILED,
        PaymentStatus.CANCELLED,
    }
    assert {was for was, heard in ATTEMPT_TRANSITIONS if heard is AttemptOutcome.SUCCEEDED} == set(
        AttemptOutcome
    ) - {AttemptOutcome.SUCCEEDED}


def test_a_payment_is_decided_once() -> None:
    """No event leads back from where money was received, and none to where it is not told of."""
    assert not [pair for pair in PAYMENT_TRANSITIONS if pair[0] is PaymentStatus.SUCCEEDED]
    assert set(PAYMENT_TRANSITIONS.values()) == {
        PaymentStatus.PROCESSING,
        PaymentStatus.SUCCEEDED,
        PaymentStatus.FAILED,
        PaymentStatus.CANCELLED,
    }


@given(news)
def test_with_money_among_the_news_every_order_ends_in_success(heard: list[AttemptOutcome]) -> None:
    states = list(walk([*heard, AttemptOutcome.SUCCEEDED, *reversed(heard)]))
    assert states[-1] is AttemptOutcome.SUCCEEDED


@given(news)
def test_success_is_never_left_and_a_decline_only_for_success(heard: list[AttemptOutcome]) -> None:
    states = list(walk(heard))
    for was, then in pairwise(states):
        if was is AttemptOutcome.SUCCEEDED:
            assert then is AttemptOutcome.SUCCEEDED
        if was is AttemptOutcome.DECLINED:
            assert then in {AttemptOutcome.DECLINED, AttemptOutcome.SUCCEEDED}


@given(news)
def test_hearing_everything_twice_changes_nothing(heard: list[AttemptOutcome]) -> None:
    doubled = [outcome for outcome in heard for _ in range(2)]
    assert list(walk(heard))[-1:] == list(walk(doubled))[-1:]


@pytest.mark.parametrize("name", OUTCOMES)
def test_every_outcome_of_a_gateway_has_its_name(name: AttemptOutcome) -> None:
    assert lifecycle.outcome_name(OUTCOMES[name]) is name


def test_only_money_and_refusals_move_the_payment() -> None:
    moved = {name: lifecycle.payment_event(outcome) for name, outcome in OUTCOMES.items()}
    assert {name for name, event in moved.items() if event} == {
        AttemptOutcome.SUCCEEDED,
        AttemptOutcome.DECLINED,
    }
    assert lifecycle.payment_event(Declined("cancelled")) is PaymentEvent.CANCEL


@given(st.sampled_from(AttemptOutcome), st.integers(0, 1000))
def test_what_is_open_is_looked_at_again_within_a_day(name: AttemptOutcome, count: int) -> None:
    at = lifecycle.next_look(name, count, NOW)
    if name in LIVE_ATTEMPTS:
        assert at is not None
        assert NOW + timedelta(seconds=2) <= at <= NOW + timedelta(days=1)
    else:
        assert at is None
