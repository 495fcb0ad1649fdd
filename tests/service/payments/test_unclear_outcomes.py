"""Lost replies, lost webhooks, killed processes, several workers: money is booked once or not."""

import asyncio
import random
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from tallystick.invoices.model import Status
from tallystick.kernel.db import WRITER
from tallystick.kernel.errors import Conflict
from tallystick.money.amount import Money
from tallystick.payments.attempts import Recorded
from tallystick.payments.gateway import Gateways
from tallystick.payments.gateways.stripe import StripeGateway
from tallystick.payments.model import AttemptOutcome, Payment, PaymentStatus
from tallystick.payments.outcomes import Declined, NeedsAction, Outcome, Pending, Succeeded, Unknown
from tallystick.payments.requests import Charge

if TYPE_CHECKING:
    from tests.service.payments.conftest import World

INTENTS = "/v1/payment_intents"
TRIES = 3  # the SDK's own, all with one key


class Killed(BaseException):
    """The process is gone: nothing of ours runs after it."""


class DiesBeforeCall(StripeGateway):
    async def charge(self, charge: Charge) -> Outcome:
        raise Killed(charge.key)


class DiesAfterCall(StripeGateway):
    async def charge(self, charge: Charge) -> Outcome:
        await super().charge(charge)
        raise Killed(charge.key)


async def owing(world: "World", card: str = "pm_card_visa") -> tuple[UUID, UUID]:
    """Return an account with a card and an open invoice whose wish is due."""
    world.endpoint.arrive = world.take_in
    account = await world.account()
    await world.save_card(account, card)
    invoice = await world.invoice(account)
    world.mute()
    await world.teller.run_due(world.clock())
    return account, invoice


async def begun(world: "World") -> Payment:
    """Return a payment whose only attempt is written down and was never sent."""
    account, _ = await owing(world)
    world.wire(Gateways([DiesBeforeCall(world.settings)]))
    await world.collector.run_due(world.clock(), None)
    world.wire(Gateways([world.stripe]))
    return await world.payment(account)


async def assert_paid_once(world: "World", account: UUID, invoice: UUID) -> None:
    payments = await world.payments(account)
    assert [payment.status for payment in payments] == [PaymentStatus.SUCCEEDED]
    assert len(await world.charges()) == 1
    assert await world.settled_entries(account) == 1
    assert await world.balances(account) == (0, 4900)
    assert (await world.get_invoice(account, invoice)).status is Status.PAID
    assert (await world.told(account)).count("payment.succeeded") == 1


async def test_a_lost_reply_is_unknown_and_resolved_to_one_charge(world: "World") -> None:
    account, invoice = await owing(world)
    await world.arm("drop_reply", path=INTENTS, times=TRIES)
    await world.collector.run_due(world.clock(), None)
    payment = await world.payment(account)
    attempt = await world.attempt(payment)
    assert payment.status is PaymentStatus.PROCESSING
    assert (attempt.outcome, attempt.code) == (AttemptOutcome.UNKNOWN, "no_answer")
    assert await world.balances(account) == (4900, 0)
    world.ahead = timedelta(minutes=5)
    await world.settle_down()
    await assert_paid_once(world, account, invoice)


async def test_a_kept_500_is_found_by_its_metadata(world: "World") -> None:
    """Stripe repeats its own 500 for that key, so the charge has to be searched for."""
    account, invoice = await owing(world)
    await world.arm("status_after", path=INTENTS, method="POST", status=500, keep_answer=True)
    await world.collector.run_due(world.clock(), None)
    assert (await world.attempt(await world.payment(account))).outcome is AttemptOutcome.UNKNOWN
    world.ahead = timedelta(minutes=5)
    await world.settle_down()
    await assert_paid_once(world, account, invoice)


async def test_after_a_day_the_charge_is_searched_for_and_not_sent_again(world: "World") -> None:
    account, invoice = await owing(world)
    await world.arm("drop_reply", path=INTENTS, times=TRIES)
    await world.collector.run_due(world.clock(), None)
    sent = len([r for r in await world.look("requests") if r["method"] == "POST"])
    world.ahead = timedelta(hours=25)
    await world.settle_down()
    assert len([r for r in await world.look("requests") if r["method"] == "POST"]) == sent
    await assert_paid_once(world, account, invoice)


