"""What is due anew from the beginning on is what was due on the way, however it began."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Final
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from tallystick.accounts.model import Account
from tallystick.catalog.model import Interval, PlanVersion
from tallystick.pricing.model import FlatPrice, PerUnitPrice
from tallystick.subscriptions.bills import Due, Plans, next_step
from tallystick.subscriptions.lifecycle import Start, begin
from tallystick.subscriptions.model import Subscription
from tallystick.subscriptions.periods import Period
from tallystick.subscriptions.replay import replay
from tallystick.subscriptions.usage_dues import UsageDue
from tallystick.whatif.history import dues_by_period, ended_periods

AT: Final = datetime(2026, 1, 31, 9, tzinfo=UTC)
ACCOUNT: Final = Account(
    account_id=UUID(int=1),
    name="Ada",
    email="ada@example.com",
    currency="EUR",
    timezone="Europe/Paris",
    country="FR",
    locale="fr-FR",
    created_at=AT,
)
STEPS_MAX: Final = 60
CALLS: Final = PerUnitPrice(currency="EUR", code="calls", meter="calls", unit=Decimal(1))
INTERVALS: Final[list[tuple[Interval, Interval | None]]] = [
    ("week", None),
    ("month", None),
    ("quarter", "month"),
    ("year", "month"),
]


@st.composite
def plans(draw: st.DrawFn) -> PlanVersion:
    fee = FlatPrice(currency="EUR", code="fee", amount=Decimal("49.99"), billing="in_advance")
    late = FlatPrice(currency="EUR", code="late", amount=Decimal(7))
    interval, usage_interval = draw(st.sampled_from(INTERVALS))
    return PlanVersion(
        plan_version_id=UUID(int=2),
        plan_id=UUID(int=3),
        plan_code="p",
        plan_name="P",
        version=1,
        currency="EUR",
        interval=interval,
        usage_interval=usage_interval,
        proration=draw(st.sampled_from(["by_day", "by_second", "none"])),
        prices=(*draw(st.sampled_from([(fee, late), (fee,), (late,), ()])), CALLS),
        limits={},
        created_at=AT,
    )


STARTS = st.builds(
    Start,
    starts_at=st.integers(0, 400).map(lambda hours: AT - timedelta(hours=hours)),
    quantity=st.integers(1, 5),
    billing_time=st.sampled_from(["anniversary", "calendar"]),
    trial_days=st.sampled_from([0, 10, 45]),
    ends_at=st.none() | st.integers(1, 4000).map(lambda hours: AT + timedelta(hours=hours)),
)


def billed(on: Subscription, plan: PlanVersion, until: datetime) -> tuple[list[Due], Subscription]:
    """Take the billing run's steps, one after the other."""
    found: list[Due] = []
    while on.next_bill_at is not None and on.next_bill_at <= until:
        step = next_step(on, Plans(plan))
        if step is None:
            break
        found += step.dues
        on = step.after
    return found, on


@given(plans(), STARTS, st.integers(0, 5000))
def test_a_replay_has_the_dues_of_the_way_that_was_taken(
    plan: PlanVersion, start: Start, hours: int
) -> None:
    until = AT + timedelta(hours=hours)
    dues, now = billed(begin(ACCOUNT, plan, UUID(int=4), AT, start), plan, until)
    again = [
        due for taken in islice(replay(now, plan, until), STEPS_MAX) for due in taken.step.dues
    ]
    assert again == dues


@given(plans(), STARTS, st.integers(0, 5000))
def test_every_use_and_every_share_belongs_to_one_period(
    plan: PlanVersion, start: Start, hours: int
) -> None:
    until = AT + timedelta(hours=hours)
    began = begin(ACCOUNT, plan, UUID(int=4), AT, start)
    dues, now = billed(began, plan, until)
    asked = Period(began.started_at - timedelta(days=400), until)
    periods = list(ended_periods(now, plan, began.started_at, asked, until))
    by_period = dues_by_period(now, plan, until)
    assert sum(map(len, by_period.values())) == len(dues)
    for one in periods:
        assert one.obstacle is None
        used = [owed.due.period for owed in by_period[one.index] if isinstance(owed.due, UsageDue)]
        assert used == [one.period]
