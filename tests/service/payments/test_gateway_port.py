"""What Stripe's adapter adds to what every adapter promises (`tests/contract/gateways`)."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tallystick.kernel.ids import new_id
from tallystick.money.amount import Money
from tallystick.payments.gateway import Gateway
from tallystick.payments.outcomes import Unknown
from tallystick.payments.requests import Charge, CustomerDetails, Refund

if TYPE_CHECKING:
    from tests.service.payments.conftest import World


async def a_charge(world: "World", gateway: Gateway, minor: int = 4900) -> Charge:
    """Return a charge that this gateway can carry out."""
    account, method = await world.account(), "none"
    customer = await gateway.ensure_customer(CustomerDetails(account, "A", "a@x.example"), "c")
    if "card" in gateway.capabilities.setups:
        method = (await world.save_card(account)).token
        customer = await world.setup.ensure_customer(account, gateway.name)
    attempt = new_id()
    return Charge(
        key=f"pay:{attempt}:1",
        amount=Money(minor, "USD"),
        customer_token=customer,
        method_token=method,
        method_type="card",
        account_id=account,
        payment_id=new_id(),
        attempt_id=attempt,
        started_at=datetime.now(UTC),
    )


def a_refund(charge: Charge, reference: str, key: str, minor: int) -> Refund:
    """Return a wish to give a part of a charge back."""
    return Refund(
        key=key,
        reference=reference,
        amount=Money(minor, charge.amount.currency),
        charged=charge.amount,
        account_id=charge.account_id,
        refund_id=new_id(),
        started_at=datetime.now(UTC),
    )


async def test_another_amount_under_the_same_key_is_never_charged(world: "World") -> None:
    charge = await a_charge(world, world.stripe)
    await world.stripe.charge(charge)
    other = replace(charge, amount=Money(5000, "USD"))
    assert await world.stripe.charge(other) == Unknown("idempotency_conflict")
    assert len(await world.charges()) == 1


async def test_every_post_to_stripe_carries_a_key_of_ours(world: "World") -> None:
    account = await world.account()
    await world.save_card(account)
    await world.invoice(account)
    await world.settle_down()
    keys = [
        request["idempotency_key"]
        for request in await world.look("requests")
        if request["method"] == "POST"
        and request["path"].startswith("/v1/")
        and not request["path"].endswith("/confirm")
    ]
    assert len(keys) >= 4
    assert all(key.startswith(("cus:", "setup:", "pay:")) for key in keys), keys
