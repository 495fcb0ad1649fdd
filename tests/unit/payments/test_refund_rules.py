"""Which payments a refund is paid from, how it is shared, and the machines of what goes back."""

from datetime import UTC, datetime, timedelta
from itertools import product
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.credit_notes import states
from tallystick.credit_notes.model import DisputeStatus, RefundStatus
from tallystick.credit_notes.states import RefundEvent
from tallystick.kernel.errors import Conflict
from tallystick.money.amount import Money
from tallystick.payments import refund_plan, refund_states
from tallystick.payments.model import AttemptOutcome, PaymentStatus
from tallystick.payments.outcomes import Declined, NeedsAction, Pending, Succeeded, Unknown
from tallystick.payments.refund_model import Gave, Giver, RefundAttempt
from tallystick.payments.refund_plan import status_after
from tallystick.payments.requests import Capabilities

NOW = datetime(2026, 11, 1, tzinfo=UTC)
INVOICE, OTHER = UUID(int=1), UUID(int=2)
CAN = {
    "stripe": Capabilities(refunds=True, refunds_in_part=True),
    "ccbill": Capabilities(refunds=True),
}


def giver(
    place: int, gateway: str, paid: int, back: int = 0, other: int = 0, *, was: str = "succeeded"
) -> Giver:
    gave = [Gave(invoice_id=INVOICE, paid_minor=paid, refunded_minor=back, disputed_minor=0)]
    if other:
        gave.append(Gave(invoice_id=OTHER, paid_minor=other, refunded_minor=0, disputed_minor=0))
    return Giver(
        account_id=UUID(int=9), payment_id=UUID(int=place), gateway=gateway, charge_reference="c",
        status=PaymentStatus(was), currency="USD", received_minor=paid + other,
        settled_at=NOW + timedelta(days=place), gave=tuple(gave),
    )  # fmt: skip


def planned(wished: int, *givers: Giver) -> list[tuple[int, int]]:
    parts = refund_plan.plan(wished, INVOICE, givers, CAN)
    return [(part.giver.payment_id.int, part.amount_minor) for part in parts]


def test_the_newest_payment_gives_first_and_none_more_than_is_left_of_it() -> None:
    card, later, transfer = giver(1, "stripe", 400), giver(2, "stripe", 200), giver(3, "manual", 9)
    assert planned(150, card, later) == [(2, 150)]
    assert planned(500, card, later, transfer) == [(2, 200), (1, 300)]
    assert planned(999, card, later, transfer) == [(2, 200), (1, 400)]
    assert planned(100, giver(1, "stripe", 400, 350)) == [(1, 50)]
    assert planned(100, giver(1, "stripe", 400, was="failed")) == []


def test_a_gateway_that_gives_back_whole_charges_alone_is_asked_for_nothing_else() -> None:
    assert planned(100, giver(1, "ccbill", 100)) == [(1, 100)]
    assert planned(99, giver(1, "ccbill", 100)) == []
    assert planned(100, giver(1, "ccbill", 100, other=50)) == []


@given(
    st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), max_size=5), st.integers(1, 2000)
)
def test_parts_never_exceed_the_wish_nor_what_is_left(
    paid: list[tuple[int, int]], wished: int
) -> None:
    givers = [giver(at, "stripe", one, min(back, one)) for at, (one, back) in enumerate(paid)]
    left = {one.payment_id.int: one.left_minor for one in givers}
    parts = planned(wished, *givers)
    assert all(0 < minor <= left[place] for place, minor in parts)
    assert sum(minor for _, minor in parts) == min(wished, sum(left.values()))


@given(st.integers(0, 500), st.integers(0, 500), st.integers(1, 1100))
def test_shares_sum_to_the_amount_and_exceed_nothing(paid: int, other: int, amount: int) -> None:
    one = giver(1, "stripe", paid, other=other)
    if amount > paid + other:
        with pytest.raises(Conflict) as refused:
            refund_plan.shares_of_refund(one, amount)
        assert refused.value.extra == {"left_cents": paid + other}
        return
    shares = refund_plan.shares_of_refund(one, amount)
    assert sum(share.amount_minor for share in shares) == amount
    gave = {part.invoice_id: part.paid_minor for part in one.gave}
    assert all(share.amount_minor <= gave[share.invoice_id] for share in shares)
    assert refund_plan.shares_of_dispute(one, amount) == shares


