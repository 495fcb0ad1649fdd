"""Any sequence of changes against a plain model that asks of each moment who has to pay for it.

The model knows days (or seconds) and their owners; it has no periods, no shares and no statuses.
"""

from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from msgspec.structs import replace

from tallystick.accounts.model import Account
from tallystick.catalog.model import Interval, PlanVersion
from tallystick.kernel.errors import Conflict
from tallystick.pricing.model import FlatPrice, PerUnitPrice
from tallystick.subscriptions import add_ons, changes
from tallystick.subscriptions.bills import Plans, Step, next_step
from tallystick.subscriptions.lifecycle import Start, begin, running_period
from tallystick.subscriptions.model import AttachedAddOn, Status, Subscription
from tallystick.subscriptions.periods import local_day
from tallystick.subscriptions.proration import amount_of
from tallystick.subscriptions.terms import FlatDue
from tallystick.subscriptions.usage_dues import CommitmentDue, UsageDue

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
Terms = tuple[UUID, int]
ADD_ON: Final = AttachedAddOn(
    account_id=UUID(int=1), subscription_add_on_id=UUID(int=9), subscription_id=UUID(int=5),
    add_on_id=UUID(int=8), code="extra", name="Extra", charge="per_period", amount=Decimal("3.33"),
    features={}, quantity=2, starts_at=AT, ends_at=None, attached_at=AT,
)  # fmt: skip
OFFERS: Final[tuple[tuple[Interval, int, Interval | None, str], ...]] = (
    ("week", 1, None, "9.99"),
    ("month", 1, None, "49"),
    ("month", 2, None, "31.31"),
    ("quarter", 1, "month", "140"),
    ("year", 1, "month", "365.25"),
)


def offer(at: int, proration: Any) -> PlanVersion:
    interval, count, usage_interval, amount = OFFERS[at]
    fee = FlatPrice(currency="EUR", code="fee", amount=Decimal(amount), billing="in_advance")
    calls = PerUnitPrice(currency="EUR", code="calls", meter="calls", unit=Decimal(1))
    late = FlatPrice(currency="EUR", code="late", amount=Decimal(7))
    return PlanVersion(
        plan_version_id=UUID(int=10 + at),
        plan_id=UUID(int=100 + at),
        plan_code=f"p{at}",
        plan_name=f"P{at}",
        version=1,
        currency="EUR",
        interval=interval,
        interval_count=count,
        usage_interval=usage_interval,
        proration=proration,
        prices=(fee, late, calls),
        minimum_commitment={"EUR": Decimal(100)},
        limits={},
        created_at=AT,
    )


def within_whole(due: UsageDue) -> UsageDue:
    """Leave out days behind the period: they count nothing."""
    return replace(due, counts_until=min(due.counts_until, due.whole.end))


class Model:
    """Who owns each moment, in the order in which it was said: None where nobody does."""

    def __init__(self, *, by_day: bool, timezone: str) -> None:
        self.by_day = by_day
        self.timezone = timezone
        self.said: list[tuple[datetime, Terms | None]] = []
        self.is_edge: set[datetime] = set()

    def say(self, at: datetime, owner: Terms | None, *, is_edge: bool = False) -> None:
        """From `at` on it is the owner's; `is_edge`: a period ends there, so no day was used."""
        self.said.append((at, owner))
        if is_edge:
            self.is_edge.add(at)

    def user(self, at: datetime) -> Terms | None:
        """Who uses it at this instant."""
        place = bisect_right([one[0] for one in self.said], at)
        return self.said[place - 1][1] if place else None

    def payer(self, at: datetime, days: dict[date, Terms | None]) -> Terms | None:
        return days.get(local_day(at, self.timezone)) if self.by_day else self.user(at)

    def days(self, last: datetime) -> dict[date, Terms | None]:
        """Walk day after day: the last change of a day owns it, but a day of an end is paid."""
        owners: dict[date, Terms | None] = {}
        closed = date.min
        now: Terms | None = None
        day = local_day(self.said[0][0], self.timezone)
        while day <= local_day(last, self.timezone):
            owner = now
            for at, said in self.said:
                if local_day(at, self.timezone) != day:
                    continue
                if said is None and now is not None and at not in self.is_edge:
                    closed = day  # used up to here, so paid by whom it belonged to
                elif closed != day:
                    owner = said
                now = said
            owners[day] = owner
            day += timedelta(days=1)
        return owners