async def test_after_a_day_a_charge_that_never_arrived_fails(world: "World") -> None:
    payment = await begun(world)
    world.ahead = timedelta(hours=25)
    await world.settle_down()
    after = await world.payment(payment.account_id)
    assert (after.status, after.failure_code) == (PaymentStatus.FAILED, "never_charged")
    assert await world.look("payment_intents") == []


@pytest.mark.parametrize("status", [409, 429, 500, 503])
async def test_a_busy_or_broken_gateway_is_asked_again_with_the_same_key(
    world: "World", status: int
) -> None:
    account, invoice = await owing(world)
    await world.arm("status", path=INTENTS, times=None, status=status)
    await world.collector.run_due(world.clock(), None)
    assert (await world.attempt(await world.payment(account))).outcome is AttemptOutcome.UNKNOWN
    await world.disarm()
    world.ahead = timedelta(minutes=5)
    await world.settle_down()
    await assert_paid_once(world, account, invoice)
    keys = {
        request["idempotency_key"]
        for request in await world.look("requests")
        if request["path"] == INTENTS and request["method"] == "POST"
    }
    assert len(keys) == 1


async def test_a_refused_key_leaves_the_payment_open_until_it_is_mended(world: "World") -> None:
    account, invoice = await owing(world)
    await world.arm("status", path=INTENTS, times=None, status=401)
    await world.collector.run_due(world.clock(), None)
    attempt = await world.attempt(await world.payment(account))
    assert attempt.outcome is AttemptOutcome.UNKNOWN
    await world.disarm()
    world.ahead = timedelta(minutes=5)
    await world.settle_down()
    await assert_paid_once(world, account, invoice)


async def test_killed_before_the_call_it_is_charged_once_later(world: "World") -> None:
    payment = await begun(world)
    assert await world.look("payment_intents") == []
    assert (await world.attempt(payment)).outcome is AttemptOutcome.CREATED
    assert await world.resolver.run_due(world.clock()) == 0  # the lease has not run out
    world.ahead = timedelta(minutes=3)
    await world.settle_down()
    assert payment.invoice_id is not None
    await assert_paid_once(world, payment.account_id, payment.invoice_id)


async def test_killed_after_the_call_nothing_is_charged_again(world: "World") -> None:
    account, invoice = await owing(world)
    world.wire(Gateways([DiesAfterCall(world.settings)]))
    await world.collector.run_due(world.clock(), None)
    world.wire(Gateways([world.stripe]))
    assert len(await world.charges()) == 1
    world.ahead = timedelta(minutes=3)
    await world.settle_down()
    await assert_paid_once(world, account, invoice)


async def test_killed_after_recording_nothing_is_left_to_do(world: "World") -> None:
    account, invoice = await owing(world)
    await world.collector.run_due(world.clock(), None)
    world.ahead = timedelta(hours=30)
    await world.settle_down()
    await assert_paid_once(world, account, invoice)


async def test_a_webhook_before_the_answer_settles_and_the_answer_changes_nothing(
    world: "World",
) -> None:
    account, invoice = await owing(world)

    class HearsFirst(StripeGateway):
        async def charge(self, charge: Charge) -> Outcome:
            outcome = await super().charge(charge)
            await world.deliver("payment_intent.succeeded")
            await world.inbox_worker.run_due(world.clock())
            assert (await world.payment(account)).status is PaymentStatus.SUCCEEDED
            return outcome

    world.collector._tries._gateways = Gateways([HearsFirst(world.settings)])
    await world.collector.run_due(world.clock(), None)
    await world.settle_down()
    await assert_paid_once(world, account, invoice)


@pytest.mark.parametrize("times", [0, 1, 3])
async def test_an_answer_and_any_number_of_webhooks_settle_once(world: "World", times: int) -> None:
    account, invoice = await owing(world)
    await world.collector.run_due(world.clock(), None)
    for _ in range(times):
        await world.deliver("payment_intent.succeeded")
        await world.settle_down()
    await assert_paid_once(world, account, invoice)


