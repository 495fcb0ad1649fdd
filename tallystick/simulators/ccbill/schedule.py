"""The clock: what is due of subscriptions happens at its own time, in order."""

from datetime import datetime, timedelta

import msgspec

from tallystick.simulators.ccbill import life
from tallystick.simulators.ccbill.model import Subscription
from tallystick.simulators.ccbill.state import State

# More than a decade of daily rebills: whoever meets it has asked for too long a leap.
STEPS_MAX = 20_000


def due_at(subscription: Subscription) -> datetime | None:
    """Return when something happens to it next, or None."""
    times = (subscription.chargeback_at, subscription.renews_at, subscription.ends_at)
    return min((at for at in times if at is not None), default=None)


def step(state: State, subscription: Subscription) -> None:
    """Let happen what is due of a subscription; only inside `change`."""
    at = due_at(subscription)
    if at == subscription.chargeback_at:
        after = msgspec.structs.replace(subscription, chargeback_at=None)
        life.charge_back(state, state.save(after))
    elif at == subscription.renews_at:
        life.rebill(state, subscription)
    else:
        life.expire(state, subscription)


def advance(state: State, seconds: float) -> int:
    """Let simulated time pass; return how many things happened on the way."""
    target = state.now() + timedelta(seconds=seconds)
    happened = 0
    while happened < STEPS_MAX and (due := _first_due(state, target)):
        at, subscription = due
        with state.change():
            if at > state.now():
                state.set_time(at)
            step(state, subscription)
        happened += 1
    if seconds:
        with state.change():
            state.set_time(target)
    return happened


def _first_due(state: State, until: datetime) -> tuple[datetime, Subscription] | None:
    found = [(due_at(one), one) for one in state.subscriptions()]
    due = [(at, one) for at, one in found if at is not None and at <= until]
    return min(due, key=lambda pair: (pair[0], pair[1].id), default=None)
