"""Disputes in the books."""

from collections.abc import Awaitable
from uuid import UUID

import pytest

from tallystick.credit_notes import disputes
from tallystick.credit_notes.model import AfterLoss, Dispute, DisputeStatus
from tallystick.invoices.model import Invoice
from tallystick.invoices.model import Status as InvoiceStatus
from tallystick.kernel.db import WRITER
from tallystick.kernel.errors import Conflict, NotFound
from tallystick.money.amount import Money
from tests.service.credit_notes.conftest import AT, LATER, World, of

KEY = ("stripe", "dp_1")


async def opened(world: World, invoice: Invoice, minor: int) -> Dispute:
    async with world.db.transaction(WRITER) as conn:
        return await disputes.open_dispute(
            conn, invoice.account_id, invoice.invoice_id, Money(minor, "EUR"),
            gateway=KEY[0], reference=KEY[1], at=AT,
        )  # fmt: skip


async def ended(world: World, account_id: UUID, after: AfterLoss | None) -> Dispute:
    async with world.db.transaction(WRITER) as conn:
        if after is None:
            (only,) = await disputes.win_dispute(conn, account_id, *KEY, LATER)
            return only
        (only,) = await disputes.lose_dispute(conn, account_id, *KEY, after=after, at=LATER)
        return only


async def paid_invoice(world: World) -> Invoice:
    invoice = await world.invoice()
    return await world.pay(invoice, 21600)


async def code_of(work: Awaitable[object]) -> str:
    with pytest.raises((Conflict, NotFound)) as error:
        await work
    return error.value.code


async def test_a_dispute_that_is_won_leaves_all_as_before(world: World) -> None:
    invoice = await paid_invoice(world)
    before = await world.balances()
    dispute = await opened(world, invoice, 21600)
    assert await opened(world, invoice, 21600) == dispute
    assert (await world.balances())["chargebacks"] == 21600
    for _ in range(2):
        assert (await ended(world, invoice.account_id, None)).status is DisputeStatus.WON
    assert await world.balances() == before
    assert await world.read(invoice) == invoice
    assert await code_of(ended(world, invoice.account_id, "reopen")) == "dispute_ended"


@pytest.mark.parametrize(
    ("after", "status", "booked"),
    [
        ("reopen", InvoiceStatus.OPEN, {"receivable": 21600}),
        ("write_off", InvoiceStatus.UNCOLLECTIBLE, {"bad_debt": 21600}),
    ],
)
async def test_a_lost_one_opens_the_invoice_again_or_gives_the_money_up(
    world: World, after: AfterLoss, status: InvoiceStatus, booked: dict[str, int]
) -> None:
    invoice = await paid_invoice(world)
    await opened(world, invoice, 21600)
    for _ in range(2):
        await ended(world, invoice.account_id, after)
    now = await world.read(invoice)
    assert (now.status, now.paid.minor, now.due.minor) == (status, 0, 21600)
    balances = await world.balances()
    assert {name: balances.get(name) for name in booked} == booked
    assert "chargebacks" not in balances


async def test_what_was_given_back_before_is_not_asked_for_again(world: World) -> None:
    invoice = await paid_invoice(world)
    await world.note(invoice, of(invoice, 3), rest="refund")
    await opened(world, invoice, 21600)
    await ended(world, invoice.account_id, "reopen")
    now = await world.read(invoice)
    assert (now.due.minor, now.returnable.minor) == (21600 - 4320, 0)
    balances = await world.balances()
    assert (balances["receivable"], balances["bad_debt"]) == (21600 - 4320, 4320)


async def test_a_dispute_that_nobody_opened_can_not_end(world: World) -> None:
    assert await code_of(ended(world, world.account.account_id, None)) == "dispute_not_found"
