"""What a gateway says it can not, it refuses; and it refuses nothing that it says it can."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from tallystick.kernel.errors import Conflict, TallystickError
from tallystick.kernel.ids import new_id
from tallystick.money.amount import Money
from tallystick.payments.requests import (
    Capabilities,
    Charge,
    CheckoutRequest,
    Microdeposits,
    SubscribeRequest,
)
from tests.contract.gateways.rig import Rig, a_page, a_refund

if TYPE_CHECKING:
    from typing import Literal

NOW = datetime.now(UTC)
NOTHING = Charge(
    key="k:1",
    amount=Money(100, "USD"),
    customer_token="cus_none",
    method_token="pm_none",
    method_type="card",
    account_id=new_id(),
    payment_id=new_id(),
    attempt_id=new_id(),
    started_at=NOW,
)


def _page(mode: "Literal['payment', 'setup']") -> CheckoutRequest:
    return a_page(NOTHING, mode)


Says = Callable[[Capabilities], bool]
Call = Callable[[Rig], Awaitable[object]]
CALLS: Mapping[str, tuple[Says, Call]] = {
    "setup of a card": (
        lambda can: "card" in can.setups,
        lambda rig: rig.gateway.start_setup("cus_none", "setup:1", "card"),
    ),
    "setup of a bank account": (
        lambda can: "us_bank_account" in can.setups,
        lambda rig: rig.gateway.start_setup("cus_none", "setup:2", "us_bank_account"),
    ),
    "proof of a bank account": (
        lambda can: "us_bank_account" in can.setups,
        lambda rig: rig.gateway.verify_setup(
            "cus_none", "seti_none", Microdeposits((32, 45)), "verify:1"
        ),
    ),
    "bank accounts that wait": (
        lambda can: "us_bank_account" in can.setups,
        lambda rig: rig.gateway.list_waiting_setups("cus_none"),
    ),
    "token of a page": (
        lambda can: can.saves_tokens,
        lambda rig: rig.gateway.save_token("cus_none", "token_none"),
    ),
    "capture": (
        lambda can: can.captures,
        lambda rig: rig.gateway.capture("pi_none", Money(100, "USD"), "capture:1"),
    ),
    "refund": (
        lambda can: can.refunds,
        lambda rig: rig.gateway.refund(a_refund(NOTHING, "pi_none", 100)),
    ),
    "look-up of a refund": (
        lambda can: can.refunds,
        lambda rig: rig.gateway.look_up_refund(a_refund(NOTHING, "pi_none", 100), "re_none", NOW),
    ),
    "page for a payment": (
        lambda can: "payment" in can.checkout,
        lambda rig: rig.gateway.start_checkout(_page("payment")),
    ),
    "page for a setup": (
        lambda can: "setup" in can.checkout,
        lambda rig: rig.gateway.start_checkout(_page("setup")),
    ),
    "schedule": (
        lambda can: can.owns_schedule,
        lambda rig: rig.gateway.subscribe(
            SubscribeRequest(
                charge=NOTHING, initial_days=30, recurring=Money(100, "USD"), period_days=30
            )
        ),
    ),
    "end of a schedule": (
        lambda can: can.owns_schedule,
        lambda rig: rig.gateway.cancel_subscription("sub_none", "end:1"),
    ),
    "look at a schedule": (
        lambda can: can.owns_schedule,
        lambda rig: rig.gateway.view_subscription("sub_none"),
    ),
    "list of events": (
        lambda can: can.lists_events is not None,
        lambda rig: rig.gateway.list_events(NOW - timedelta(hours=1), None),
    ),
    "list of transactions": (
        lambda can: can.lists_transactions,
        lambda rig: rig.gateway.list_transactions(NOW - timedelta(hours=1), NOW, None),
    ),
}


@pytest.mark.parametrize("what", list(CALLS))
async def test_only_what_it_says_it_can_not_is_refused_as_such(rig: Rig, what: str) -> None:
    says, call = CALLS[what]
    try:
        await call(rig)
        refused = False
    except TallystickError as error:  # an object that is not there may be an error of its own
        refused = isinstance(error, Conflict) and error.code == "gateway_can_not"
    assert refused == (not says(rig.gateway.capabilities))
    assert list(await rig.taken()) == []


async def test_it_refuses_part_of_a_refund_if_it_can_not(rig: Rig) -> None:
    can = rig.gateway.capabilities
    if not can.refunds or can.refunds_in_part:
        return
    part = replace(a_refund(NOTHING, "none", 100), amount=Money(99, "USD"))
    with pytest.raises(Conflict, match="can not"):
        await rig.gateway.refund(part)


async def test_it_has_the_name_and_the_limits_that_it_tells(rig: Rig) -> None:
    can = rig.gateway.capabilities
    assert rig.gateway.name
    assert can.setups <= {"card", "us_bank_account"}
    assert can.checkout <= {"payment", "setup", "subscription"}
    assert can.refunds or not can.refunds_in_part
    for span in (can.keeps_keys, can.lists_events):
        assert span is None or span > timedelta()
