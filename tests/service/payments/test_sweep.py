"""The sweep: what is unclear for long, or parked, is asked about again and named for a person."""

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from tallystick.kernel.errors import Conflict
from tallystick.money.amount import Money
from tallystick.payments.gateway import Gateways
from tallystick.payments.gateways.manual import ManualGateway
from tallystick.payments.gateways.stripe import StripeGateway
from tallystick.payments.model import AttemptOutcome, PaymentStatus
from tallystick.payments.outcomes import Outcome, Succeeded
from tallystick.payments.refunds import Refunds
from tallystick.payments.requests import Charge
from tallystick.payments.sweep import Sweep
from tallystick.payments.unclear import Kind, Reason
from tests.service.payments.refunds import REFUNDS, Back
from tests.service.payments.test_unclear_outcomes import (
    INTENTS,
    TRIES,
    assert_paid_once,
    begun,
    owing,
)

if TYPE_CHECKING:
    from datetime import datetime

    from tests.service.payments.conftest import World

DAY = timedelta(hours=25)


def sweep_of(world: "World") -> Sweep:
    refunds = Refunds(world.db, world.gateways, world.clock)
    return Sweep(world.db, world.gateways, world.tries, refunds, world.clock)


async def test_what_is_young_or_clear_is_not_unclear(world: "World") -> None:
    sweep = sweep_of(world)
    await begun(world)
    assert await sweep.run_due(world.clock()) == 0
    assert (await sweep_of(world).unclear()).total == 0
    await world.settle_down()
    world.ahead += DAY
    await world.settle_down()
    assert (await sweep_of(world).unclear()).total == 0


async def test_what_nobody_could_answer_is_named_and_cleared_by_the_sweep(world: "World") -> None:
    account, invoice = await owing(world)
    await world.arm("drop_reply", path=INTENTS, times=TRIES)
    await world.collector.run_due(world.clock(), None)
    world.ahead += timedelta(hours=2)
    sweep = sweep_of(world)
    (one,) = (await sweep.unclear()).oldest
    assert (one.reason, one.outcome, one.code) == (Reason.NO_ANSWER, "unknown", "no_answer")
    assert (one.account_id, one.amount) == (account, Money(4900, "USD"))
    assert await sweep.run_due(world.clock()) == 1
    assert (await sweep.unclear()).total == 0
    await assert_paid_once(world, account, invoice)
    assert await sweep.run_due(world.clock()) == 0


async def test_the_sweep_asks_once_a_day_and_at_once_when_somebody_wants_to_know(
    world: "World",
) -> None:
    await owing(world)
    await world.arm("status", path=f"{INTENTS}*", times=None, status=409)
    await world.collector.run_due(world.clock(), None)
    world.ahead += timedelta(hours=2)
    sweep = sweep_of(world)
    assert [await sweep.run_due(world.clock()) for _ in range(2)] == [1, 0]
    assert await sweep.run_all() == 1
    world.ahead += DAY
    assert [await sweep.run_due(world.clock()) for _ in range(2)] == [1, 0]
    ((only,), total) = (await sweep.unclear()).oldest, (await sweep.unclear()).total
    assert (only.tried_count, total) == (3, 1)


class SaysOtherwise(StripeGateway):
    """Stripe as it tells of one cent less than was charged, until it comes to its senses."""

    is_confused = True

    async def look_up(self, charge: Charge, reference: str | None, now: "datetime") -> Outcome:
        outcome = await super().look_up(charge, reference, now)
        if self.is_confused and isinstance(outcome, Succeeded):
            return replace(outcome, reference="pi_other")
        return outcome


async def test_what_was_parked_is_asked_about_daily_until_the_gateway_agrees_with_itself(
    world: "World",
) -> None:
    account, invoice = await owing(world, "pm_card_authenticationRequired")
    confused = SaysOtherwise(world.settings)
    world.wire(Gateways([confused]))
    await world.collector.run_due(world.clock(), None)
    payment = await world.payment(account)
    secret = (await world.collector.start_action(account, payment.payment_id)).client_secret
    reference = (await world.attempt(payment)).gateway_reference
    (method,) = await world.methods(account)
    path = f"{INTENTS}/{reference}/confirm"
    await world.page(path, client_secret=secret, payment_method=method.token)
    await world.page("/_page/authenticate", client_secret=secret, outcome="complete")
    world.ahead += timedelta(hours=2)
    await world.resolver.run_due(world.clock())
    sweep = sweep_of(world)
    (one,) = (await sweep.unclear()).oldest
    assert (one.reason, one.next_try_at) == (Reason.REFERENCE_DIFFERS, None)
    assert await sweep.run_due(world.clock()) == 1
    assert (await world.payment(account)).status is PaymentStatus.PROCESSING
    confused.is_confused = False
    world.ahead += DAY
    assert await world.resolver.run_due(world.clock()) == 0
    assert await sweep.run_due(world.clock()) == 1
    await assert_paid_once(world, account, invoice)
    await confused.close()


async def test_a_gateway_without_keys_is_named_and_a_payer_who_is_away_after_a_week(
    world: "World",
) -> None:
    account, _ = await owing(world, "pm_card_authenticationRequired")
    await world.collector.run_due(world.clock(), None)
    world.ahead += timedelta(days=6)
    assert (await sweep_of(world).unclear()).total == 0
    world.ahead += timedelta(days=2)
    (one,) = (await sweep_of(world).unclear()).oldest
    assert (one.reason, one.outcome) == (Reason.PAYER_IS_AWAY, AttemptOutcome.NEEDS_ACTION)
    stripe = world.gateways
    world.wire(Gateways([ManualGateway()]))
    (one,) = (await sweep_of(world).unclear()).oldest
    assert one.reason is Reason.GATEWAY_NOT_CONFIGURED
    assert await sweep_of(world).run_all() == 0
    world.wire(stripe)
    assert (await world.payment(account)).status is PaymentStatus.PROCESSING


async def test_a_person_asks_about_one_payment_and_hears_when_nothing_is_under_way(
    world: "World",
) -> None:
    account, invoice = await owing(world)
    await world.arm("drop_reply", path=INTENTS, times=TRIES)
    await world.collector.run_due(world.clock(), None)
    payment = await world.payment(account)
    await sweep_of(world).look_again(account, payment.payment_id)
    await assert_paid_once(world, account, invoice)
    with pytest.raises(Conflict, match="under way"):
        await sweep_of(world).look_again(account, payment.payment_id)


async def test_a_refund_without_an_answer_is_named_and_cleared_too(world: "World") -> None:
    back = Back(world)
    account, _, payment = await back.paid()
    await world.arm("drop_reply", path=REFUNDS, times=TRIES)
    await back.ask(account, payment, amount_minor=1000)
    world.ahead += timedelta(hours=2)
    sweep = sweep_of(world)
    (one,) = (await sweep.unclear()).oldest
    assert (one.kind, one.amount, one.reason) == (
        Kind.REFUND,
        Money(1000, "USD"),
        Reason.NO_ANSWER,
    )
    await sweep.look_again(account, payment)
    assert (await sweep.unclear()).total == 0
    assert [one["amount"] for one in await world.look("refunds")] == [1000]
    assert (await world.payment(account)).status is PaymentStatus.PARTIALLY_REFUNDED
    assert await sweep.run_due(world.clock()) == 0
