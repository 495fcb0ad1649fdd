"""CCBill without an answer: after five calls in a row nothing is sent for a while."""

from typing import TYPE_CHECKING

from tallystick.payments.breaker import CircuitState

if TYPE_CHECKING:
    from tests.service.ccbill.conftest import CcbillWorld

FAILURES_MAX = 5


async def test_what_ccbill_does_not_answer_opens_its_circuit_and_is_charged_once_afterwards(
    world: "CcbillWorld",
) -> None:
    account = await world.account(autopay=False)
    await world.save_card(account)
    await world.http.post("/_sim/faults", json={"action": "drop", "path": "*", "times": None})
    for _ in range(FAILURES_MAX):
        payment = await world.pay(account, 4900)
        assert payment.status == "processing"
    assert world.ccbill.breaker is not None
    assert world.ccbill.breaker.state is CircuitState.OPEN
    asked = len(await world.look("requests"))
    await world.pay(account, 4900)
    assert len(await world.look("requests")) == asked
    await world.http.delete("/_sim/faults")
    assert await world.sales() == []
