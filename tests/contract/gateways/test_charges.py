"""Charges: once, found again, refused, waiting for their payer, and through an outage."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from tallystick.kernel.errors import TallystickError, Unavailable
from tallystick.money.amount import Money
from tallystick.payments.declines import DECLINES
from tallystick.payments.outcomes import Declined, NeedsAction, Pending, Succeeded, Unknown
from tests.contract.gateways.rig import Payer, Rig


def now() -> datetime:
    return datetime.now(UTC)


async def test_a_charge_is_taken_once_and_found_again(rig: Rig) -> None:
    charge = await rig.charge()
    outcome = await rig.gateway.charge(charge)
    if not rig.gateway.capabilities.charges_saved_methods:
        assert isinstance(outcome, Pending)  # a person has to say what came
        assert list(await rig.taken()) == []
        return
    assert isinstance(outcome, Succeeded)
    assert outcome.amount == charge.amount
    if rig.gateway.capabilities.keeps_keys:
        assert await rig.gateway.charge(charge) == outcome
    assert await rig.gateway.look_up(charge, outcome.reference, now()) == outcome
    assert await rig.gateway.look_up(charge, None, now()) == outcome
    assert list(await rig.taken()) == [4900]


async def test_two_charges_of_one_amount_are_two(rig: Rig) -> None:
    """Without keys too: what finds a charge again must not take its twin for it."""
    if not rig.gateway.capabilities.charges_saved_methods:
        return
    first = await rig.charge()
    second = replace(await rig.charge(), customer_token=first.customer_token)
    second = replace(second, account_id=first.account_id, method_token=first.method_token)
    outcomes = [await rig.gateway.charge(charge) for charge in (first, second)]
    references = {outcome.reference for outcome in outcomes}
    assert len(references) == 2
    looks = [await rig.gateway.look_up(charge, None, now()) for charge in (first, second)]
    assert looks == outcomes
    assert list(await rig.taken()) == [4900, 4900]


async def test_a_declined_charge_takes_nothing_and_says_why_in_our_words(rig: Rig) -> None:
    if Payer.REFUSED not in rig.payers:
        return
    charge = await rig.charge(Payer.REFUSED)
    outcome = await rig.gateway.charge(charge)
    assert isinstance(outcome, Declined)
    assert outcome.code in DECLINES
    look = await rig.gateway.look_up(charge, outcome.reference, now())
    assert isinstance(look, Declined)
    assert list(await rig.taken()) == []


async def test_a_charge_that_waits_for_its_payer_can_be_cancelled_for_good(rig: Rig) -> None:
    if Payer.ASKS not in rig.payers:
        return
    charge = await rig.charge(Payer.ASKS)
    waiting = await rig.gateway.charge(charge)
    assert isinstance(waiting, NeedsAction)
    assert (await rig.gateway.start_action(waiting.reference)).client_secret
    cancelled = Declined("cancelled", reference=waiting.reference)
    for _ in range(2):
        assert await rig.gateway.cancel(waiting.reference, f"{charge.key}:cancel") == cancelled
    assert await rig.gateway.look_up(charge, waiting.reference, now()) == cancelled
    assert list(await rig.taken()) == []


async def test_cancelling_what_is_paid_says_that_it_is(rig: Rig) -> None:
    if Payer.ASKS not in rig.payers:
        return
    paid = await rig.gateway.charge(await rig.charge())
    assert isinstance(paid, Succeeded)
    assert await rig.gateway.cancel(paid.reference, "paid:cancel") == paid


async def test_what_does_not_answer_leaves_the_outcome_unknown(rig: Rig) -> None:
    if not rig.has_network:
        return
    charge = await rig.charge()
    await rig.go_away()
    assert isinstance(await rig.gateway.charge(charge), Unknown)
    assert isinstance(await rig.gateway.look_up(charge, None, now()), Unknown)
    with pytest.raises(Unavailable):
        await rig.gateway.describe_method(charge.method_token)
    await rig.come_back()
    assert list(await rig.taken()) == []


async def test_a_lost_answer_is_found_by_looking_and_nothing_is_taken_twice(rig: Rig) -> None:
    if not rig.has_network:
        return
    charge = await rig.charge()
    await rig.drop_replies()
    assert isinstance(await rig.gateway.charge(charge), Unknown)
    assert list(await rig.taken()) == [4900]
    await rig.come_back()
    found = await rig.gateway.look_up(charge, None, now())
    assert isinstance(found, Succeeded)
    assert found.amount == charge.amount
    assert list(await rig.taken()) == [4900]


async def test_what_never_arrived_is_not_taken_for_a_success_once_keys_are_forgotten(
    rig: Rig,
) -> None:
    keeps = rig.gateway.capabilities.keeps_keys
    if keeps is None or not rig.has_network:
        return
    charge = await rig.charge()
    late = replace(charge, started_at=charge.started_at - keeps)
    assert await rig.gateway.look_up(late, None, now()) == Declined("never_charged")
    assert list(await rig.taken()) == []


async def test_an_amount_that_can_not_be_charged_is_declined_before_it_is_sent(rig: Rig) -> None:
    if not rig.gateway.capabilities.charges_saved_methods:
        return
    charge = replace(await rig.charge(), amount=Money(1, rig.currency))
    outcome = await rig.gateway.charge(charge)
    assert isinstance(outcome, Declined)
    assert outcome.code == "amount_too_small"


async def test_a_method_that_nobody_saved_is_an_error_of_ours(rig: Rig) -> None:
    with pytest.raises(TallystickError) as raised:
        await rig.gateway.describe_method("pm_none")
    assert raised.value.code in {"gateway_object_missing", "gateway_can_not"}


async def test_a_method_is_detached_once_however_often_it_is_asked_for(rig: Rig) -> None:
    charge = await rig.charge()
    for key in ("detach:1", "detach:1", "detach:2"):
        await rig.gateway.detach(charge.method_token, key)
    if rig.detaches:
        assert isinstance(await rig.gateway.charge(charge), Declined)
    assert list(await rig.taken()) == []


async def test_a_customer_asked_for_twice_is_one_also_by_another_name(rig: Rig) -> None:
    details, token = await rig.customer()
    renamed = replace(details, name="B", email="b@example.com")
    assert await rig.gateway.ensure_customer(renamed, f"cus:{details.account_id}") == token
