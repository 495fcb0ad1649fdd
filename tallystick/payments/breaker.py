"""When a gateway is left alone: after failures in a row nothing is sent to it for a while.

```
closed ──5 failures in a row──> open ──10 s over──> half open: one call is let through
  ^                              ^                      │  │
  └──────────an answer───────────┼──────────────────────┘  │
                                 └──a failure, twice as long (at most 5 min)
```
An answer is whatever the gateway says, a refusal too. No answer, a failure of its own (5xx) and
"too many requests" are failures. What is not sent is known not to be charged; it waits.
"""

from collections.abc import Callable
from enum import StrEnum
from time import monotonic
from typing import Final

import msgspec
import structlog
from msgspec.structs import replace

log = structlog.get_logger()


class CircuitState(StrEnum):
    """Whether calls are sent."""

    CLOSED = "closed"
    HALF_OPEN = "half_open"
    OPEN = "open"


class Patience(msgspec.Struct, frozen=True, kw_only=True):
    """How much is borne. `probe_s`: a probe of which nothing is heard for so long is given up."""

    failures_max: int = 5
    open_s: float = 10.0
    open_s_max: float = 300.0
    probe_s: float = 120.0


class Circuit(msgspec.Struct, frozen=True):
    """What was heard of a gateway; instants are seconds of a clock that never goes back."""

    failure_count: int = 0
    """In a row."""
    open_count: int = 0
    """How often it opened since the last answer."""
    open_until: float = 0.0
    probe_until: float = 0.0


def state_of(circuit: Circuit, now: float) -> CircuitState:
    """Return whether calls are sent now."""
    if circuit.open_count == 0:
        return CircuitState.CLOSED
    return CircuitState.OPEN if now < circuit.open_until else CircuitState.HALF_OPEN


def admitted(circuit: Circuit, now: float, patience: Patience) -> Circuit | None:
    """Return what is known once one more call is sent; None: it must not be sent."""
    state = state_of(circuit, now)
    if state is CircuitState.CLOSED:
        return circuit
    if state is CircuitState.OPEN or now < circuit.probe_until:
        return None
    return replace(circuit, probe_until=now + patience.probe_s)


def failed(circuit: Circuit, now: float, patience: Patience) -> Circuit:
    """Return what is known after a failure.

    One that was sent before the circuit opened says nothing new while it is open.
    """
    state = state_of(circuit, now)
    count = circuit.failure_count + 1
    if state is CircuitState.OPEN:
        return circuit
    if state is CircuitState.CLOSED and count < patience.failures_max:
        return replace(circuit, failure_count=count)
    # 10 s, 20 s, 40 s … : 2 ** 20 is beyond any limit already.
    wait = min(patience.open_s * 2 ** min(circuit.open_count, 20), patience.open_s_max)
    return Circuit(count, circuit.open_count + 1, now + wait)


ANSWERED: Final = Circuit()
"""What is known after an answer: all is well."""


class Breaker:
    """The circuit of one gateway in this process."""

    def __init__(
        self,
        gateway: str,
        patience: Patience | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._gateway = gateway
        self._patience = patience or Patience()
        self._clock = clock
        self._circuit = Circuit()
        self.opened_count = 0

    @property
    def state(self) -> CircuitState:
        """Whether calls are sent now."""
        return state_of(self._circuit, self._clock())

    def admits(self) -> bool:
        """Tell whether one more call may be sent; who may, has to tell what came of it."""
        circuit = admitted(self._circuit, self._clock(), self._patience)
        if circuit is None:
            return False
        self._circuit = circuit
        return True

    def answered(self) -> None:
        """Note that the gateway answered."""
        if self._circuit.open_count:
            log.info("gateway_circuit_closed", gateway=self._gateway)
        self._circuit = ANSWERED

    def failed(self) -> None:
        """Note that it did not."""
        circuit = failed(self._circuit, self._clock(), self._patience)
        if circuit.open_count > self._circuit.open_count:
            self.opened_count += 1
            log.warning("gateway_circuit_opened", gateway=self._gateway, again=circuit.open_count)
        self._circuit = circuit
