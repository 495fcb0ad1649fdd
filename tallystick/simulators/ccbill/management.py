"""The subscription management service: cancel, look up, give back, charge again."""

from tallystick.simulators.ccbill import life
from tallystick.simulators.ccbill.model import Subscription
from tallystick.simulators.ccbill.state import State


def refund_and_end(state: State, about: Subscription, back: life.Reversal) -> None:
    """Give back, cancel and expire: CCBill does all three, even when only a part goes back."""
    life.reverse(state, about, back)
    after = about
    if about.cancelled_at is None and about.expired_at is None:
        after = life.cancel(state, about, back.reason, "API")
    if after.expired_at is None:
        life.expire(state, after)
