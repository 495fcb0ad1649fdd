"""What gateways tell of money that went back: refunds made there, disputes, returns."""

from itertools import permutations
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from msgspec.structs import replace

from tallystick.credit_notes.model import RefundStatus
from tallystick.kernel.db import WRITER
from tallystick.kernel.ids import new_id
from tallystick.ledger.service import list_balances
from tallystick.money.amount import Money
from tallystick.payments.facts import (
    ChargeReturned,
    DisputeReported,
    DisputeState,
    RefundReported,
)
from tallystick.payments.gateway import Gateways
from tallystick.payments.gateways.stripe import StripeGateway
from tallystick.payments.model import PaymentStatus
from tallystick.payments.outcomes import Declined, Outcome, Pending, Succeeded
from tallystick.payments.refund_payment import make_by_hand
from tallystick.payments.verdicts import Handled, Parked, Skipped
from tests.service.payments.refunds import Back

if TYPE_CHECKING:
    from tests.service.payments.conftest import World

OPENED, WON, LOST, WARNING = (
    DisputeState.OPENED, DisputeState.WON, DisputeState.LOST, DisputeState.WARNING,
)  # fmt: skip


@pytest.fixture
def back(world: "World") -> Back:
    return Back(world)


def usd(minor: int) -> Money:
    return Money(minor, "USD")


async def charge_of(back: Back, account: UUID) -> str:
    reference = (await back.world.payment(account)).reference
    assert reference is not None
    return reference


async def made_there(back: Back, account: UUID, minor: int) -> RefundReported:
    """Refund at Stripe itself, as its dashboard does, and return what is told of it."""
    charge = await charge_of(back, account)
    stripe = {"authorization": "Bearer sk_test_dashboard"}
    form = {"payment_intent": charge, "amount": str(minor)}
    answer = (await back.world.http.post("/v1/refunds", data=form, headers=stripe)).json()
    amount = usd(minor)
    return RefundReported(answer["id"], charge, amount, Succeeded(answer["id"], amount))


def disputed(charge: str, state: DisputeState, minor: int = 4900) -> DisputeReported:
    return DisputeReported("dp_1", charge, usd(minor), state, "fraudulent")


# -- refunds made at the gateway --


async def test_a_refund_made_in_the_dashboard_is_booked_once_with_a_note(back: Back) -> None:
    account, invoice, _ = await back.paid()
    fact = await made_there(back, account, 900)
    for _ in range(2):
        assert await back.tell(fact) == Handled(account)
    (note,) = await back.notes(account, invoice)
    (wish,) = await back.wishes(account, invoice)
    assert (note.refund.minor, note.text) == (900, f"Refunded at stripe ({fact.reference})")
    assert (wish.status, wish.made_through, wish.reference) == ("made", "stripe", fact.reference)
    assert await back.books(account) == {"clearing:stripe": 4000, "revenue": -4000}
    assert (await back.world.payment(account)).status is PaymentStatus.PARTIALLY_REFUNDED


async def test_it_comes_by_webhook_by_every_event_that_tells_of_it(back: Back) -> None:
    account, invoice, _ = await back.paid()
    await made_there(back, account, 900)
    for kind in ("charge.refunded", "refund.created"):
        await back.world.deliver(kind, times=2)
        await back.world.settle_down()
    await made_there(back, account, 100)
    await back.world.endpoint.wait("charge.refunded", 2)
    await back.world.deliver("charge.refunded")
    await back.world.settle_down()
    assert [note.refund.minor for note in await back.notes(account, invoice)] == [900, 100]


async def test_it_makes_the_wish_that_waits_for_exactly_this(back: Back) -> None:
    account, invoice, payment = await back.paid()
    back.world.wire(Gateways([Refuses(back.world.settings)]))
    wish = await back.ask(account, payment, amount_minor=900)
    assert wish.status is RefundStatus.REQUESTED
    back.world.wire(Gateways([back.world.stripe]))
    assert await back.tell(await made_there(back, account, 900)) == Handled(account)
    assert (await back.read(wish)).status is RefundStatus.MADE
    assert len(await back.notes(account, invoice)) == 1


