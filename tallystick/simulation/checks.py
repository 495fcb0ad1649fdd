"""What can be told of a scenario before it begins: order, names, what is not possible. Pure."""

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from itertools import count, pairwise
from typing import Final

from tallystick.kernel.errors import FieldError
from tallystick.simulation import scenario as story
from tallystick.simulation.scenario import Scenario, Step, refused

EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
FAULTS_MAX: Final = 20
_NAMING: Final = (
    story.ChangePlan,
    story.Cancel,
    story.Pause,
    story.Resume,
    story.Reactivate,
    story.AddAddOn,
)


def check(scenario: Scenario) -> None:
    """Raise BadInput `scenario_invalid` that names every step which can not be told."""
    faults = [
        *_repeated("meters", [meter.code for meter in scenario.meters]),
        *_repeated("plans", [plan.code for plan in scenario.plans]),
        *_repeated("coupons", [coupon.code.upper() for coupon in scenario.coupons]),
        *_repeated("add_ons", [add_on.code for add_on in scenario.add_ons]),
        *_time_faults(scenario.steps),
        *_name_faults(scenario),
        *_add_on_faults(scenario),
        *_change_faults(scenario.steps),
    ]
    if faults:
        raise refused(faults[:FAULTS_MAX])


def names_of(steps: Sequence[Step]) -> dict[int, str]:
    """Return the name of the subscription that each `subscribe` step makes, by its place.

    Those without a name are called s1, s2 and so on, past names that are taken.
    """
    taken = {step.name for step in steps if isinstance(step, story.Subscribe)}
    free = (name for number in count(1) if (name := f"s{number}") not in taken)
    return {
        at: step.name or next(free)
        for at, step in enumerate(steps)
        if isinstance(step, story.Subscribe)
    }


def _repeated(field: str, codes: Sequence[str]) -> Iterator[FieldError]:
    for at, code in enumerate(codes):
        if code in codes[:at]:
            yield FieldError(f"{field}[{at}].code", "code_repeated", f'"{code}" is there already')


def _time_faults(steps: Sequence[Step]) -> Iterator[FieldError]:
    for at, step in enumerate(steps):
        if not EARLIEST <= step.at < LATEST:
            message = "must be in the years 2000 to 2199"
            yield FieldError(f"steps[{at}].at", "out_of_range", message)
    for at, (before, step) in enumerate(pairwise(steps), 1):
        if step.at < before.at:
            message = "is before the step before it; time only goes forward"
            yield FieldError(f"steps[{at}].at", "in_the_past", message)


def _name_faults(scenario: Scenario) -> Iterator[FieldError]:
    plans = {plan.code for plan in scenario.plans} | {None}
    meters = {meter.code for meter in scenario.meters}
    coupons = {coupon.code.upper() for coupon in scenario.coupons}
    named = names_of(scenario.steps)
    known: set[str] = set()
    for at, step in enumerate(scenario.steps):
        place = f"steps[{at}]"
        if isinstance(step, story.Subscribe | story.ChangePlan) and step.plan not in plans:
            yield FieldError(f"{place}.plan", "plan_not_found", f'no plan "{step.plan}"')
        if isinstance(step, story.NewVersion) and step.plan.code not in plans:
            yield FieldError(f"{place}.plan.code", "plan_not_found", f'no plan "{step.plan.code}"')
        if isinstance(step, story.MigratePlan):
            yield from _migration_faults(place, step, plans)
        if isinstance(step, story.Usage) and step.meter not in meters:
            yield FieldError(f"{place}.meter", "meter_not_found", f'no meter "{step.meter}"')
        if isinstance(step, story.RedeemCoupon) and step.code.upper() not in coupons:
            yield FieldError(f"{place}.code", "coupon_not_found", f'no coupon "{step.code}"')
        if isinstance(step, _NAMING):
            yield from _subscription_faults(place, step.subscription, known)
        if at in named:
            if named[at] in known:
                message = f'"{named[at]}" is the name of another subscription'
                yield FieldError(f"{place}.as", "repeated", message)
            known.add(named[at])


def _migration_faults(
    place: str, step: story.MigratePlan, plans: Collection[str | None]
) -> Iterator[FieldError]:
    for field, code in (("plan", step.plan), ("to_plan", step.to_plan)):
        if code not in plans:
            yield FieldError(f"{place}.{field}", "plan_not_found", f'no plan "{code}"')
    if (step.when == "from") != (step.effective_at is not None):
        yield FieldError(f"{place}.effective_at", "one_of", "goes with `when` from")


def _add_on_faults(scenario: Scenario) -> Iterator[FieldError]:
    sold = {add_on.code for add_on in scenario.add_ons}
    has: set[str] = set()
    for at, step in enumerate(scenario.steps):
        known = sold if isinstance(step, story.AddAddOn) else has
        if isinstance(step, story.AddAddOn | story.RemoveAddOn) and step.add_on not in known:
            message = f'no add-on "{step.add_on}" at this point'
            yield FieldError(f"steps[{at}].add_on", "add_on_not_found", message)
        if isinstance(step, story.AddAddOn):
            has |= {step.add_on, step.name or step.add_on}


def _subscription_faults(place: str, name: str | None, known: set[str]) -> Iterator[FieldError]:
    if not known:
        yield FieldError(place, "subscription_not_found", "nobody has subscribed yet")
    elif name is not None and name not in known:
        message = f'no subscription "{name}" at this point'
        yield FieldError(f"{place}.subscription", "subscription_not_found", message)


def _change_faults(steps: Sequence[Step]) -> Iterator[FieldError]:
    for at, step in enumerate(steps):
        if isinstance(step, story.ChangePlan) and step.plan is None and step.quantity is None:
            yield FieldError(f"steps[{at}].plan", "missing", "say a plan, or a quantity")
        if isinstance(step, story.ChangePlan) and step.when and step.effective_at:
            message = "goes without when: say one of them"
            yield FieldError(f"steps[{at}].effective_at", "unexpected", message)
