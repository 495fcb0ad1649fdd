"""What a last invoice gave back is taken once of the lines that billed it, and never more."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tallystick.credit_notes.remainders import takes_of
from tallystick.credit_notes.shares import Left, LeftLine, TakenLine, shares_of
from tallystick.invoices.model import InvoiceLine
from tallystick.kernel.ids import new_id
from tallystick.money.amount import Money
from tallystick.money.rounding import round_ratio

START = datetime(2026, 1, 1, tzinfo=UTC)
ON, OTHER = new_id(), new_id()


def line(minor: int, days: tuple[int, int], price: str, *, is_other: bool) -> InvoiceLine:
    return InvoiceLine(
        invoice_line_id=new_id(), position=1, kind="subscription", description="Fee",
        price_code=price, meter_code=None, quantity=Decimal(1), unit=None,
        period_start=START + timedelta(days=days[0]),
        period_end=START + timedelta(days=days[0] + days[1]),
        amount=Money(minor, "EUR"), subscription_id=OTHER if is_other else ON,
    )  # fmt: skip


LINES = st.lists(
    st.builds(
        line,
        st.integers(1, 9_999),
        st.tuples(st.integers(0, 40), st.integers(1, 40)),
        st.sampled_from(["fee", "seats"]),
        is_other=st.booleans(),
    ),
    max_size=6,
)


def known(one: InvoiceLine, data: st.DataObject) -> LeftLine:
    """A line, what is left of it after discounts, and what notes took of both."""
    net = data.draw(st.integers(0, one.amount.minor))
    amount = data.draw(st.integers(0, one.amount.minor))
    was = TakenLine(amount, round_ratio(net * amount, one.amount.minor))
    return LeftLine(line=one, net=net, taxes=(), taken=was)


@given(LINES, st.integers(0, 9_999), st.data())
def test_no_line_gives_more_than_is_left_of_it_and_all_no_more_than_waits(
    billed: list[InvoiceLine], waiting: int, data: st.DataObject
) -> None:
    left = Left(tuple(known(one, data) for one in billed), ())
    back = line(-9_999, (10, 20), "fee", is_other=False)
    asked = tuple(takes_of(left, [back], waiting))
    takes = {one.invoice_line_id: one.net_minor for one in shares_of(left, asked).lines}
    given_back = waiting - sum(takes.values())
    assert given_back >= 0
    room = 0
    for one in left.lines:
        minor = takes.pop(one.line.invoice_line_id, 0)
        is_meant = one.line.subscription_id == ON and one.line.price_code == "fee"
        assert back.period_start is not None
        assert back.period_end is not None
        assert one.line.period_start is not None
        assert one.line.period_end is not None
        is_meant &= one.line.period_start < back.period_end
        is_meant &= one.line.period_end > back.period_start
        assert 0 <= minor <= (one.net - one.taken.net if is_meant else 0)
        room += one.net - one.taken.net - minor if is_meant else 0
    assert not takes
    assert given_back == 0 or room == 0