async def test_what_was_booked_by_hand_under_its_name_is_not_booked_again(back: Back) -> None:
    account, invoice, payment = await back.paid()
    back.world.wire(Gateways([Refuses(back.world.settings)]))
    wish = await back.ask(account, payment, amount_minor=900)
    back.world.wire(Gateways([back.world.stripe]))
    fact = await made_there(back, account, 900)
    async with back.world.db.transaction(WRITER) as conn:
        await make_by_hand(conn, account, wish.refund_id, fact.reference, wall=back.world.clock())
    assert await back.tell(fact) == Handled(account)
    assert len(await back.notes(account, invoice)) == 1


async def test_one_that_failed_since_is_not_booked_and_one_that_fails_is_booked_back(
    back: Back,
) -> None:
    account, invoice, _ = await back.paid()
    fact = await made_there(back, account, 900)
    failed = replace(fact, outcome=Declined("processing_error", reference=fact.reference))
    assert await back.tell(failed) == Skipped("refund_not_made")
    assert await back.tell(replace(fact, outcome=Pending())) == Skipped("refund_not_made")
    assert await back.tell(fact) == Handled(account)
    assert await back.tell(failed) == Handled(account)
    (wish,) = await back.wishes(account, invoice)
    assert (wish.status, wish.problem, wish.made.minor) == ("requested", "processing_error", 0)
    assert (await back.books(account))["clearing:stripe"] == 4900
    assert "refund.failed" in await back.world.told(account)


async def test_a_refund_that_can_not_be_ours_is_parked_and_books_nothing(back: Back) -> None:
    account, invoice, payment = await back.paid()
    fact = await made_there(back, account, 50)
    wish = await back.ask(account, payment, amount_minor=100)
    (attempt,) = await back.attempts(wish)
    before = await back.books(account)
    euros, beyond = Money(900, "EUR"), usd(4801)
    for told, why in (
        (replace(fact, charge_reference="pi_none"), "charge_unknown"),
        (replace(fact, outcome=Succeeded(fact.reference, euros)), "refund_currency_differs"),
        (replace(fact, outcome=Succeeded(fact.reference, beyond)), "refund_exceeds_payment"),
        (replace(fact, refund_id=new_id()), "refund_unknown"),
        (replace(fact, reference="re_none"), "refund_unknown"),
        (replace(fact, refund_id=attempt.refund_attempt_id, charge_reference="pi_x"),
         "charge_differs"),
        (replace(fact, refund_id=attempt.refund_attempt_id), "reference_differs"),
    ):  # fmt: skip
        verdict = await back.tell(told)
        assert isinstance(verdict, Parked)
        assert verdict.reason == why
    assert await back.books(account) == before
    assert len(await back.notes(account, invoice)) == 1


# -- disputes --


@pytest.mark.parametrize("end", [WON, LOST], ids=["won", "lost"])
async def test_news_of_a_dispute_lead_to_the_same_books_in_any_order(
    back: Back, end: DisputeState
) -> None:
    account, _, _ = await back.paid()
    orders = list(permutations((WARNING, OPENED, end)))
    for order in orders:
        invoice = await back.invoice(account)
        await back.world.settle_down()
        payment = (await back.world.payments(account))[-1]
        charge = str(payment.reference)
        for state in [*order, *order]:
            fact = replace(disputed(charge, state), reference=f"dp_{charge}")
            assert await back.tell(fact) == Handled(account)
        (dispute,) = await back.disputes(account, invoice)
        assert (dispute.status.value, dispute.code) == (end.value, "fraudulent")
        status = (await back.world.payments(account))[-1].status
        assert status is (PaymentStatus.SUCCEEDED if end is WON else PaymentStatus.DISPUTED)
    gone = 4900 * len(orders)
    books = {"clearing:stripe": 4900, "revenue": -4900 - gone}
    books["clearing:stripe" if end is WON else "receivable"] = gone + (4900 if end is WON else 0)
    assert await back.books(account) == books


