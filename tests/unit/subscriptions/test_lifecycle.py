from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product
from uuid import UUID

import pytest
from msgspec.structs import replace

from tallystick.accounts.model import Account
from tallystick.catalog.model import PlanVersion
from tallystick.kernel.errors import Conflict
from tallystick.pricing.model import FlatPrice
from tallystick.subscriptions.bills import Plans, next_step
from tallystick.subscriptions.changes import cancel_at_period_end, cancel_now, change_terms
from tallystick.subscriptions.lifecycle import TRANSITIONS, begin, next_status
from tallystick.subscriptions.model import Event, Status, Subscription

START = datetime(2026, 1, 31, 9, tzinfo=UTC)
PLAN = PlanVersion(
    plan_version_id=UUID(int=2),
    plan_id=UUID(int=3),
    plan_code="pro",
    plan_name="Pro",
    version=1,
    currency="EUR",
    interval="month",
    interval_count=1,
    prices=(FlatPrice(currency="EUR", code="fee", amount=Decimal(49)),),
    limits={},
    created_at=START,
)
ACCOUNT = Account(
    account_id=UUID(int=1),
    name="Ada",
    email="ada@example.com",
    currency="EUR",
    timezone="Europe/Paris",
    country="FR",
    locale="fr-FR",
    created_at=START,
)
ID = UUID(int=4)


def after_billing(due: Subscription, plan: PlanVersion) -> Subscription:
    step = next_step(due, Plans(plan))
    assert step is not None
    return step.after


def day(month: int, number: int, hour: int = 0) -> datetime:
    return datetime(2026, month, number, hour, tzinfo=UTC)


ALLOWED = """
            pending  incomplete trialing active   past_due paused canceled
start       active   -          -        -        -        -      -
start_trial trialing -          -        -        -        -      -
complete    -        active     -        -        -        -      -
expire      -        canceled   -        -        -        -      -
end_trial   -        -          active   -        -        -      -
renew       -        -          trialing active   past_due paused canceled
change      -        -          trialing active   past_due -      -
fall_behind -        -          -        past_due -        -      -
catch_up    -        -          -        -        active   -      -
pause       -        -          -        paused   paused   -      -
resume      -        -          -        -        -        active -
cancel_later -       -          trialing active   past_due -      -
cancel_now  canceled canceled   canceled canceled canceled canceled -
keep        -        -          trialing active   past_due -      -
reactivate  -        -          -        -        -        -      active
end         -        -          canceled canceled canceled -      canceled
"""


def allowed() -> dict[tuple[Status, Event], Status]:
    head, *rows = [line.split() for line in ALLOWED.strip().splitlines()]
    return {
        (Status(status), Event(event)): Status(after)
        for event, *cells in rows
        for status, after in zip(head, cells, strict=True)
        if after != "-"
    }


@pytest.mark.parametrize(("status", "event"), list(product(Status, Event)))
def test_every_status_takes_an_event_or_refuses_it(status: Status, event: Event) -> None:
    expected = allowed().get((status, event))
    assert TRANSITIONS.get((status, event)) == expected
    if expected is None:
        with pytest.raises(Conflict) as caught:
            next_status(status, event)
        assert caught.value.detail.endswith(".")
    else:
        assert next_status(status, event) is expected


def test_the_first_period_runs_from_the_start_to_a_local_midnight_and_is_billed_then() -> None:
    new = begin(ACCOUNT, PLAN, ID, START)
    assert (new.period_start, new.period_end) == (START, day(2, 27, 23))  # midnight in Paris
    assert new.next_bill_at == new.period_end
    assert (new.status, new.period_index, new.ends_at) == (Status.ACTIVE, 0, None)


def test_periods_follow_each_other_and_a_31st_never_drifts() -> None:
    at = begin(ACCOUNT, PLAN, ID, START)
    edges = [at.period_start]
    for _ in range(4):
        after = after_billing(at, PLAN)
        assert after.period_start == at.period_end
        edges.append(after.period_start)
        at = after
    assert edges[1:] == [day(2, 27, 23), day(3, 30, 22), day(4, 29, 22), day(5, 30, 22)]
    assert at.next_bill_at == at.period_end == day(6, 29, 22)


def test_billing_clears_the_reason_for_which_it_was_parked() -> None:
    parked = replace(
        begin(ACCOUNT, PLAN, ID, START), bill_error="x", bill_try_count=3, bill_retry_at=START
    )
    billed = after_billing(parked, PLAN)
    assert (billed.bill_error, billed.bill_try_count, billed.bill_retry_at) == (None, 0, None)


