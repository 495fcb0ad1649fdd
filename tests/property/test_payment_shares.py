"""What comes is given to the invoices of a payment to the cent, and none gets more than is due."""

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from tallystick.money.amount import Money
from tallystick.payments.model import Part
from tallystick.payments.shares import share_out

AMOUNTS = st.integers(1, 10_000)
WISHES = st.lists(st.tuples(AMOUNTS, st.integers(0, 10_000)), max_size=6)


def told(wishes: list[tuple[int, int]]) -> tuple[tuple[Part, ...], dict[UUID, Money]]:
    parts = tuple(Part(UUID(int=at), amount) for at, (amount, _) in enumerate(wishes))
    due = {UUID(int=at): Money(minor, "USD") for at, (_, minor) in enumerate(wishes)}
    return parts, due


@given(WISHES, st.integers(0, 100_000))
def test_what_is_given_and_what_is_over_sum_to_what_came(
    wishes: list[tuple[int, int]], received: int
) -> None:
    parts, due = told(wishes)
    shares = share_out(Money(received, "USD"), parts, due)
    given_out = sum(part.paid_minor for part in shares.parts)
    assert given_out + shares.over.minor == received
    assert all(0 <= part.paid_minor <= due[part.invoice_id].minor for part in shares.parts)
    assert shares.over.minor == max(received - sum(one.minor for one in due.values()), 0)


@given(WISHES, st.integers(0, 100_000))
def test_an_invoice_gets_more_than_its_part_only_when_every_part_is_given(
    wishes: list[tuple[int, int]], received: int
) -> None:
    parts, due = told(wishes)
    shares = share_out(Money(received, "USD"), parts, due).parts
    if any(part.paid_minor > part.amount_minor for part in shares):
        assert all(
            part.paid_minor >= min(part.amount_minor, due[part.invoice_id].minor) for part in shares
        )


def test_the_invoice_that_was_due_first_is_paid_first() -> None:
    parts, due = told([(5000, 5000), (3000, 3000)])
    shares = share_out(Money(7000, "USD"), parts, due)
    assert [part.paid_minor for part in shares.parts] == [5000, 2000]
    assert shares.over == Money(0, "USD")


def test_a_part_of_an_invoice_and_more_than_that_pays_all_that_is_due_on_it() -> None:
    parts, due = told([(3000, 4900)])
    shares = share_out(Money(7000, "USD"), parts, due)
    assert ([part.paid_minor for part in shares.parts], shares.over.minor) == ([4900], 2100)
