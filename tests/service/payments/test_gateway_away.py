"""A gateway that does not answer, or has too much to do: what is sent, and what waits."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from tallystick.kernel.errors import Unavailable
from tallystick.payments.breaker import Breaker, CircuitState, Patience
from tallystick.payments.gateway import Gateways
from tallystick.payments.gateways.stripe import StripeGateway
from tallystick.payments.model import AttemptOutcome, PaymentStatus
from tests.service.payments.test_unclear_outcomes import INTENTS, assert_paid_once, owing

if TYPE_CHECKING:
    from tests.service.payments.conftest import World

FAILURES_MAX = 2
LATER = timedelta(minutes=5)


class Away:
    """A world whose gateway has a circuit that opens at the second failure, for 10 s."""

    def __init__(self, world: "World") -> None:
        self.now = 0.0
        breaker = Breaker("stripe", Patience(failures_max=FAILURES_MAX), lambda: self.now)
        self.stripe = StripeGateway(world.settings, breaker)
        self.breaker = breaker
        world.wire(Gateways([self.stripe]))

    def state(self) -> CircuitState:
        return self.breaker.state

    async def fail(self, world: "World") -> None:
        """Let the circuit open, by calls that move no money."""
        await world.arm("drop_before", path="/v1/*", times=None)
        for _ in range(FAILURES_MAX):
            with pytest.raises(Unavailable):
                await self.stripe.describe_method("pm_any")


async def posts(world: "World") -> list[dict[str, Any]]:
    requests = await world.look("requests")
    return [one for one in requests if (one["method"], one["path"]) == ("POST", INTENTS)]


async def test_while_a_gateway_is_away_due_wishes_wait_and_are_charged_once_afterwards(
    world: "World",
) -> None:
    account, invoice = await owing(world)
    away = Away(world)
    await away.fail(world)
    assert away.state() is CircuitState.OPEN
    assert await world.collector.run_due(world.clock(), None) == 0
    assert (await world.payment(account)).status is PaymentStatus.PENDING
    await world.disarm()
    assert await world.collector.run_due(world.clock(), None) == 0
    away.now = 10.0
    await world.settle_down()
    await assert_paid_once(world, account, invoice)
    assert away.state() is CircuitState.CLOSED
    await away.stripe.close()


async def test_what_a_person_pays_meanwhile_is_not_sent_and_goes_on_by_itself(
    world: "World",
) -> None:
    account, invoice = await owing(world)
    away = Away(world)
    await away.fail(world)
    await world.disarm()
    view = await world.collector.pay_invoice(account, invoice, request_key="now")
    assert view.attempt is not None
    assert (view.attempt.outcome, view.attempt.code) == (
        AttemptOutcome.UNKNOWN,
        "gateway_unavailable",
    )
    assert await posts(world) == []
    away.now = 10.0
    world.ahead += LATER
    await world.settle_down()
    payments = {payment.status for payment in await world.payments(account)}
    assert payments == {PaymentStatus.CANCELLED, PaymentStatus.SUCCEEDED}
    assert len(await world.charges()) == 1
    assert await world.balances(account) == (0, 4900)
    await away.stripe.close()


async def test_too_many_requests_are_waited_out_with_the_same_key(world: "World") -> None:
    account, invoice = await owing(world)
    await world.arm("status", path=INTENTS, times=2, status=429)
    with capture_logs() as lines:
        await world.collector.run_due(world.clock(), None)
    await assert_paid_once(world, account, invoice)
    sent = [
        r for r in await world.look("requests") if (r["method"], r["path"]) == ("POST", INTENTS)
    ]
    assert len(sent) == 3
    assert len({request["idempotency_key"] for request in sent}) == 1
    told = [line for line in lines if line["event"] == "stripe_answered"]
    assert [line["status"] for line in told] == [429, 429, 200]
    assert {line["stripe_request_id"] for line in told} == {one["request_id"] for one in sent}


async def test_a_refusal_is_an_answer_and_keeps_the_circuit_closed(world: "World") -> None:
    away = Away(world)
    for _ in range(FAILURES_MAX + 1):
        with pytest.raises(Exception, match="does not have"):
            await away.stripe.describe_method("pm_none")
    assert away.state() is CircuitState.CLOSED
    await away.stripe.close()