def test_canceling_now_cuts_the_period_and_bills_it_at_once() -> None:
    at = day(2, 10, 12)
    ended = cancel_now(begin(ACCOUNT, PLAN, ID, START), PLAN, at)
    assert (ended.status, ended.period_end, ended.next_bill_at) == (Status.CANCELED, at, at)
    final = after_billing(ended, PLAN)
    assert (final.status, final.next_bill_at) == (Status.CANCELED, None)


def test_canceling_now_leaves_missed_periods_to_be_billed_first() -> None:
    at = day(3, 10)
    ended = cancel_now(begin(ACCOUNT, PLAN, ID, START), PLAN, at)
    assert ended.next_bill_at == ended.period_end == day(2, 27, 23)
    last = after_billing(ended, PLAN)
    assert (last.period_start, last.period_end, last.next_bill_at) == (day(2, 27, 23), at, at)
    assert after_billing(last, PLAN).next_bill_at is None


def test_canceling_at_the_start_of_a_period_bills_nothing_of_it() -> None:
    running = after_billing(begin(ACCOUNT, PLAN, ID, START), PLAN)
    ended = cancel_now(running, PLAN, running.period_start)
    step = next_step(ended, Plans(PLAN))
    assert step is not None
    assert (step.dues, step.after.next_bill_at) == ((), None)


def test_canceling_later_bills_the_period_whole_and_then_ends() -> None:
    kept = cancel_at_period_end(begin(ACCOUNT, PLAN, ID, START), PLAN, day(2, 10))
    assert (kept.status, kept.cancel_at_period_end) == (Status.ACTIVE, True)
    assert kept.next_bill_at == kept.ends_at == day(2, 27, 23)
    ended = after_billing(kept, PLAN)
    assert (ended.status, ended.next_bill_at) == (Status.CANCELED, None)


def test_canceling_later_means_the_period_of_that_instant_even_if_billing_is_behind() -> None:
    kept = cancel_at_period_end(begin(ACCOUNT, PLAN, ID, START), PLAN, day(3, 10))
    assert kept.ends_at == day(3, 30, 22)
    second = after_billing(kept, PLAN)
    assert (second.status, second.period_end) == (Status.ACTIVE, day(3, 30, 22))
    assert after_billing(second, PLAN).status is Status.CANCELED


def test_what_is_canceled_can_not_be_canceled_again() -> None:
    ended = cancel_now(begin(ACCOUNT, PLAN, ID, START), PLAN, day(2, 10))
    with pytest.raises(Conflict) as caught:
        cancel_now(ended, PLAN, day(2, 11))
    assert caught.value.code == "subscription_not_active"
    with pytest.raises(Conflict):
        cancel_at_period_end(ended, PLAN, day(2, 11))


def test_a_day_that_a_zone_left_out_is_no_period() -> None:
    # Samoa went from 29 to 31 December 2011.
    samoa = replace(ACCOUNT, timezone="Pacific/Apia")
    daily = replace(PLAN, interval="day")
    begun = begin(samoa, daily, ID, datetime(2011, 12, 29, 12, tzinfo=UTC))
    following = after_billing(begun, daily)
    assert following.period_start == begun.period_end
    assert following.period_end - following.period_start == timedelta(days=1)
    assert following.period_index == 2


def test_a_plan_in_another_currency_than_the_accounts_is_refused() -> None:
    with pytest.raises(Conflict) as caught:
        begin(replace(ACCOUNT, currency="USD"), PLAN, ID, START)
    assert caught.value.code == "plan_not_in_currency"


def test_what_begins_free_can_change_to_plans_with_a_price_in_its_accounts_currency_alone() -> None:
    free = replace(PLAN, prices=())
    begun = begin(replace(ACCOUNT, currency="USD"), free, ID, START)
    assert begun.currency == "USD"
    with pytest.raises(Conflict) as caught:
        change_terms(begun, free, PLAN, quantity=1, when="now", now=START)
    assert caught.value.code == "plan_not_in_currency"
    assert "sold in EUR" in str(caught.value)
    dollars = replace(PLAN, currency="USD", plan_version_id=UUID(int=99))
    changed = change_terms(begun, free, dollars, quantity=1, when="now", now=START)
    assert changed.next_plan_version_id == dollars.plan_version_id


def test_a_subscription_knows_its_period() -> None:
    new: Subscription = begin(ACCOUNT, PLAN, ID, START)
    assert new.period.contains(START)
    assert not new.period.contains(new.period_end)
