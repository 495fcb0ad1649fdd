"""Refunds: whole, in part, once, never above what was taken, and through an outage."""

from datetime import UTC, datetime

from tallystick.payments.outcomes import Declined, Pending, Succeeded, Unknown
from tallystick.payments.requests import Charge
from tests.contract.gateways.rig import Rig, a_refund


async def paid(rig: Rig) -> tuple[Charge, str] | None:
    """Return a charge that was taken and its reference; None where nothing can be given back."""
    can = rig.gateway.capabilities
    if not can.refunds or not can.charges_saved_methods:
        return None
    charge = await rig.charge()
    outcome = await rig.gateway.charge(charge)
    assert isinstance(outcome, Succeeded)
    return charge, outcome.reference


async def test_the_whole_is_given_back_once(rig: Rig) -> None:
    done = await paid(rig)
    if done is None:
        return
    refund = a_refund(*done, 4900)
    outcome = await rig.gateway.refund(refund)
    assert isinstance(outcome, Succeeded)
    assert outcome.amount == refund.amount
    if rig.gateway.capabilities.keeps_keys:
        assert await rig.gateway.refund(refund) == outcome
    for reference in (outcome.reference, None):
        look = await rig.gateway.look_up_refund(refund, reference, datetime.now(UTC))
        assert look == outcome
    assert list(await rig.given_back()) == [4900]
    assert isinstance(await rig.gateway.refund(a_refund(*done, 4900)), Declined)
    assert list(await rig.given_back()) == [4900]


async def test_a_refund_that_waits_for_a_person_says_so(rig: Rig) -> None:
    if rig.gateway.capabilities.charges_saved_methods or not rig.gateway.capabilities.refunds:
        return
    refund = a_refund(await rig.charge(), "bank:1", 100)
    assert isinstance(await rig.gateway.refund(refund), Pending)
    look = await rig.gateway.look_up_refund(refund, None, datetime.now(UTC))
    assert isinstance(look, Pending)


async def test_parts_are_given_back_up_to_what_was_taken_and_not_a_cent_more(rig: Rig) -> None:
    done = await paid(rig)
    if done is None or not rig.gateway.capabilities.refunds_in_part:
        return
    for minor in (1, 2449):
        assert isinstance(await rig.gateway.refund(a_refund(*done, minor)), Succeeded)
    assert isinstance(await rig.gateway.refund(a_refund(*done, 2451)), Declined)
    assert isinstance(await rig.gateway.refund(a_refund(*done, 2450)), Succeeded)
    assert sorted(await rig.given_back()) == [1, 2449, 2450]


async def test_a_refund_whose_answer_was_lost_is_found_and_given_once(rig: Rig) -> None:
    done = await paid(rig)
    if done is None:
        return
    refund = a_refund(*done, 4900)
    await rig.drop_replies()
    assert isinstance(await rig.gateway.refund(refund), Unknown)
    await rig.come_back()
    look = await rig.gateway.look_up_refund(refund, None, datetime.now(UTC))
    assert isinstance(look, Succeeded)
    assert list(await rig.given_back()) == [4900]


async def test_a_refund_that_could_not_be_sent_is_unknown_and_gives_nothing(rig: Rig) -> None:
    done = await paid(rig)
    if done is None:
        return
    refund = a_refund(*done, 4900)
    await rig.go_away()
    assert isinstance(await rig.gateway.refund(refund), Unknown)
    look = await rig.gateway.look_up_refund(refund, None, datetime.now(UTC))
    assert isinstance(look, Unknown)
    await rig.come_back()
    assert list(await rig.given_back()) == []
