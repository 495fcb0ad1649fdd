"""Payments by hand: noted by the customer, decided by a person."""

from typing import TYPE_CHECKING, Any

import pytest

from tallystick.invoices.model import Status
from tallystick.kernel.db import WRITER, account_scope
from tallystick.kernel.errors import BadInput, Conflict, NotFound
from tallystick.kernel.ids import new_id
from tallystick.ledger import service as ledger
from tallystick.ledger.model import PREPAID, clearing
from tallystick.money.amount import Money
from tallystick.payments import approvals, service
from tallystick.payments.approvals import ByHand
from tallystick.payments.model import Payment, PaymentStatus

if TYPE_CHECKING:
    from uuid import UUID

    from tests.service.payments.conftest import World


async def note(
    world: "World",
    account: "UUID",
    invoice: "UUID",
    minor: int = 4900,
    key: str = "k",
    **more: Any,
) -> Payment:
    told = ByHand(
        invoice_id=invoice,
        method_code="bank_transfer",
        amount=Money(minor, more.pop("currency", "USD")),
        reference=more.pop("reference", f"TRANSFER {invoice.hex}"),
        **more,
    )
    async with world.db.transaction(account_scope(account)) as conn:
        return await approvals.record_manual_payment(
            conn, account, told, request_key=key, at=world.clock()
        )


async def test_a_noted_transfer_books_nothing_until_it_is_approved_once(world: "World") -> None:
    account = await world.account()
    invoice = await world.invoice(account)
    payment = await note(world, account, invoice)
    assert (payment.status, payment.reference) == (
        PaymentStatus.PENDING_APPROVAL,
        f"TRANSFER {invoice.hex}",
    )
    assert await world.balances(account) == (4900, 0)
    async with world.db.transaction(WRITER) as conn:
        owner = await service.account_of_payment(conn, payment.payment_id)
        (waiting,) = await service.awaiting_approval(conn)
        assert (owner, waiting.payment_id) == (account, payment.payment_id)
        assert await service.pending_sums(conn, account) == {"USD": 4900}
        for _ in range(2):
            done = await approvals.approve(conn, account, payment.payment_id, world.clock())
        held = await ledger.balance(conn, account, clearing("manual"), "USD")
    assert (done.status, held) == (PaymentStatus.SUCCEEDED, 4900)
    assert (await world.get_invoice(account, invoice)).status is Status.PAID
    assert await world.settled_entries(account) == 1


async def test_a_rejected_transfer_leaves_the_invoice_open_for_another(world: "World") -> None:
    account = await world.account()
    invoice = await world.invoice(account)
    payment = await note(world, account, invoice)
    async with world.db.transaction(WRITER) as conn:
        for _ in range(2):
            done = await approvals.reject(conn, account, payment.payment_id, "no such transfer")
        with pytest.raises(Conflict):
            await approvals.approve(conn, account, payment.payment_id, world.clock())
    assert (done.status, done.failure_code, done.note) == (
        PaymentStatus.FAILED,
        "rejected",
        "no such transfer",
    )
    second = await note(world, account, invoice, key="k2")
    assert second.status is PaymentStatus.PENDING_APPROVAL


async def test_a_part_may_be_paid_by_hand(world: "World") -> None:
    account = await world.account()
    invoice = await world.invoice(account)
    payment = await note(world, account, invoice, minor=1000, is_part=True)
    async with world.db.transaction(WRITER) as conn:
        await approvals.approve(conn, account, payment.payment_id, world.clock())
    left = await world.get_invoice(account, invoice)
    assert (left.status, left.due.minor) == (Status.OPEN, 3900)


async def test_the_same_request_notes_one_transfer(world: "World") -> None:
    account = await world.account()
    invoice = await world.invoice(account)
    assert await note(world, account, invoice) == await note(world, account, invoice)
    with pytest.raises(Conflict) as refused:
        await note(world, account, invoice, key="another", reference="B")
    assert refused.value.code == "payment_in_progress"


async def test_too_much_nothing_or_no_reference_is_refused(world: "World") -> None:
    account = await world.account()
    invoice = await world.invoice(account)
    wrong: list[dict[str, Any]] = [
        {"minor": 4901},
        {"minor": 4899},
        {"minor": 0, "is_part": True},
        {"minor": 4901, "is_part": True},
        {"currency": "EUR"},
        {"reference": "  "},
        {"reference": "card 4242 4242 4242 4242"},
        {"proof_note": "5555555555554444"},
    ]
    for changes in wrong:
        with pytest.raises(BadInput):
            await note(world, account, invoice, **changes)
    assert await world.payments(account) == []


async def test_one_transfer_pays_one_invoice_however_its_reference_is_written(
    world: "World",
) -> None:
    account, other = await world.account(), await world.account()
    first, second = await world.invoice(account), await world.invoice(account)
    await note(world, account, first, reference="Sepa 47-11")
    with pytest.raises(Conflict) as refused:
        await note(world, account, second, key="b", reference=" SEPA  47-11 ")
    assert refused.value.code == "transaction_reference_used"
    (payment,) = await world.payments(account)
    async with world.db.transaction(WRITER) as conn:
        await approvals.reject(conn, account, payment.payment_id, "not on the statement")
    await note(world, account, second, key="c", reference="SEPA 47-11")
    await note(world, other, await world.invoice(other), reference="SEPA 47-11")


@pytest.mark.parametrize(
    ("received", "paid", "prepaid"), [(4900, 4900, 0), (5000, 4900, 100), (1900, 1900, 0)]
)
async def test_what_came_is_booked_also_where_it_is_not_what_was_told(
    world: "World", received: int, paid: int, prepaid: int
) -> None:
    account = await world.account()
    invoice = await world.invoice(account)
    payment = await note(world, account, invoice)
    async with world.db.transaction(WRITER) as conn:
        done = await approvals.approve(conn, account, payment.payment_id, world.clock(), received)
        held = await ledger.balance(conn, account, PREPAID, "USD")
    assert (done.received_minor, done.over_minor, -held) == (received, prepaid, prepaid)
    after = await world.get_invoice(account, invoice)
    assert (after.due.minor, after.status is Status.PAID) == (4900 - paid, paid == 4900)


async def test_a_card_payment_or_another_accounts_is_not_approved(world: "World") -> None:
    account, other = await world.account(), await world.account()
    payment = await note(world, account, await world.invoice(account))
    await world.save_card(other)
    await world.invoice(other)
    await world.settle_down()
    card = await world.payment(other)
    async with world.db.transaction(WRITER) as conn:
        with pytest.raises(NotFound):
            await approvals.approve(conn, other, payment.payment_id, world.clock())
        with pytest.raises(NotFound):
            await service.account_of_payment(conn, new_id())
        with pytest.raises(Conflict):
            await approvals.approve(conn, other, card.payment_id, world.clock())


async def test_a_noted_transfer_takes_the_place_of_a_wish_that_was_not_tried(
    world: "World",
) -> None:
    account = await world.account()
    await world.save_card(account)
    invoice = await world.invoice(account)
    await world.teller.run_due(world.clock())
    await note(world, account, invoice)
    await world.settle_down()
    states = [payment.status for payment in await world.payments(account)]
    assert states == [PaymentStatus.CANCELLED, PaymentStatus.PENDING_APPROVAL]
    assert await world.charges() == []
