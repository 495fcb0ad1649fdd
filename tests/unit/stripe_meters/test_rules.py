"""What an hour's total means for what Stripe was told: whatever comes, the two end alike."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tallystick.catalog.model import Meter
from tallystick.stripe_meters.model import EventStatus, Formula, Reason, ToldEvent
from tallystick.stripe_meters.rules import (
    Plan,
    event_time,
    formula_of,
    is_too_old,
    look_after,
    plan,
)

HOUR = datetime(2026, 3, 15, 10, tzinfo=UTC)
NOW = HOUR + timedelta(hours=4)
S = EventStatus
AT_STRIPE = {S.SENT, S.CANCELING}


def told(
    value: object, status: EventStatus = S.SENT, *, at: datetime | None = NOW, no: int = 1
) -> ToldEvent:
    return ToldEvent(
        account_id=UUID(int=1), stripe_meter_event_id=UUID(int=no), meter_id=UUID(int=2),
        reference="mtr_1", event_name="calls", hour=HOUR, revision=no, value=Decimal(str(value)),
        at=event_time(HOUR, no), customer=None, status=status, reason=None, created_at=NOW,
        try_after=NOW, first_tried_at=at,
    )  # fmt: skip


def sums(total: object, *events: ToldEvent, now: datetime = NOW) -> Plan:
    return plan("sum", Decimal(str(total)), events, now)


def test_what_is_missing_is_added_and_nothing_else() -> None:
    assert sums(5) == Plan(add=Decimal(5))
    assert sums(5, told(5)) == Plan()
    assert sums("5.25", told(5)) == Plan(add=Decimal("0.25"))
    assert sums(0) == Plan()


@pytest.mark.parametrize("status", [S.PARKED, S.QUEUED, S.UNKNOWN, S.REFUSED, S.HELD, S.SETTLED])
def test_what_has_not_arrived_stands_for_its_part_too(status: EventStatus) -> None:
    assert sums(7, told(5, status)) == Plan(add=Decimal(2))


@pytest.mark.parametrize("status", [S.CANCELED, S.CANCELING, S.REPLACED])
def test_what_was_taken_back_stands_for_nothing(status: EventStatus) -> None:
    assert sums(5, told(5, status)) == Plan(add=Decimal(5))


def test_too_much_is_taken_back_from_the_newest_on_and_the_rest_told_anew() -> None:
    first, second = told(5), told(4, no=2)
    assert sums(7, first, second) == Plan(take_back=(second,), add=Decimal(2))
    assert sums(5, first, second) == Plan(take_back=(second,))
    assert sums(1, first, second) == Plan(take_back=(second, first), add=Decimal(1))


def test_what_was_never_sent_is_replaced_without_asking_stripe() -> None:
    first, second = told(5), told(4, S.QUEUED, at=None, no=2)
    assert sums(7, first, second) == Plan(replace=(second,), add=Decimal(2))


def test_after_a_day_too_much_is_held_for_a_person_once() -> None:
    late = NOW + timedelta(hours=23)
    old, young = told(10), told(5, at=late, no=2)
    assert sums(7, old, now=late) == Plan(hold=(Decimal(-3), Reason.TOO_MUCH))
    held = replace(told(-3, S.HELD, at=None, no=2), reason=Reason.TOO_MUCH)
    assert sums(7, old, held, now=late) == Plan()
    assert sums(6, old, held, now=late) == Plan(
        replace=(held,), hold=(Decimal(-4), Reason.TOO_MUCH)
    )
    assert sums(12, old, held, now=late) == Plan(replace=(held,), add=Decimal(2))
    assert sums(8, old, young, now=late) == Plan(
        take_back=(young,), hold=(Decimal(-2), Reason.TOO_MUCH)
    )


def test_nothing_is_taken_back_while_something_is_on_its_way() -> None:
    assert sums(3, told(5, S.UNKNOWN)).waits
    assert sums(3, told(5), told(2, S.CANCELING, no=2)).waits


def test_what_stripe_would_not_take_back_is_not_tried_for_ever() -> None:
    stuck = replace(told(5), reason="resource_missing")
    assert sums(3, stuck) == Plan(hold=(Decimal(-2), Reason.TOO_MUCH))


def test_a_last_value_is_told_again_when_it_is_another_one() -> None:
    def last(value: Decimal | None, *events: ToldEvent, now: datetime = NOW) -> Plan:
        return plan("last", value, events, now)

    assert last(Decimal(0)) == Plan(add=Decimal(0))
    assert last(Decimal(5), told(5)) == Plan()
    assert last(Decimal(3), told(5)) == Plan(add=Decimal(3))
    waiting = told(5, S.QUEUED, at=None)
    assert last(Decimal(3), waiting) == Plan(replace=(waiting,), add=Decimal(3))
    assert last(Decimal(-1)) == Plan(hold=(Decimal(-1), Reason.NEGATIVE))
    assert last(None) == Plan()
    assert last(None, told(5)) == Plan(take_back=(told(5),))
    assert last(None, told(5), now=NOW + timedelta(days=1)).hold == (
        Decimal(0),
        Reason.WITHDRAWN,
    )


@pytest.mark.parametrize(
    ("aggregation", "recurring", "formula"),
    [
        ("sum", False, "sum"),
        ("count", False, "sum"),
        ("latest", False, "last"),
        ("sum", True, None),
        ("max", False, None),
        ("unique_count", False, None),
        ("weighted_sum", False, None),
        ("average", False, None),
    ],
)
def test_only_what_hours_add_up_to_goes_to_stripe(
    aggregation: str, *, recurring: bool, formula: Formula | None
) -> None:
    meter = Meter(
        meter_id=UUID(int=2), code="m", name="m", unit="unit", event_type="m",
        aggregation=aggregation, property="n", created_at=NOW, recurring=recurring,
    )  # fmt: skip
    assert formula_of(meter) == formula


def test_times_stay_within_the_hour_and_the_days_that_stripe_takes() -> None:
    assert event_time(HOUR, 1) == HOUR
    assert event_time(HOUR, 9_000) == HOUR + timedelta(seconds=3599)
    assert not is_too_old(NOW - timedelta(days=34), NOW)
    assert is_too_old(NOW - timedelta(days=35), NOW)
    lag, late = timedelta(hours=2), timedelta(minutes=10)
    assert look_after(HOUR, HOUR, lag, late) == HOUR + timedelta(hours=3)
    assert look_after(HOUR, NOW, lag, late) == NOW + late


class Hour:
    """An hour at Stripe and here, on which plans are carried out."""

    def __init__(self) -> None:
        self.events: list[ToldEvent] = []
        self.numbers = count(1)

    def change(self, was: ToldEvent, **fields: object) -> None:
        self.events[self.events.index(was)] = replace(was, **fields)

    def follow(self, total: Decimal, now: datetime) -> Plan:
        wanted = plan("sum", total, self.events, now)
        for event in wanted.replace:
            assert event.status not in AT_STRIPE
            self.change(event, status=S.REPLACED)
        for event in wanted.take_back:
            self.change(event, status=S.CANCELING)
        if wanted.add is not None:
            self.events.append(told(wanted.add, S.QUEUED, at=None, no=next(self.numbers)))
        if wanted.hold is not None:
            value, reason = wanted.hold
            held = told(value, S.HELD, at=None, no=next(self.numbers))
            self.events.append(replace(held, reason=reason))
        return wanted

    def deliver(self, now: datetime, *, loses_answers: bool) -> None:
        for event in list(self.events):
            if event.status == S.CANCELING:
                self.change(event, status=S.CANCELED)
            elif event.status == S.QUEUED:
                lost = S.UNKNOWN if loses_answers else S.SENT
                self.change(event, status=lost, first_tried_at=now)
            elif event.status == S.UNKNOWN:
                self.change(event, status=S.SENT)

    def sum_of(self, *statuses: EventStatus) -> Decimal:
        return sum((e.value for e in self.events if e.status in statuses), Decimal(0))


STEPS = st.lists(
    st.tuples(
        st.decimals(-20, 40, places=3, allow_nan=False),
        st.integers(0, 30),
        st.booleans(),
        st.booleans(),
    ),
    max_size=12,
)


@settings(max_examples=120)
@given(STEPS)
def test_in_whatever_order_usage_comes_late_stripe_ends_with_the_total_or_a_person_knows(
    steps: list[tuple[Decimal, int, bool, bool]],
) -> None:
    hour, now, total = Hour(), NOW, Decimal(0)
    for change, hours, is_delivered, loses_answers in steps:
        total = max(total + change, Decimal(0))
        now += timedelta(hours=hours)
        hour.follow(total, now)
        if is_delivered:
            hour.deliver(now, loses_answers=loses_answers)
    for _ in range(4):
        hour.deliver(now, loses_answers=False)
        hour.follow(total, now)
    assert hour.follow(total, now) == Plan()
    # What a person sees is exactly what Stripe has too much.
    assert hour.sum_of(S.SENT) + hour.sum_of(S.HELD) == total
    assert hour.sum_of(S.HELD) <= 0
    unsent = {S.HELD, S.REPLACED}
    assert all(event.value > 0 for event in hour.events if event.status not in unsent)
