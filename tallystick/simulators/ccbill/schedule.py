"""The clock: what is due of subscriptions happens at its own time, in order."""

from datetime import timedelta

import msgspec

from tallystick.simulators.ccbill import life
from tallystick.simulators.ccbill.model import Subscription
from tallystick.simulators.ccbill.state import State

# More than a decade of daily rebills: whoever meets it has asked for too long a leap.
STEPS_MAX = 20_000


def step(state: State, subscription: Subscription) -> None:
    """Let happen what is due of a subscription; only inside `change`."""
    at = subscription.due_at
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
    while happened < STEPS_MAX and (due := state.first_due(target)):
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