@pytest.mark.parametrize(
    ("refunded", "disputed", "returned", "status"),
    [
        (0, 0, 0, "succeeded"), (1, 0, 0, "partially_refunded"), (10, 0, 0, "refunded"),
        (0, 5, 0, "disputed"), (5, 5, 0, "disputed"), (0, 10, 10, "failed"),
        (4, 6, 6, "failed"), (0, 6, 6, "partially_refunded"), (0, 7, 6, "disputed"),
    ],
)  # fmt: skip
def test_a_payments_status_follows_what_went_back(
    refunded: int, disputed: int, returned: int, status: str
) -> None:
    after = status_after(10, refunded=refunded, disputed=disputed, returned=returned)
    assert after.value == status


@pytest.mark.parametrize(("was", "event"), list(product(RefundStatus, RefundEvent)))
def test_a_wish_moves_as_its_table_says_or_is_refused_by_its_state(
    was: RefundStatus, event: RefundEvent
) -> None:
    after = states.REFUND_TRANSITIONS.get((was, event))
    if after is not None:
        assert states.move_refund(was, event) is after
        return
    with pytest.raises(Conflict) as refused:
        states.move_refund(was, event)
    assert refused.value.code == f"refund_{was.value}"


@pytest.mark.parametrize(("was", "news"), list(product(DisputeStatus, DisputeStatus)))
def test_a_dispute_moves_as_its_table_says_and_never_from_one_end_to_the_other(
    was: DisputeStatus, news: DisputeStatus
) -> None:
    if {was, news} == {DisputeStatus.WON, DisputeStatus.LOST}:
        with pytest.raises(Conflict):
            states.move_dispute(was, news)
        return
    assert states.move_dispute(was, news) is states.DISPUTE_TRANSITIONS.get((was, news))


def test_a_refund_that_ended_is_live_no_more_and_only_success_can_be_taken_back() -> None:
    ends = {AttemptOutcome.SUCCEEDED, AttemptOutcome.DECLINED}
    assert {was for was, _ in refund_states.TRANSITIONS} - refund_states.LIVE == {
        AttemptOutcome.SUCCEEDED
    }
    assert not (refund_states.LIVE & ends)
    made = attempt(AttemptOutcome.SUCCEEDED)
    back = refund_states.apply_news(made, Declined("refund_failed", reference="re"), NOW)
    assert back is not None
    assert (back.outcome, back.code, back.resolve_after) == ("declined", "refund_failed", None)
    for outcome in (Pending("re"), Unknown("x"), NeedsAction("re")):
        assert refund_states.apply_news(made, outcome, NOW) is None


def test_what_contradicts_a_refund_is_named() -> None:
    money = Money(5, "USD")
    live, refused = attempt(AttemptOutcome.CREATED), attempt(AttemptOutcome.DECLINED)
    for was, outcome, problem in (
        (live, Succeeded("re", money), None),
        (live, Succeeded("re", Money(4, "USD")), "amount_differs"),
        (attempt(AttemptOutcome.PENDING, "re_1"), Succeeded("re_2", money), "reference_differs"),
        (refused, Succeeded("re", money), "refund_declined_before"),
        (refused, Declined("x"), None),
    ):
        assert refund_states.contradiction(was, outcome) == problem


def attempt(outcome: AttemptOutcome, reference: str | None = None) -> RefundAttempt:
    return RefundAttempt(
        account_id=UUID(int=1), refund_attempt_id=UUID(int=2), refund_id=UUID(int=3),
        invoice_id=INVOICE, payment_id=UUID(int=4), number=1, idempotency_key="k",
        gateway="stripe", charge_reference="c", currency="USD", amount_minor=5, outcome=outcome,
        gateway_reference=reference, code=None, resolve_after=None, resolve_count=0,
        created_at=NOW, ended_at=None,
    )  # fmt: skip
