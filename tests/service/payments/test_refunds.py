"""Refunds through Stripe: once, never beyond what was paid, whatever gets lost on the way."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tallystick.credit_notes.model import RefundStatus
from tallystick.kernel.db import WRITER
from tallystick.kernel.errors import BadInput, Conflict, NotFound
from tallystick.kernel.ids import new_id
from tallystick.payments.gateway import Gateways
from tallystick.payments.gateways.stripe import StripeGateway
from tallystick.payments.model import AttemptOutcome, PaymentStatus
from tallystick.payments.outcomes import Declined, Outcome, Pending, Succeeded
from tallystick.payments.refund_payment import make_by_hand
from tallystick.payments.requests import Refund
from tests.service.payments.refunds import REFUNDS, Back

if TYPE_CHECKING:
    from tests.service.payments.conftest import World


@pytest.fixture
def back(world: "World") -> Back:
    return Back(world)


async def refused(work: Awaitable[object]) -> tuple[str, Any]:
    with pytest.raises((Conflict, BadInput, NotFound)) as error:
        await work
    return error.value.code, error.value.extra.get("left_cents")


async def test_a_payment_is_given_back_in_parts_and_never_beyond(back: Back) -> None:
    account, invoice, payment = await back.paid()
    first = await back.ask(account, payment, amount_minor=1000)
    assert (first.status, first.made_through, first.made.minor) == ("made", "stripe", 1000)
    assert (await back.world.payment(account)).status is PaymentStatus.PARTIALLY_REFUNDED
    assert await refused(back.ask(account, payment, amount_minor=3901)) == (
        "refund_exceeds_payment", 3900,
    )  # fmt: skip
    await back.ask(account, payment)
    assert (await back.world.payment(account)).status is PaymentStatus.REFUNDED
    assert await refused(back.ask(account, payment)) == ("refund_exceeds_payment", 0)
    assert [one["amount"] for one in await back.world.look("refunds")] == [3900, 1000]
    assert await back.books(account) == {}
    assert [note.total.minor for note in await back.notes(account, invoice)] == [1000, 3900]


async def test_the_same_request_and_two_people_at_once_give_back_once(back: Back) -> None:
    account, _, payment = await back.paid()
    twice = [back.ask(account, payment, request_key="one", amount_minor=900) for _ in range(2)]
    one, other = await asyncio.gather(*twice)
    assert one.refund_id == other.refund_id
    people = [back.ask(account, payment, left_minor=4000, amount_minor=500) for _ in range(2)]
    done = await asyncio.gather(*people, return_exceptions=True)
    (late,) = [one for one in done if isinstance(one, Conflict)]
    assert late.code == "payment_changed"
    assert [one["amount"] for one in await back.world.look("refunds")] == [500, 900]


@pytest.mark.parametrize(
    "fault",
    [
        {"action": "drop_reply", "times": 3},
        {"action": "drop_before", "times": 3},
        {"action": "status_after", "status": 500, "times": 3},
        {"action": "status_after", "status": 500, "times": 3, "keep_answer": False},
        {"action": "status", "status": 500, "times": 3},
        {"action": "status", "status": 429, "times": 3},
    ],
    ids=lambda fault: "-".join(str(value) for value in fault.values()),
)
async def test_a_gateway_that_is_away_or_lies_gives_back_once(
    back: Back, fault: dict[str, Any]
) -> None:
    account, _, payment = await back.paid()
    await back.world.arm(path=REFUNDS, **fault)
    wish = await back.ask(account, payment, amount_minor=700)
    if wish.status is not RefundStatus.MADE:
        assert (wish.status, wish.problem) == ("processing", None)
        await back.world.disarm()
        back.world.ahead += timedelta(minutes=5)
        await back.rounds()
    assert (await back.read(wish)).status is RefundStatus.MADE
    assert [one["amount"] for one in await back.world.look("refunds")] == [700]
    assert (await back.books(account))["clearing:stripe"] == 4200


async def test_the_webhook_may_come_before_the_answer_and_again_after_it(back: Back) -> None:
    account, _, payment = await back.paid()
    await back.world.arm(path=REFUNDS, action="drop_reply", times=3)
    wish = await back.ask(account, payment, amount_minor=700)
    await back.world.deliver("refund.created", times=2)
    await back.world.settle_down()
    assert (await back.read(wish)).status is RefundStatus.MADE
    back.world.ahead += timedelta(minutes=5)
    await back.rounds()
    assert len(await back.world.look("refunds")) == 1
    assert (await back.books(account))["clearing:stripe"] == 4200


async def test_a_crash_before_or_after_the_call_is_completed_by_the_next_run(back: Back) -> None:
    account, invoice, _ = await back.paid()
    for answered in (False, True):
        back.world.wire(Gateways([Dies(back.world.settings, answered=answered)]))
        wish = await back.wish(account, invoice, 1500)
        await back.refunds.begin_due(back.world.clock())
        back.world.wire(Gateways([back.world.stripe]))
        assert (await back.read(wish)).status is RefundStatus.PROCESSING
        back.world.ahead += timedelta(minutes=5)
        await back.rounds()
        assert (await back.read(wish)).status is RefundStatus.MADE
    assert [one["amount"] for one in await back.world.look("refunds")] == [1500, 1500]


async def test_a_refund_that_is_refused_goes_back_to_a_person(back: Back) -> None:
    account, _, payment = await back.paid()
    back.world.wire(Gateways([Says(back.world.settings, Declined("processing_error"))]))
    wish = await back.ask(account, payment, amount_minor=700)
    assert (wish.status, wish.problem) == ("requested", "processing_error")
    assert (await back.world.payment(account)).status is PaymentStatus.SUCCEEDED
    await back.rounds()
    assert len(await back.attempts(wish)) == 1
    back.world.wire(Gateways([back.world.stripe]))
    assert (await back.refunds.retry(account, wish.refund_id)).status is RefundStatus.MADE
    assert "refund.failed" in await back.world.told(account)
    assert await refused(back.refunds.retry(account, wish.refund_id)) == ("refund_made", None)


async def test_a_refund_that_is_refused_can_be_made_by_hand(back: Back) -> None:
    account, _, payment = await back.paid()
    back.world.wire(Gateways([Says(back.world.settings, Declined("processing_error"))]))
    wish = await back.ask(account, payment, amount_minor=4900)
    for _ in range(2):
        async with back.world.db.transaction(WRITER) as conn:
            made = await make_by_hand(
                conn, account, wish.refund_id, "SEPA-1", wall=back.world.clock()
            )
    assert (made.status, made.made_through) == ("made", "manual")
    assert (await back.world.payment(account)).status is PaymentStatus.REFUNDED
    assert await back.books(account) == {"clearing:manual": -4900, "clearing:stripe": 4900}


async def test_a_refund_under_way_is_nobody_elses_and_may_fail_days_later(back: Back) -> None:
    account, _, payment = await back.paid()
    pending = Says(back.world.settings, Pending("re_1"))
    back.world.wire(Gateways([pending]))
    wish = await back.ask(account, payment, amount_minor=700)
    async with back.world.db.transaction(WRITER) as conn:
        late = make_by_hand(conn, account, wish.refund_id, "SEPA-1", wall=back.world.clock())
        assert await refused(late) == ("refund_processing", None)
    (attempt,) = await back.attempts(wish)
    for outcome, status in (
        (Succeeded("re_1", attempt.amount), "made"),
        (Declined("processing_error", reference="re_1"), "requested"),
        (Succeeded("re_1", attempt.amount), "requested"),
    ):
        await back.refunds.record(account, attempt.refund_attempt_id, outcome)
        assert (await back.read(wish)).status == status
    assert (await back.read(wish)).problem == "processing_error"
    assert (await back.world.payment(account)).status is PaymentStatus.SUCCEEDED
    assert await back.books(account) == {
        "clearing:stripe": 4900, "revenue": -4200, "refunds": -700,
    }  # fmt: skip


async def test_a_person_has_a_refund_under_way_looked_up_at_once(back: Back) -> None:
    account, _, payment = await back.paid()
    await back.world.arm(path=REFUNDS, action="drop_reply", times=3)
    wish = await back.ask(account, payment, amount_minor=700)
    assert wish.status is RefundStatus.PROCESSING
    assert (await back.refunds.retry(account, wish.refund_id)).status is RefundStatus.MADE
    assert len(await back.world.look("refunds")) == 1


async def test_an_answer_that_can_not_be_true_is_left_to_a_person(back: Back) -> None:
    account, _, payment = await back.paid()
    wrong = Succeeded("re_1", (await back.world.payment(account)).amount)
    back.world.wire(Gateways([Says(back.world.settings, wrong)]))
    wish = await back.ask(account, payment, amount_minor=700)
    (attempt,) = await back.attempts(wish)
    assert (attempt.outcome, attempt.code) == (AttemptOutcome.UNKNOWN, "amount_differs")
    assert (await back.books(account))["clearing:stripe"] == 4900


async def test_nonsense_is_refused_and_changes_nothing(back: Back) -> None:
    account, invoice, payment = await back.paid()
    assert (await refused(back.ask(account, new_id())))[0] == "payment_not_found"
    assert (await refused(back.ask(account, payment, reason=" ")))[0] == "validation_failed"
    assert (await refused(back.ask(account, payment, amount_minor=0)))[0] == "validation_failed"
    other = await back.world.account()
    assert (await refused(back.ask(other, payment)))[0] == "payment_not_found"
    assert await back.notes(account, invoice) == ()


class Says(StripeGateway):
    """Stripe with one answer to every refund."""

    def __init__(self, settings: Any, outcome: Outcome) -> None:
        super().__init__(settings)
        self.outcome = outcome

    async def refund(self, refund: Refund) -> Outcome:
        del refund
        return self.outcome


class Killed(BaseException):
    """The process is gone: nothing of ours runs after it."""


class Dies(StripeGateway):
    """The process dies with its first refund, before the call or behind it."""

    def __init__(self, settings: Any, *, answered: bool) -> None:
        super().__init__(settings)
        self.answered = answered

    async def refund(self, refund: Refund) -> Outcome:
        if self.answered:
            await super().refund(refund)
        raise Killed(refund.key)
