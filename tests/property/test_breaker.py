"""The circuit before a gateway: opens after failures in a row, one probe, closes on an answer."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tallystick.payments.breaker import (
    ANSWERED,
    Breaker,
    Circuit,
    CircuitState,
    Patience,
    admitted,
    failed,
    state_of,
)

PATIENCE = Patience(failures_max=3, open_s=10.0, open_s_max=40.0, probe_s=60.0)


def after_failures(count: int, now: float = 0.0) -> Circuit:
    circuit = ANSWERED
    for _ in range(count):
        circuit = failed(circuit, now, PATIENCE)
    return circuit


@given(st.integers(0, 10))
def test_it_opens_at_the_last_failure_that_is_borne_and_not_before(count: int) -> None:
    wanted = CircuitState.OPEN if count >= 3 else CircuitState.CLOSED
    assert state_of(after_failures(count), 0.0) is wanted


@given(st.integers(3, 30), st.floats(0, 9.9))
def test_late_failures_of_what_was_sent_before_do_not_keep_it_open(count: int, at: float) -> None:
    circuit = after_failures(3)
    for _ in range(count):
        circuit = failed(circuit, at, PATIENCE)
    assert state_of(circuit, 10.0) is CircuitState.HALF_OPEN


def test_the_wait_doubles_up_to_its_limit() -> None:
    circuit, now, waits = after_failures(3), 0.0, []
    for _ in range(5):
        waits.append(circuit.open_until - now)
        now = circuit.open_until
        circuit = failed(circuit, now, PATIENCE)
    assert waits == [10, 20, 40, 40, 40]


def test_one_probe_at_a_time_and_another_when_nothing_was_heard_of_it() -> None:
    circuit = after_failures(3)
    probing = admitted(circuit, 10.0, PATIENCE)
    assert probing is not None
    assert admitted(probing, 69.9, PATIENCE) is None
    assert admitted(probing, 70.0, PATIENCE) is not None


class Gateway(RuleBasedStateMachine):
    """Any order of calls, answers, failures and time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.breaker = Breaker("test", PATIENCE, lambda: self.now)
        self.in_a_row = 0

    @rule(seconds=st.floats(0.1, 50))
    def time_goes_by(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def somebody_calls(self) -> None:
        was = self.breaker.state
        sent = self.breaker.admits()
        assert sent or was is not CircuitState.CLOSED
        assert not (sent and was is CircuitState.OPEN)

    @rule()
    def it_answers(self) -> None:
        self.breaker.answered()
        self.in_a_row = 0

    @rule()
    def it_fails(self) -> None:
        self.breaker.failed()
        self.in_a_row += 1

    @invariant()
    def it_is_closed_while_little_failed(self) -> None:
        if self.in_a_row < PATIENCE.failures_max:
            assert self.breaker.state is CircuitState.CLOSED
        else:
            assert self.breaker.state is not CircuitState.CLOSED

    @precondition(lambda self: self.breaker.state is not CircuitState.CLOSED)
    @rule()
    def a_call_goes_through_after_the_longest_wait(self) -> None:
        self.now += PATIENCE.open_s_max + PATIENCE.probe_s
        assert self.breaker.admits()
        assert not self.breaker.admits()


TestGateway = Gateway.TestCase
