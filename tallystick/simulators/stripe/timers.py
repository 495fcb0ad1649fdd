"""What is to happen later: an ACH debit settles, a session expires, a subscription renews."""

from collections.abc import Callable, Mapping
from operator import itemgetter

import structlog

from tallystick.simulators.stripe.call import Call
from tallystick.simulators.stripe.clock import SimulatedClock
from tallystick.simulators.stripe.errors import Json, StripeError, invalid
from tallystick.simulators.stripe.state import State

log = structlog.get_logger()
FAMILY = "_timer"
CLOCK = "_clock"
# A jump of the clock over years renews a subscription many times; a loop that never ends is a bug.
STEPS_MAX = 10_000
JUMP_MAX = 10 * 366 * 24 * 3600

# Does what was due with the object of the given id.
Duty = Callable[[Call, str], object]


def plan(call: Call, at: int, duty: str, about: str) -> None:
    """Plan a duty for an instant; a second plan for the same object and duty replaces the first."""
    key = f"{duty}:{about}"
    call.state.put(FAMILY, key, {"key": key, "at": at, "duty": duty, "about": about})


def unplan(call: Call, duty: str, about: str) -> None:
    """Forget a planned duty; nothing happens when there is none."""
    key = f"{duty}:{about}"
    if call.state.get(FAMILY, key):
        call.state.drop(FAMILY, key)


class Timekeeper:
    """Moves the clock, and does what is due in the order in which it was due."""

    def __init__(self, state: State, clock: SimulatedClock, duties: Mapping[str, Duty]) -> None:
        self._state = state
        self._clock = clock
        self._duties = duties
        self.restore()

    def restore(self) -> None:
        """Take the clock's lead from the state: what a file kept, or none after a reset."""
        kept = self._state.get(CLOCK, "ahead")
        self._clock.ahead = kept["seconds"] if kept else 0

    def advance(self, seconds: int) -> int:
        """Move the clock ahead, and do all that falls due on the way; return how many duties.

        Raises StripeError when it is too far at once.
        """
        if seconds > JUMP_MAX:
            raise invalid(f"The clock moves {JUMP_MAX} seconds (ten years) at most in one step.")
        target = self._clock() + seconds
        done = self.run_due(target)
        self._clock.ahead += target - self._clock()
        with self._state.change():
            self._state.put(CLOCK, "ahead", {"seconds": self._clock.ahead})
        return done

    def run_due(self, until: int | None = None) -> int:
        """Do what is due by now, or by `until`; return how many duties there were."""
        limit = self._clock() if until is None else until
        for count in range(STEPS_MAX):
            timer = self._next(limit)
            if timer is None:
                return count
            with self._clock.at(timer["at"]):
                self._do(timer)
        raise invalid(f"More than {STEPS_MAX} duties fell due: move the clock in smaller steps.")

    def listed(self) -> list[Json]:
        """Return what is planned, the first to come first."""
        return sorted(self._state.newest_first(FAMILY), key=itemgetter("at", "key"))

    def _next(self, limit: int) -> Json | None:
        due = (timer for timer in self._state.newest_first(FAMILY) if timer["at"] <= limit)
        return min(due, key=itemgetter("at", "key"), default=None)

    def _do(self, timer: Json) -> None:
        """Do a duty, all or nothing; one that can not be done any more is dropped."""
        try:
            with self._state.change():
                self._state.drop(FAMILY, timer["key"])
                self._try(timer)
        except StripeError as error:
            log.warning("stripe_simulator_duty_dropped", duty=timer["duty"], reason=str(error))
            with self._state.change():
                self._state.drop(FAMILY, timer["key"])

    def _try(self, timer: Json) -> None:
        try:
            self._duties[timer["duty"]](unasked(self._state), timer["about"])
        except StripeError as error:
            # A decline that stands is a result; anything else undoes the duty.
            if not error.stands:
                raise


def unasked(state: State) -> Call:
    """Return the call of something that happens by itself, with no request behind it."""
    return Call(state=state, params={}, path={}, request_id=None, base_url=state.reached_at)