async def test_a_lost_reply_and_three_webhooks_settle_once(world: "World") -> None:
    account, invoice = await owing(world)
    await world.arm("drop_reply", path=INTENTS, times=TRIES)
    await world.collector.run_due(world.clock(), None)
    await world.deliver("payment_intent.succeeded", times=3)
    await world.settle_down()
    await assert_paid_once(world, account, invoice)


async def test_two_workers_at_once_charge_once(world: "World") -> None:
    account, invoice = await owing(world)
    now = world.clock()
    handled = await asyncio.gather(*(world.collector.run_due(now, None) for _ in range(4)))
    assert sorted(handled) == [0, 0, 0, 1]
    await assert_paid_once(world, account, invoice)


async def test_answer_look_and_webhook_at_the_same_moment_settle_once(world: "World") -> None:
    account, invoice = await owing(world)
    await world.arm("drop_reply", path=INTENTS, times=TRIES)
    await world.collector.run_due(world.clock(), None)
    payment = await world.payment(account)
    attempt = await world.attempt(payment)
    await world.deliver("payment_intent.succeeded")
    world.ahead = timedelta(minutes=5)
    now = world.clock()
    money = Succeeded((await world.look("payment_intents"))[0]["id"], payment.amount)
    await asyncio.gather(
        world.resolver.run_due(now),
        world.resolver.run_due(now),
        world.inbox_worker.run_due(now),
        world.tries.record(account, attempt.payment_attempt_id, money),
        world.tries.record(account, attempt.payment_attempt_id, money),
    )
    await world.settle_down()
    await assert_paid_once(world, account, invoice)


async def test_any_order_of_news_with_money_in_it_ends_paid_and_booked_once(
    world: "World",
) -> None:
    for seed in range(6):
        payment = await begun(world)
        attempt = await world.attempt(payment)
        reference = f"pi_{seed}"
        news: Sequence[Outcome] = [
            Unknown("no_answer"),
            Pending(reference),
            NeedsAction(reference),
            Declined("insufficient_funds", reference=reference),
            Declined("cancelled", reference=reference),
            Succeeded(reference, payment.amount),
        ] * 2
        shuffled = random.Random(seed).sample(news, len(news))  # noqa: S311 - a test's order
        for outcome in shuffled:
            await world.tries.record(payment.account_id, attempt.payment_attempt_id, outcome)
        after = await world.payment(payment.account_id)
        assert after.status is PaymentStatus.SUCCEEDED, f"seed {seed}: {shuffled}"
        assert await world.settled_entries(payment.account_id) == 1
        assert await world.balances(payment.account_id) == (0, 4900)


@pytest.mark.parametrize("received", [Money(4899, "USD"), Money(4901, "USD"), Money(4900, "EUR")])
async def test_another_amount_than_wished_for_books_nothing_and_waits_for_a_person(
    world: "World", received: Money
) -> None:
    payment = await begun(world)
    attempt = await world.attempt(payment)
    news = Succeeded("pi_other", received)
    for _ in range(2):
        recording = await world.tries.record(payment.account_id, attempt.payment_attempt_id, news)
        assert (recording.result, recording.problem) == (Recorded.PARKED, "amount_differs")
    world.ahead = timedelta(hours=48)
    assert await world.resolver.run_due(world.clock()) == 0
    assert (await world.payment(payment.account_id)).status is PaymentStatus.PROCESSING
    assert await world.settled_entries(payment.account_id) == 0
    assert await world.balances(payment.account_id) == (4900, 0)


async def test_two_payments_that_both_come_in_are_both_booked_and_one_is_over(
    world: "World",
) -> None:
    """An old page was confirmed after all: the invoice is paid once, the rest is prepaid."""
    payment = await begun(world)
    attempt = await world.attempt(payment)
    account, invoice = payment.account_id, payment.invoice_id
    assert invoice is not None
    key = (account, attempt.payment_attempt_id)
    await world.tries.record(*key, Declined("card_declined", reference="pi_1"))
    await world.collector.pay_invoice(account, invoice, request_key="again")
    await world.tries.record(*key, Succeeded("pi_1", payment.amount))
    assert await world.settled_entries(account) == 2
    assert await world.balances(account) == (0, 9800)
    assert await world.prepaid(account) == 4900
    assert (await world.get_invoice(account, invoice)).paid.minor == 4900


