"""Void, written off, collected again: the books, what is given back, and what is billed anew."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account, AccountChange
from tallystick.catalog import offers
from tallystick.catalog.offer_model import NewCoupon
from tallystick.documents.document import Party
from tallystick.invoices import closing, service
from tallystick.invoices.closing import Voided
from tallystick.invoices.model import Invoice, Status
from tallystick.invoices.one_off import issue_one_off, one_off_draft
from tallystick.kernel.db import WRITER, Actor, acting
from tallystick.kernel.errors import Conflict
from tallystick.ledger.model import BAD_DEBT, RECEIVABLE, REVENUE, TAX_PAYABLE
from tallystick.money.amount import Money

END = datetime(2026, 2, 28, tzinfo=UTC)
AT = datetime(2026, 3, 5, tzinfo=UTC)
SELLER = Party("Seller")
World = Any  # the fixture's class stands in conftest.py, which tests can not import


async def void(world: World, of: Invoice, *, rebill: bool = False) -> Voided:
    with acting(Actor("user", "usr_1")):
        async with world.db.transaction(WRITER) as conn:
            return await closing.void_invoice(
                conn, of.account_id, of.invoice_id,
                rebill=rebill, seller=SELLER, reason="a wrong address", at=AT, wall=AT,
            )  # fmt: skip


async def write_off(world: World, of: Invoice) -> Invoice:
    async with world.db.transaction(WRITER) as conn:
        return await closing.write_off(conn, of.account_id, of.invoice_id, reason="gone", at=AT)


async def reopen(world: World, of: Invoice) -> Invoice:
    async with world.db.transaction(WRITER) as conn:
        return await closing.reopen(conn, of.account_id, of.invoice_id, reason="found", at=AT)


async def settle(world: World, of: Invoice, minor: int) -> Invoice:
    async with world.db.transaction(WRITER) as conn:
        return await service.settle(conn, of.account_id, of.invoice_id, Money(minor, "EUR"), AT)


async def balances(world: World, account: Account) -> dict[str, int]:
    rows = await world.rows(
        "SELECT ledger_account, sum(amount)::bigint AS amount FROM ledger_postings"
        " WHERE account_id = $1 GROUP BY 1 HAVING sum(amount) <> 0",
        account.account_id,
    )
    return {row["ledger_account"]: row["amount"] for row in rows}


async def told(world: World, account: Account) -> list[str]:
    rows = await world.rows(
        "SELECT kind FROM outbox WHERE account_id = $1 AND kind LIKE 'invoice.%'"
        " ORDER BY outbox_id",
        account.account_id,
    )
    return [row["kind"] for row in rows]


async def test_a_void_invoice_leaves_nothing_in_the_books_and_says_why(world: World) -> None:
    account, invoice = await world.billed_account(tax_name="TVA", tax_percent=Decimal(20))
    gone = await void(world, invoice)
    assert (gone.invoice.status, gone.replacement) == (Status.VOID, None)
    assert gone.invoice.due == Money(0, "EUR")
    assert await balances(world, account) == {}
    assert await told(world, account) == ["invoice.finalized", "invoice.voided"]
    async with world.db.transaction(WRITER) as conn:
        (note,) = await closing.closings(conn, account.account_id, invoice.invoice_id)
    assert (note.kind, note.reason, note.actor) == ("void", "a wrong address", "user:usr_1")
    assert note.amount_minor == 9480
    (entry,) = await world.rows("SELECT kind FROM ledger_entries WHERE kind = 'reversal'")
    assert entry


async def test_what_is_void_is_never_billed_again_unless_asked(world: World) -> None:
    account, invoice = await world.billed_account()
    await void(world, invoice)
    assert await world.bill(END) == 0
    assert [one.status for one in await world.invoices(account)] == [Status.VOID]


async def test_billing_anew_takes_the_same_lines_and_the_facts_of_today(world: World) -> None:
    account, invoice = await world.billed_account(tax_name="TVA", tax_percent=Decimal(20))
    change = AccountChange(name="Ada Ltd", tax_percent=Decimal(10))
    async with world.db.transaction(WRITER) as conn:
        await accounts.update_account(conn, account.account_id, change)
    made = (await void(world, invoice, rebill=True)).replacement
    assert made is not None
    assert (made.number, made.status) == ("INV-2026-000002", Status.OPEN)
    assert [line.amount for line in made.lines] == [line.amount for line in invoice.lines]
    assert (made.subtotal, made.tax) == (Money(7900, "EUR"), Money(790, "EUR"))
    assert made.subscription_ids == invoice.subscription_ids
    assert (made.period_start, made.period_end) == (invoice.period_start, invoice.period_end)
    assert await balances(world, account) == {
        RECEIVABLE: 8690, REVENUE: -7900, TAX_PAYABLE: -790,
    }  # fmt: skip
    (bill,) = await world.rows("SELECT invoice_id FROM invoice_bills")
    assert bill["invoice_id"] == made.invoice_id
    assert await world.bill(END) == 0
    with pytest.raises(Conflict, match="void"):
        await void(world, invoice)


async def test_coupons_come_back_and_lower_what_is_billed_anew(world: World) -> None:
    coupon = NewCoupon(code="SPRING", name="Spring", percent=Decimal(10), duration="once")
    account = await world.account()
    async with world.db.transaction(WRITER) as conn:
        await offers.create_coupon(conn, coupon, END)
        await offers.redeem_coupon(conn, account.account_id, "EUR", "SPRING", END)
    from_plan = (await world.plan([_fee("49")]),)
    await world.subscribe(account, *from_plan)
    await world.bill(END)
    invoice = await world.invoice(account)
    assert invoice.total == Money(4410, "EUR")
    assert await _periods_left(world) == 0
    made = (await void(world, invoice, rebill=True)).replacement
    assert made is not None
    assert made.total == Money(4410, "EUR")
    assert await _periods_left(world) == 0
    await void(world, made)
    assert await _periods_left(world) == 1


def _fee(amount: str) -> Any:
    from tallystick.pricing.model import FlatPrice  # noqa: PLC0415 -- beside its one use

    return FlatPrice(currency="EUR", code="fee", amount=Decimal(amount))


async def _periods_left(world: World) -> int:
    (row,) = await world.rows("SELECT periods_left FROM coupon_redemptions")
    return int(row["periods_left"])


async def test_what_was_paid_in_part_is_not_voided(world: World) -> None:
    _, invoice = await world.billed_account()
    await settle(world, invoice, 100)
    with pytest.raises(Conflict) as refused:
        await void(world, invoice)
    assert refused.value.code == "invoice_partly_paid"
    await settle(world, invoice, 7800)
    with pytest.raises(Conflict) as refused:
        await void(world, invoice)
    assert refused.value.code == "already_paid"


async def test_what_is_written_off_is_bad_debt_until_it_is_collected_again(world: World) -> None:
    account, invoice = await world.billed_account(tax_name="TVA", tax_percent=Decimal(20))
    await settle(world, invoice, 480)  # who pays posts it to the books; here nobody does
    assert (await write_off(world, invoice)).status is Status.UNCOLLECTIBLE
    owed = {REVENUE: -7900, TAX_PAYABLE: -1580}
    assert await balances(world, account) == {**owed, BAD_DEBT: 9000, RECEIVABLE: 480}
    assert (await reopen(world, invoice)).status is Status.OPEN
    assert await balances(world, account) == {**owed, RECEIVABLE: 9480}
    await write_off(world, invoice)
    assert (await balances(world, account))[BAD_DEBT] == 9000
    assert [kind for kind in await told(world, account) if kind != "invoice.finalized"] == [
        "invoice.uncollectible", "invoice.reopened", "invoice.uncollectible",
    ]  # fmt: skip


async def test_money_that_comes_after_all_lowers_the_bad_debt(world: World) -> None:
    account, invoice = await world.billed_account()
    await write_off(world, invoice)
    part = await settle(world, invoice, 900)
    assert part.status is Status.UNCOLLECTIBLE
    assert (await balances(world, account))[BAD_DEBT] == 7000
    assert (await reopen(world, invoice)).due == Money(7000, "EUR")
    assert BAD_DEBT not in await balances(world, account)


@pytest.mark.parametrize("status", [Status.VOID, Status.PAID, Status.OPEN])
async def test_only_what_is_written_off_is_collected_again(world: World, status: Status) -> None:
    _, invoice = await world.billed_account()
    if status is Status.VOID:
        await void(world, invoice)
    if status is Status.PAID:
        await settle(world, invoice, 7900)
    with pytest.raises(Conflict):
        await reopen(world, invoice)


async def test_an_invoice_over_what_is_sold_once_is_billed_anew(world: World) -> None:
    account = await world.account()
    async with world.db.transaction(WRITER) as conn:
        draft = one_off_draft(
            account, "one_off", Money(500, "EUR"), description="Setup", code="setup", at=END
        )
        invoice = await issue_one_off(conn, account, draft, seller=SELLER, at=END)
    made = (await void(world, invoice, rebill=True)).replacement
    assert made is not None
    assert [line.description for line in made.lines] == ["Setup"]
    assert (made.period_start, made.total) == (None, Money(500, "EUR"))


async def test_bills_and_closings_can_not_be_edited_by_any_role(world: World) -> None:
    account, invoice = await world.billed_account()
    await write_off(world, invoice)
    statements = (
        "UPDATE invoice_bills SET bill_index = 9",
        "DELETE FROM invoice_bills",
        "UPDATE invoice_closings SET reason = 'x'",
        "DELETE FROM invoice_closings",
        'UPDATE invoices SET terms = \'{"memo": "x"}\'',
        "UPDATE invoices SET issuer_id = NULL",
        "DELETE FROM invoices",
    )
    refused = (
        asyncpg.InsufficientPrivilegeError,
        asyncpg.RestrictViolationError,
        asyncpg.UniqueViolationError,
    )
    for statement in statements:
        with pytest.raises(refused):
            await world.rows(statement)
    assert isinstance(account.account_id, UUID)