async def test_a_dispute_is_seen_with_its_money_until_it_ends(back: Back) -> None:
    account, invoice, _ = await back.paid()
    charge = await charge_of(back, account)
    await back.tell(disputed(charge, WARNING))
    assert (await back.books(account))["clearing:stripe"] == 4900
    await back.tell(disputed(charge, OPENED))
    assert await back.books(account) == {"chargebacks": 4900, "revenue": -4900}
    assert (await back.world.payment(account)).status is PaymentStatus.DISPUTED
    assert (await back.world.get_invoice(account, invoice)).status == "paid"
    await back.tell(disputed(charge, LOST))
    assert (await back.world.get_invoice(account, invoice)).status == "open"
    told = await back.world.told(account)
    assert [kind for kind in told if kind.startswith("dispute.")] == [
        "dispute.opened", "dispute.lost",
    ]  # fmt: skip
    assert "invoice.reopened" in told


async def test_a_dispute_that_contradicts_what_is_known_is_parked(back: Back) -> None:
    account, _, _ = await back.paid()
    charge = await charge_of(back, account)
    await back.tell(disputed(charge, OPENED, 900))
    await back.tell(disputed(charge, LOST, 900))
    before = await back.books(account)
    for fact, why in (
        (disputed(charge, WON, 900), "dispute_ended"),
        (disputed(charge, OPENED, 800), "dispute_amount_differs"),
        (replace(disputed(charge, OPENED, 4901), reference="dp_2"), "dispute_exceeds_payment"),
        (replace(disputed(charge, OPENED), amount=Money(1, "EUR"), reference="dp_2"),
         "dispute_currency_differs"),
        (replace(disputed("pi_none", OPENED), reference="dp_2"), "charge_unknown"),
    ):  # fmt: skip
        verdict = await back.tell(fact)
        assert isinstance(verdict, Parked)
        assert verdict.reason == why
    assert await back.books(account) == before


async def test_what_a_bank_has_can_not_be_refunded_too(back: Back) -> None:
    account, _, payment = await back.paid()
    await back.tell(disputed(await charge_of(back, account), OPENED, 4000))
    wish = await back.ask(account, payment)
    assert (wish.amount.minor, wish.status) == (900, "made")


# -- returns --


async def test_a_charge_that_comes_back_late_is_due_again_once(back: Back) -> None:
    account, invoice, _ = await back.paid()
    charge = await charge_of(back, account)
    fact = ChargeReturned("ch_1", charge, usd(4900), "insufficient_funds")
    # Stripe may tell of it as a failed charge and as a dispute: two names for one thing.
    for told in (fact, fact, replace(fact, reference="dp_9")):
        assert await back.tell(told) == Handled(account)
    payment = await back.world.payment(account)
    assert (payment.status, payment.failure_code) == ("failed", "insufficient_funds")
    assert (await back.world.get_invoice(account, invoice)).due == usd(4900)
    assert await back.books(account) == {"receivable": 4900, "revenue": -4900}
    events = await back.world.told(account)
    assert events.count("payment.returned") == 1
    assert "dispute.lost" not in events
    unknown = await back.tell(replace(fact, charge_reference="pi_none"))
    assert unknown == Parked("charge_unknown", "pi_none")


async def test_a_return_behind_a_refund_asks_only_for_what_was_not_given_back(back: Back) -> None:
    account, invoice, payment = await back.paid()
    await back.ask(account, payment, amount_minor=900)
    fact = ChargeReturned("ch_1", await charge_of(back, account), usd(4900), "no_account")
    assert await back.tell(fact) == Handled(account)
    assert (await back.world.get_invoice(account, invoice)).due == usd(4000)
    assert (await back.books(account))["bad_debt"] == 900
    async with back.world.db.transaction(WRITER) as conn:
        balances = await list_balances(conn, account)
    assert [(one.ledger_account, one.amount) for one in balances if one.amount] == [
        ("receivable", 4000)
    ]


class Refuses(StripeGateway):
    """Stripe, which refuses every refund of ours."""

    async def refund(self, refund: object) -> Outcome:
        del refund
        return Declined("processing_error")
