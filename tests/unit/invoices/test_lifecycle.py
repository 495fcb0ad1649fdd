from datetime import UTC, datetime
from itertools import product
from uuid import UUID

import pytest
from msgspec.structs import replace

from tallystick.invoices.lifecycle import TRANSITIONS, next_status, settled
from tallystick.invoices.model import Event, Invoice, Status
from tallystick.kernel.errors import BadInput, Conflict
from tallystick.money.amount import Money

AT = datetime(2026, 3, 1, tzinfo=UTC)
OPEN = Invoice(
    account_id=UUID(int=1),
    invoice_id=UUID(int=2),
    number="INV-2026-000001",
    status=Status.OPEN,
    currency="EUR",
    subtotal=Money(100, "EUR"),
    tax=Money(20, "EUR"),
    total=Money(120, "EUR"),
    paid=Money(0, "EUR"),
    credited=Money(0, "EUR"),
    offset=Money(0, "EUR"),
    subscription_ids=(),
    period_start=None,
    period_end=None,
    issued_at=AT,
    due_at=AT,
    paid_at=None,
    created_at=AT,
)


@pytest.mark.parametrize(("status", "event"), list(product(Status, Event)))
def test_every_status_takes_an_event_or_refuses_it(status: Status, event: Event) -> None:
    expected = {
        (Status.DRAFT, Event.FINALIZE): Status.OPEN,
        (Status.OPEN, Event.SETTLE): Status.PAID,
        (Status.OPEN, Event.CANCEL): Status.VOID,
        (Status.OPEN, Event.WRITE_OFF): Status.UNCOLLECTIBLE,
        (Status.UNCOLLECTIBLE, Event.SETTLE): Status.PAID,
        (Status.UNCOLLECTIBLE, Event.REOPEN): Status.OPEN,
    }.get((status, event))
    assert TRANSITIONS.get((status, event)) == expected
    if expected is None:
        with pytest.raises(Conflict):
            next_status(status, event)
    else:
        assert next_status(status, event) is expected


def test_paying_the_whole_makes_it_paid() -> None:
    paid = settled(OPEN, Money(120, "EUR"), AT)
    assert (paid.status, paid.paid_at, paid.due) == (Status.PAID, AT, Money(0, "EUR"))


def test_parts_add_up_and_the_last_one_makes_it_paid() -> None:
    part = settled(OPEN, Money(119, "EUR"), AT)
    assert (part.status, part.paid_at, part.due) == (Status.OPEN, None, Money(1, "EUR"))
    assert settled(part, Money(1, "EUR"), AT).status is Status.PAID


def test_more_than_is_due_is_refused() -> None:
    with pytest.raises(Conflict) as caught:
        settled(replace(OPEN, paid=Money(100, "EUR")), Money(21, "EUR"), AT)
    assert caught.value.code == "overpayment"


@pytest.mark.parametrize("amount", [Money(0, "EUR"), Money(-1, "EUR"), Money(120, "USD")])
def test_nothing_and_another_currency_are_no_payment(amount: Money) -> None:
    with pytest.raises(BadInput):
        settled(OPEN, amount, AT)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (Status.DRAFT, "invoice_not_open"),
        (Status.PAID, "already_paid"),
        (Status.VOID, "invoice_not_open"),
    ],
)
def test_only_what_is_owed_can_be_paid(status: Status, code: str) -> None:
    with pytest.raises(Conflict) as caught:
        settled(replace(OPEN, status=status), Money(1, "EUR"), AT)
    assert caught.value.code == code


def test_what_was_written_off_can_still_be_paid() -> None:
    lost = replace(OPEN, status=Status.UNCOLLECTIBLE)
    assert settled(lost, Money(120, "EUR"), AT).status is Status.PAID
    assert settled(lost, Money(1, "EUR"), AT).status is Status.UNCOLLECTIBLE


@pytest.mark.parametrize("status", [Status.DRAFT, Status.VOID])
def test_nothing_is_due_on_a_draft_or_a_void_invoice(status: Status) -> None:
    assert replace(OPEN, status=status).due == Money(0, "EUR")
