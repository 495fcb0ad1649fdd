"""One payment over several invoices, and what comes of another amount than was wished for."""

from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from tallystick.invoices import service as invoices
from tallystick.invoices.model import Status
from tallystick.kernel.db import WRITER
from tallystick.kernel.ids import new_id
from tallystick.money.amount import Money
from tallystick.payments import attempts, booking, store
from tallystick.payments.attempts import Recorded
from tallystick.payments.model import Payment, PaymentStatus
from tallystick.payments.outcomes import NeedsAction, Succeeded
from tallystick.payments.wishes import wish

if TYPE_CHECKING:
    from tests.service.payments.conftest import World


async def wished(world: "World", account: UUID, *minor: int) -> Payment:
    """A payment over new invoices, whose attempt has begun."""
    card = await world.save_card(account)
    ids = [await world.invoice(account, one) for one in minor]
    async with world.db.transaction(WRITER) as conn:
        asking = [await invoices.get_invoice(conn, account, one) for one in ids]
        payment = wish(asking, card, f"key:{new_id()}", created_at=world.clock())
        assert await store.insert(conn, payment)
        await attempts.begin(conn, payment, world.clock())
    return (await world.payments(account))[-1]


async def come(world: "World", payment: Payment, minor: int) -> None:
    async with world.db.transaction(WRITER) as conn:
        locked = await store.lock(conn, payment.account_id, payment.payment_id)
        assert locked is not None
        await booking.succeed(conn, locked, Money(minor, "USD"), "pi_1", world.clock())


async def due(world: "World", payment: Payment) -> list[int]:
    asked = [await world.get_invoice(payment.account_id, one) for one in payment.invoice_ids]
    return [one.due.minor for one in asked]


async def test_a_payment_settles_its_invoices_and_one_entry_has_the_whole(world: "World") -> None:
    account = await world.account(autopay=False)
    payment = await wished(world, account, 1000, 2000)
    assert (payment.amount_minor, payment.invoice_id) == (3000, None)
    await come(world, payment, 3000)
    assert await due(world, payment) == [0, 0]
    after = await world.payment(account)
    assert [part.paid_minor for part in after.parts] == [1000, 2000]
    assert (after.received_minor, after.over_minor) == (3000, 0)
    assert await world.balances(account) == (0, 3000)
    assert await world.settled_entries(account) == 1
    assert (await world.told(account)).count("invoice.paid") == 2


@pytest.mark.parametrize(
    ("received", "left", "prepaid"),
    [(700, [300, 2000], 0), (2500, [0, 500], 0), (3000, [0, 0], 0), (3456, [0, 0], 456)],
)
async def test_less_pays_the_oldest_first_and_more_is_prepaid(
    world: "World", received: int, left: list[int], prepaid: int
) -> None:
    account = await world.account(autopay=False)
    payment = await wished(world, account, 1000, 2000)
    await come(world, payment, received)
    assert await due(world, payment) == left
    assert await world.balances(account) == (sum(left), received)
    assert await world.prepaid(account) == prepaid
    after = await world.payment(account)
    assert (after.status, after.received_minor) == (PaymentStatus.SUCCEEDED, received)
    assert after.over_minor == prepaid


async def test_an_invoice_in_a_live_payment_of_several_is_in_no_other(world: "World") -> None:
    account = await world.account(autopay=False)
    payment = await wished(world, account, 1000, 2000)
    second = payment.invoice_ids[1]
    card = (await world.methods(account))[0]
    async with world.db.transaction(WRITER) as conn:
        one = await invoices.get_invoice(conn, account, second)
        twin = wish([one], card, "twin", created_at=world.clock())
        assert not await store.insert(conn, twin)
        assert await store.find_by_key(conn, account, "twin") is None
        live = await store.find_live(conn, account, second)
        assert live is not None
        assert live.payment_id == payment.payment_id
        await booking.fail(conn, payment, "card_declined", hard=True)
        assert await store.insert(conn, twin)


async def test_money_for_an_invoice_that_was_voided_meanwhile_is_prepaid(world: "World") -> None:
    account = await world.account(autopay=False)
    payment = await wished(world, account, 1000, 2000)
    async with world.db.transaction(WRITER) as conn:
        await conn.execute(
            "UPDATE invoices SET status = 'void' WHERE invoice_id = $1", payment.invoice_ids[0]
        )
    await come(world, payment, 3000)
    assert (await world.get_invoice(account, payment.invoice_ids[1])).status is Status.PAID
    assert await world.prepaid(account) == 1000


async def test_an_answer_over_less_is_booked_and_news_of_an_unheard_charge_are_not(
    world: "World",
) -> None:
    account = await world.account(autopay=False)
    payment = await wished(world, account, 1000)
    attempt = await world.attempt(payment)
    key = (account, attempt.payment_attempt_id)
    news = Succeeded("pi_1", Money(900, "USD"))
    recording = await world.tries.record(*key, news)
    assert (recording.result, recording.problem) == (Recorded.PARKED, "amount_differs")
    await world.tries.record(*key, news, answered=True)
    assert await due(world, payment) == [100]
    assert await world.balances(account) == (100, 900)


async def test_another_amount_of_a_charge_that_is_known_is_booked_once_the_gateway_answers_it(
    world: "World",
) -> None:
    account = await world.account(autopay=False)
    payment = await wished(world, account, 1000)
    key = (account, (await world.attempt(payment)).payment_attempt_id)
    await world.tries.record(*key, NeedsAction("pi_1"), answered=True)
    foreign = Succeeded("pi_1", Money(1000, "EUR"))
    assert (await world.tries.record(*key, foreign)).problem == "amount_differs"
    told = Succeeded("pi_1", Money(1100, "USD"))
    assert (await world.tries.record(*key, told)).problem == "amount_differs"
    for answered in (True, False):
        await world.tries.record(*key, told, answered=answered)
    assert await world.settled_entries(account) == 1
    assert await world.prepaid(account) == 100
