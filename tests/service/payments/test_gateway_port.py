"""What every adapter promises, held against each; then what Stripe's adapter adds."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from tallystick.kernel.errors import Conflict, NotFound
from tallystick.kernel.ids import new_id
from tallystick.money.amount import Money
from tallystick.payments.facts import BadSignature, Delivery
from tallystick.payments.gateway import Gateway
from tallystick.payments.outcomes import Declined, NeedsAction, Succeeded, Unknown
from tallystick.payments.requests import Charge, CustomerDetails, Refund

if TYPE_CHECKING:
    from tests.service.payments.conftest import World

NAMES = ["stripe", "manual"]
ALL_GATEWAYS = pytest.mark.parametrize("name", NAMES)


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


@ALL_GATEWAYS
async def test_a_charge_repeated_with_its_key_is_one_charge(world: "World", name: str) -> None:
    gateway = world.gateways.get(name)
    charge = await a_charge(world, gateway)
    first = await gateway.charge(charge)
    assert await gateway.charge(charge) == first
    assert await gateway.look_up(charge, first.reference, datetime.now(UTC)) == first
    assert await gateway.look_up(charge, None, datetime.now(UTC)) == first
    assert len(await world.charges()) == (1 if name == "stripe" else 0)


@ALL_GATEWAYS
async def test_a_customer_asked_for_twice_is_one(world: "World", name: str) -> None:
    gateway = world.gateways.get(name)
    details = CustomerDetails(new_id(), "A", "a@x.example")
    token = await gateway.ensure_customer(details, "cus:1")
    renamed = CustomerDetails(details.account_id, "B", "b@x.example")
    assert await gateway.ensure_customer(renamed, "cus:1") == token


@ALL_GATEWAYS
async def test_what_nobody_signed_is_refused(world: "World", name: str) -> None:
    with pytest.raises(BadSignature):
        await world.gateways.get(name).verify_webhook(
            Delivery(body=b"{}", headers={}), datetime.now(UTC)
        )


@ALL_GATEWAYS
async def test_a_method_that_does_not_exist_is_not_found(world: "World", name: str) -> None:
    with pytest.raises((NotFound, Conflict)):
        await world.gateways.get(name).describe_method("pm_none")


async def test_another_amount_under_the_same_key_is_never_charged(world: "World") -> None:
    charge = await a_charge(world, world.stripe)
    await world.stripe.charge(charge)
    other = replace(charge, amount=Money(5000, "USD"))
    assert await world.stripe.charge(other) == Unknown("idempotency_conflict")
    assert len(await world.charges()) == 1


async def test_a_charge_that_waits_can_be_cancelled_and_a_paid_one_says_so(world: "World") -> None:
    account = await world.account()
    method = await world.save_card(account, "pm_card_authenticationRequired")
    charge = await a_charge(world, world.stripe)
    customer = await world.setup.ensure_customer(account, "stripe")
    asking = replace(charge, key="k", customer_token=customer, method_token=method.token)
    waiting = await world.stripe.charge(asking)
    assert isinstance(waiting, NeedsAction)
    cancelled = Declined("cancelled", reference=waiting.reference)
    assert await world.stripe.cancel(waiting.reference, "k:cancel") == cancelled
    paid = await world.stripe.charge(charge)
    assert isinstance(paid, Succeeded)
    assert await world.stripe.cancel(paid.reference, "p:cancel") == paid


async def test_a_refund_goes_back_once_per_key_and_never_beyond_the_charge(world: "World") -> None:
    charge = await a_charge(world, world.stripe)
    paid = await world.stripe.charge(charge)
    assert isinstance(paid, Succeeded)
    half = a_refund(charge, paid.reference, "refund:1", 2450)
    first = await world.stripe.refund(half)
    assert isinstance(first, Succeeded)
    assert first.amount == half.amount
    assert await world.stripe.refund(half) == first
    too_much = a_refund(charge, paid.reference, "refund:2", 2451)
    assert await world.stripe.refund(too_much) == Declined("payment_request_invalid", hard=True)
    assert len(await world.look("refunds")) == 1


async def test_a_method_is_detached_once_however_often_it_is_asked_for(world: "World") -> None:
    account = await world.account()
    method = await world.save_card(account)
    for key in ("detach:1", "detach:1", "detach:2"):
        await world.stripe.detach(method.token, key)
    assert (await world.stripe.describe_method(method.token)).customer_token is None


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
