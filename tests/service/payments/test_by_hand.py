"""Payments by hand: noted by the customer, decided by a person."""

from typing import TYPE_CHECKING

import pytest

from tallystick.invoices.model import Status
from tallystick.kernel.db import WRITER, account_scope
from tallystick.kernel.errors import BadInput, Conflict, NotFound
from tallystick.kernel.ids import new_id
from tallystick.ledger import service as ledger
from tallystick.ledger.model import clearing
from tallystick.money.amount import Money
from tallystick.payments import approvals, service
from tallystick.payments.model import Payment, PaymentStatus

if TYPE_CHECKING:
    from uuid import UUID

    from tests.service.payments.conftest import World


async def note(
    world: "World", account: "UUID", invoice: "UUID", minor: int = 4900, key: str = "k"
) -> Payment:
    async with world.db.transaction(account_scope(account)) as conn:
        return await approvals.record_manual_payment(
            conn,
            account,
            invoice,
            Money(minor, "USD"),
            "TRANSFER 77",
            request_key=key,
            at=world.clock(),
        )


async def test_a_noted_transfer_books_nothing_until_it_is_approved_once(world: "World") -> None:
    account = await world.account()
    invoice = await world.invoice(account)
    payment = await note(world, account, invoice)
    assert (payment.status, payment.reference) == (PaymentStatus.PENDING_APPROVAL, "TRANSFER 77")
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
    payment = await note(world, account, invoice, minor=1000)
    async with world.db.transaction(WRITER) as conn:
        await approvals.approve(conn, account, payment.payment_id, world.clock())
    left = await world.get_invoice(account, invoice)
    assert (left.status, left.due.minor) == (Status.OPEN, 3900)


async def test_the_same_request_notes_one_transfer(world: "World") -> None:
    account = await world.account()
    invoice = await world.invoice(account)
    assert await note(world, account, invoice) == await note(world, account, invoice)
    with pytest.raises(Conflict) as refused:
        await note(world, account, invoice, key="another")
    assert refused.value.code == "payment_in_progress"


async def test_too_much_nothing_or_no_reference_is_refused(world: "World") -> None:
    account = await world.account()
    invoice = await world.invoice(account)
    for minor in (0, 4901):
        with pytest.raises(BadInput):
            await note(world, account, invoice, minor=minor)
    with pytest.raises(BadInput):
        approvals.check_manual(Money(1, "USD"), Money(1, "USD"), "  ")
    with pytest.raises(BadInput):
        approvals.check_manual(Money(1, "EUR"), Money(1, "USD"), "x")


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