class Changes(RuleBasedStateMachine):
    """Ask for anything at any time, bill what is due, and at the end look at every moment."""

    subscription: Subscription

    @initialize(
        first=st.integers(0, len(OFFERS) - 1),
        proration=st.sampled_from(["by_day", "by_second"]),
        billing_time=st.sampled_from(["anniversary", "calendar"]),
        timezone=st.sampled_from(["UTC", "Europe/Paris", "America/New_York"]),
        hours=st.integers(0, 24 * 60),
        trial_days=st.sampled_from([0, 0, 3, 14, 40]),
    )
    def start(
        self,
        *,
        first: int,
        proration: str,
        billing_time: Any,
        timezone: str,
        hours: int,
        trial_days: int,
    ) -> None:
        self.plans = {UUID(int=10 + at): offer(at, proration) for at in range(len(OFFERS))}
        plan = self.plans[UUID(int=10 + first)]
        self.now = AT + timedelta(hours=hours)
        start = Start(billing_time=billing_time, trial_days=trial_days)
        account = replace(ACCOUNT, timezone=timezone)
        self.subscription = begin(account, plan, UUID(int=5), self.now, start)
        self.model = Model(by_day=proration == "by_day", timezone=timezone)
        self.steps: list[Step] = []
        self.at_once: list[FlatDue] = []
        self.later: tuple[datetime, Terms | None] | None = None
        self.end: datetime | None = None
        self.ends_with_period = True
        # From where the add-on counts; None: there is none, or it was put on in a pause.
        self.add_on_from: datetime | None = None
        self.model.say(self.now, self.terms())
        self.settle()

    def terms(self) -> Terms:
        return self.subscription.plan_version_id, self.subscription.quantity

    def settle(self) -> None:
        while (due := self.subscription.next_bill_at) is not None and due <= self.now:
            now = self.plans[self.subscription.plan_version_id]
            following = self.subscription.next_plan_version_id
            then = None if following is None else self.plans[following]
            step = next_step(self.subscription, Plans(now, then))
            assert step is not None
            self.steps.append(step)
            self.subscription = step.after

    def asks(self, work: Any) -> bool:
        try:
            self.subscription = work()
        except Conflict:
            return False
        return True

    @rule(hours=st.integers(0, 30) | st.integers(0, 24 * 45))
    def time_goes_by(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        if self.later and self.later[0] <= self.now:
            self.model.say(*self.later)
            self.later = None
        if self.end and self.end <= self.now:
            self.model.say(self.end, None, is_edge=self.ends_with_period)
            self.later, self.end = None, None
        self.settle()

    @rule(
        to=st.integers(0, len(OFFERS) - 1),
        quantity=st.integers(1, 3),
        when=st.sampled_from(["now", "now", "period_end"]),
    )
    def change(self, to: int, quantity: int, when: Any) -> None:
        plan, before = self.plans[UUID(int=10 + to)], self.plan()
        asked = self.asks(
            lambda: changes.change_terms(
                self.subscription, before, plan, quantity=quantity, when=when, now=self.now
            )
        )
        if asked:
            at = self.subscription.change_at
            assert at is not None
            self.later = (at, (plan.plan_version_id, quantity))
            # What was the end of a period is the middle of one of the new plan.
            self.ends_with_period = self.end is None or when == "period_end"
            self.time_goes_by(0)

    def is_edge(self) -> bool:
        """Whether a period ends at this very instant: the day that begins was not used."""
        starts = running_period(self.subscription, self.plan(), self.now).start
        return starts == self.now > self.subscription.started_at

    def plan(self) -> PlanVersion:
        return self.plans[self.subscription.plan_version_id]

    @rule()
    def pause(self) -> None:
        if self.asks(lambda: changes.pause(self.subscription, self.plan(), self.now, None)):
            self.model.say(self.now, None, is_edge=self.is_edge())
            self.settle()

    @precondition(lambda self: self.subscription.status is Status.PAUSED)
    @rule()
    def resume(self) -> None:
        self.subscription = changes.resume(self.subscription, self.plan(), self.now)
        self.run_again()
        self.settle()

    def run_again(self) -> None:
        """Use it again; an add-on that was put on in the pause counts with its fees from here."""
        self.model.say(self.now, self.terms())
        self.add_on_from = self.add_on_from or self.subscription.flat_from

    @rule()
    def cancel(self) -> None:
        if self.asks(lambda: changes.cancel_now(self.subscription, self.plan(), self.now)):
            self.later, self.end = None, None
            self.model.say(self.now, None, is_edge=self.is_edge())
            self.settle()

    @rule()
    def cancel_later(self) -> None:
        if self.subscription.change_at is None and self.asks(
            lambda: changes.cancel_at_period_end(self.subscription, self.plan(), self.now)
        ):
            self.end = self.subscription.ends_at
            self.ends_with_period = True
            self.settle()

    @rule()
    def keep(self) -> None:
        if self.asks(lambda: changes.keep(self.subscription, self.plan(), self.now)):
            self.end = None
            self.settle()

    @precondition(lambda self: self.subscription.status is Status.CANCELED)
    @rule()
    def reactivate(self) -> None:
        self.subscription = changes.reactivate(self.subscription, self.plan(), self.now)
        self.run_again()
        self.settle()

    @precondition(lambda self: not self.subscription.add_ons)
    @rule()
    def put_an_add_on_on(self) -> None:
        if self.subscription.status in {Status.CANCELED, Status.INCOMPLETE}:
            return
        is_paused = self.subscription.status is Status.PAUSED
        self.add_on_from = None if is_paused else max(self.now, self.subscription.flat_from)
        one = replace(ADD_ON, starts_at=self.now)
        due = add_ons.due_when_put_on(self.subscription, self.plan(), one)
        self.at_once += due
        self.subscription = replace(self.subscription, add_ons=(one,))

    @precondition(lambda self: any(not one.ends_at for one in self.subscription.add_ons))
    @rule()
    def take_the_add_on_off(self) -> None:
        (was,) = self.subscription.add_ons
        on, now = self.subscription, self.now
        self.at_once += add_ons.due_when_taken_off(on, self.plan(), was, now)
        self.subscription = replace(on, add_ons=(replace(was, ends_at=now),))

    def teardown(self) -> None:
        if not hasattr(self, "subscription"):
            return
        self.cancel()
        assert self.subscription.next_bill_at is None
        self.every_moment_of_use_is_billed_once_by_its_plan()
        self.what_is_used_is_committed_once()
        self.every_moment_is_paid_once_by_its_owner()
        self.whole_periods_cost_the_price()

    def every_moment_of_use_is_billed_once_by_its_plan(self) -> None:
        used = [due for step in self.steps for due in step.dues if isinstance(due, UsageDue)]
        edges = [edge for due in used for edge in (due.period.start, due.period.end)]
        for moment in self.moments(edges):
            plans = [due.plan.plan_version_id for due in used if due.period.contains(moment)]
            owner = self.model.user(moment)
            assert plans == ([owner[0]] if owner else []), moment

    def what_is_used_is_committed_once(self) -> None:
        """Where usage is billed more often, the commitment counts the very periods of the bills."""
        dues = [due for step in self.steps for due in step.dues]
        used = [due for due in dues if isinstance(due, UsageDue) and due.plan.usage_interval]
        committed = [due for due in dues if isinstance(due, CommitmentDue)]
        counted = [part for due in committed for part in due.parts]
        assert list(map(within_whole, counted)) == list(map(within_whole, used))

    def every_moment_is_paid_once_by_its_owner(self) -> None:
        dues = list(self.flat_dues())
        edges = [edge for due in dues for edge in (due.part.start, due.part.end)]
        days = self.model.days(self.now + timedelta(days=800))
        for moment in self.moments(edges):
            for code in ("fee", "late", "extra"):
                paid: dict[Terms, int] = {}
                for due in dues:
                    if due.price.code == code and due.part.start <= moment < due.part.end:
                        terms = due.plan.plan_version_id, due.quantity
                        paid[terms] = paid.get(terms, 0) + due.share.sign
                owner = None if self.is_free(moment) else self.model.payer(moment, days)
                if code == "extra":
                    left_count = sum(paid.values())
                    assert left_count == (owner is not None and self.has_add_on(moment)), moment
                    continue
                left = {terms: count for terms, count in paid.items() if count}
                assert left == ({owner: 1} if owner else {}), (moment, code)

    def has_add_on(self, moment: datetime) -> bool:
        """Whether the add-on is there, with the whole days on which it came and went.

        Never before the fees count: a day on which it was put on in a pause, or on which the
        subscription ended and began again, was paid for by the plan that was used on it before.
        """
        zone, by_day = self.model.timezone, self.model.by_day
        if self.add_on_from is None:
            return False
        for one in self.subscription.add_ons:
            began, ended = one.starts_at, one.ends_at
            if by_day:
                day = local_day(moment, zone)
                counts = local_day(max(began, self.add_on_from), zone)
                return counts <= day and (not ended or day <= local_day(ended, zone))
            return began <= moment and (not ended or moment < ended)
        return False

    def is_free(self, moment: datetime) -> bool:
        trial_ends_at = self.subscription.trial_ends_at
        if trial_ends_at is None:
            return False
        if not self.model.by_day:
            return moment < trial_ends_at
        zone = self.model.timezone
        last = local_day(trial_ends_at, zone)
        later = [trial_ends_at, *(at for at, _ in self.model.said if at > trial_ends_at)]
        is_used = any(self.model.user(at) for at in later if local_day(at, zone) == last)
        return local_day(moment, zone) < last + timedelta(days=not is_used)

    def whole_periods_cost_the_price(self) -> None:
        """What is billed is the exact share of each part, but for the rounding of its two ends."""
        for due in self.flat_dues():
            price = due.price.amount * due.quantity
            billed = amount_of(price, "EUR", due.share).minor
            share = Fraction(due.share.end - due.share.start, due.share.whole)
            assert abs(billed - due.share.sign * Fraction(price) * 100 * share) <= 1
            length = due.part.end - due.part.start
            if self.model.by_day:
                continue
            assert Fraction(length / timedelta(seconds=1)) == share * Fraction(
                (due.whole.end - due.whole.start) / timedelta(seconds=1)
            )

    def flat_dues(self) -> Iterator[FlatDue]:
        for step in self.steps:
            for due in step.dues:
                if isinstance(due, FlatDue):
                    yield due
        yield from self.at_once

    def moments(self, edges: list[datetime]) -> Iterator[datetime]:
        """One moment between every two instants at which anything may change."""
        said = [at for at, _ in self.model.said]
        for one, following in pairwise(sorted({*edges, *said})):
            if self.model.by_day:
                yield from self.noons(one, following)
            else:
                yield one + (following - one) / 2

    def noons(self, one: datetime, following: datetime) -> Iterator[datetime]:
        yield one + (following - one) / 2
        if following - one < timedelta(days=40):
            day = one + timedelta(hours=12)
            while day < following:
                yield day
                day += timedelta(days=1)


TestChanges = Changes.TestCase
TestChanges.settings = settings(max_examples=150, stateful_step_count=12, deadline=None)