async def test_an_invoice_paid_meanwhile_cancels_the_wish(world: "World") -> None:
    account, invoice = await owing(world)
    async with world.db.transaction(WRITER) as conn:
        await conn.execute(
            "UPDATE invoices SET status = 'paid', paid_minor = 4900 WHERE invoice_id = $1", invoice
        )
    await world.collector.run_due(world.clock(), None)
    assert (await world.payment(account)).status is PaymentStatus.CANCELLED
    assert await world.look("payment_intents") == []


async def test_a_partly_paid_invoice_is_charged_for_the_rest(world: "World") -> None:
    account, invoice = await owing(world)
    async with world.db.transaction(WRITER) as conn:
        await conn.execute("UPDATE invoices SET paid_minor = 900 WHERE invoice_id = $1", invoice)
    await world.collector.run_due(world.clock(), None)
    (charge,) = await world.charges()
    assert charge["amount"] == 4000
    assert (await world.get_invoice(account, invoice)).status is Status.PAID


async def test_a_decline_whose_reply_was_lost_is_learned_from_its_webhook(world: "World") -> None:
    account, _ = await owing(world, "pm_card_chargeCustomerFail")
    await world.arm("drop_reply", path=INTENTS, times=TRIES)
    await world.collector.run_due(world.clock(), None)
    await world.deliver("payment_intent.payment_failed", times=2)
    await world.settle_down()
    payment = await world.payment(account)
    assert (payment.status, payment.failure_code) == (PaymentStatus.FAILED, "card_declined")
    assert (await world.told(account)).count("payment.failed") == 1
    world.ahead = timedelta(hours=2)
    await world.settle_down()
    assert await world.charges() == []


async def test_a_bank_that_asks_is_heard_of_by_webhook_too(world: "World") -> None:
    account, _ = await owing(world, "pm_card_authenticationRequired")
    await world.arm("drop_reply", path=INTENTS, times=TRIES)
    await world.collector.run_due(world.clock(), None)
    await world.deliver("payment_intent.payment_failed")
    await world.settle_down()
    payment = await world.payment(account)
    assert payment.status is PaymentStatus.PROCESSING
    assert (await world.attempt(payment)).outcome is AttemptOutcome.NEEDS_ACTION
    assert (await world.told(account)).count("payment.action_needed") == 1


async def test_a_payer_who_comes_back_sees_the_result_without_any_webhook(world: "World") -> None:
    account, invoice = await owing(world, "pm_card_authenticationRequired")
    await world.collector.run_due(world.clock(), None)
    payment = await world.payment(account)
    secret = (await world.collector.start_action(account, payment.payment_id)).client_secret
    reference = (await world.attempt(payment)).gateway_reference
    (method,) = await world.methods(account)
    path = f"{INTENTS}/{reference}/confirm"
    await world.page(path, client_secret=secret, payment_method=method.token)
    await world.page("/_page/authenticate", client_secret=secret, outcome="complete")
    view = await world.collector.refresh(account, payment.payment_id)
    assert view.payment.status is PaymentStatus.SUCCEEDED
    await assert_paid_once(world, account, invoice)
    with pytest.raises(Conflict):
        await world.collector.start_action(account, payment.payment_id)


async def test_a_lost_webhook_of_a_payer_is_found_by_the_slow_look(world: "World") -> None:
    account, invoice = await owing(world, "pm_card_authenticationRequired")
    await world.collector.run_due(world.clock(), None)
    payment = await world.payment(account)
    secret = (await world.collector.start_action(account, payment.payment_id)).client_secret
    reference = (await world.attempt(payment)).gateway_reference
    (method,) = await world.methods(account)
    path = f"{INTENTS}/{reference}/confirm"
    await world.page(path, client_secret=secret, payment_method=method.token)
    await world.page("/_page/authenticate", client_secret=secret, outcome="complete")
    await world.settle_down()
    assert (await world.payment(account)).status is PaymentStatus.PROCESSING
    world.ahead = timedelta(hours=2)
    await world.settle_down()
    await assert_paid_once(world, account, invoice)
