import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from tallystick.accounts.model import Account
from tallystick.invoices import service
from tallystick.invoices.explain import line_explanation
from tallystick.invoices.model import Invoice, Status
from tallystick.kernel.db import WRITER, account_scope
from tallystick.kernel.errors import BadInput, Conflict, NotFound
from tallystick.kernel.ids import new_id
from tallystick.kernel.paging import PageRequest, read_cursor
from tallystick.money.amount import Money
from tallystick.pricing.model import FlatPrice

START = datetime(2026, 1, 31, tzinfo=UTC)
END = datetime(2026, 2, 28, tzinfo=UTC)
PAID_AT = datetime(2026, 3, 5, tzinfo=UTC)
ADD_LINE = """
INSERT INTO invoice_lines (account_id, invoice_id, invoice_line_id, position, kind, description,
    quantity, amount_minor, derivation)
SELECT account_id, invoice_id, gen_random_uuid(), 9, 'one_off', 'late', 1, 1, '{}' FROM invoices
"""
World = Any  # the fixture's class stands in conftest.py, which tests can not import


async def settle(world: World, invoice: Invoice, minor: int) -> Invoice:
    async with world.db.transaction(WRITER) as conn:
        amount = Money(minor, invoice.currency)
        return await service.settle(conn, invoice.account_id, invoice.invoice_id, amount, PAID_AT)


async def paid_events(world: World) -> int:
    rows = await world.rows("SELECT 1 FROM outbox WHERE kind = 'invoice.paid'")
    return len(rows)


async def three_months(world: World) -> Account:
    account: Account = await world.account()
    price = FlatPrice(currency="EUR", code="fee", amount=Decimal(10))
    await world.subscribe(account, await world.plan([price]))
    for month in (3, 4, 5):
        await world.bill(datetime(2026, month, 1, tzinfo=UTC))
    return account


async def test_an_invoice_is_paid_in_parts_and_told_of_once(world: World) -> None:
    _, invoice = await world.billed_account()
    part = await settle(world, invoice, 7000)
    assert (part.status, part.due, len(part.lines)) == (Status.OPEN, Money(900, "EUR"), 2)
    assert await paid_events(world) == 0
    paid = await settle(world, invoice, 900)
    assert (paid.status, paid.paid_at, paid.due.minor) == (Status.PAID, PAID_AT, 0)
    assert await paid_events(world) == 1
    async with world.db.transaction(account_scope(invoice.account_id)) as conn:
        assert await service.get_invoice(conn, invoice.account_id, invoice.invoice_id) == paid


async def test_it_is_never_paid_beyond_its_total(world: World) -> None:
    _, invoice = await world.billed_account()
    with pytest.raises(Conflict) as caught:
        await settle(world, invoice, 7901)
    assert caught.value.code == "overpayment"
    await settle(world, invoice, 7900)
    with pytest.raises(Conflict) as caught:
        await settle(world, invoice, 1)
    assert caught.value.code == "already_paid"


async def test_two_payments_at_once_do_not_lose_each_other(world: World) -> None:
    _, invoice = await world.billed_account()
    tries = [settle(world, invoice, 3000) for _ in range(4)]
    answers = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(answer, Invoice) for answer in answers) == 2
    assert {a.code for a in answers if isinstance(a, Conflict)} == {"overpayment"}


async def test_a_payment_in_another_currency_is_refused(world: World) -> None:
    _, invoice = await world.billed_account()
    async with world.db.transaction(WRITER) as conn:
        with pytest.raises(BadInput):
            await service.settle(
                conn, invoice.account_id, invoice.invoice_id, Money(7900, "USD"), PAID_AT
            )


async def test_anothers_invoice_is_not_found(world: World) -> None:
    _, theirs = await world.billed_account()
    mine = await world.account()
    async with world.db.transaction(account_scope(mine.account_id)) as conn:
        for account_id in (mine.account_id, theirs.account_id):
            with pytest.raises(NotFound) as caught:
                await service.get_invoice(conn, account_id, theirs.invoice_id)
            assert caught.value.code == "invoice_not_found"
        page = await service.list_invoices(conn, theirs.account_id, None, PageRequest())
    assert (page.items, page.total) == ((), 0)


async def test_invoices_are_listed_newest_first_with_lines_and_by_cursor(world: World) -> None:
    account = await three_months(world)
    async with world.db.transaction(account_scope(account.account_id)) as conn:
        first = await service.list_invoices(conn, account.account_id, None, PageRequest(limit=2))
        assert first.next_cursor
        after = PageRequest(limit=2, after=read_cursor(first.next_cursor))
        rest = await service.list_invoices(conn, account.account_id, None, after)
    numbers = [one.number for one in (*first.items, *rest.items)]
    assert numbers == ["INV-2026-000003", "INV-2026-000002", "INV-2026-000001"]
    assert [len(one.lines) for one in first.items] == [1, 1]
    assert (first.total, first.total_pages, rest.next_cursor) == (3, 2, None)


async def test_invoices_are_listed_by_status(world: World) -> None:
    account = await three_months(world)
    newest = (await world.invoices(account))[-1]
    await settle(world, newest, 1000)
    async with world.db.transaction(account_scope(account.account_id)) as conn:
        paid = await service.list_invoices(conn, account.account_id, Status.PAID, PageRequest())
        still_open = await service.list_invoices(
            conn, account.account_id, Status.OPEN, PageRequest()
        )
    assert [one.invoice_id for one in paid.items] == [newest.invoice_id]
    assert (paid.total, still_open.total) == (1, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("UPDATE invoices SET total_minor = 1, subtotal_minor = 1", "is final"),
        ("UPDATE invoices SET number = 'INV-2026-000009'", "is final"),
        ("UPDATE invoices SET document = '{}'", "is final"),
        ("UPDATE invoices SET due_at = now()", "is final"),
        ("UPDATE invoices SET status = 'draft', number = NULL", "is final"),
        ("DELETE FROM invoices", "is kept"),
        ("UPDATE invoice_lines SET amount_minor = 1", "append-only"),
        ("DELETE FROM invoice_lines", "append-only"),
        (
            ADD_LINE,
            "is final",
        ),
    ],
)
async def test_a_finalized_invoice_can_not_be_edited_even_by_the_owner(
    world: World, dsn: str, change: str, message: str
) -> None:
    await world.billed_account()
    owner = await asyncpg.connect(dsn)
    try:
        with pytest.raises(asyncpg.RestrictViolationError, match=message):
            await owner.execute(change)
    finally:
        await owner.close()


async def test_every_line_explains_itself_and_comes_to_the_same_cent(world: World) -> None:
    account, invoice = await world.billed_account(tax_name="VAT", tax_percent=Decimal(20))
    async with world.db.transaction(account_scope(account.account_id)) as conn:
        fee, calls = [
            await line_explanation(
                conn, account.account_id, invoice.invoice_id, line.invoice_line_id
            )
            for line in invoice.lines
        ]
    assert fee.is_same
    assert calls.is_same
    assert (calls.recomputed, calls.line) == (Money(3000, "EUR"), invoice.lines[1])
    assert calls.steps == (
        "tier 0\u20131,000: 1,000 \u00d7 €0.02 + €5.00 = €25.00",
        "tier above 1,000: 500 \u00d7 €0.01 = €5.00",
    )
    assert (calls.derivation.quantity, calls.derivation.period_start) == (Decimal(1500), START)
    assert [tax.amount_minor for tax in calls.taxes] == [1580]


async def test_a_newer_price_does_not_change_what_was_billed(world: World) -> None:
    account, invoice = await world.billed_account()
    dearer = FlatPrice(currency="EUR", code="fee", amount=Decimal(99))
    await world.plan([dearer])
    async with world.db.transaction(account_scope(account.account_id)) as conn:
        explained = await line_explanation(
            conn, account.account_id, invoice.invoice_id, invoice.lines[0].invoice_line_id
        )
    assert (explained.recomputed, explained.is_same) == (Money(4900, "EUR"), True)


async def test_a_line_of_no_invoice_of_theirs_is_not_found(world: World) -> None:
    account, invoice = await world.billed_account()
    line_id = invoice.lines[0].invoice_line_id
    other = await world.account()
    for account_id, invoice_id, wanted in (
        (account.account_id, invoice.invoice_id, new_id()),
        (account.account_id, uuid4(), line_id),
        (other.account_id, invoice.invoice_id, line_id),
    ):
        async with world.db.transaction(account_scope(account_id)) as conn:
            with pytest.raises(NotFound):
                await line_explanation(conn, account_id, invoice_id, wanted)


async def test_the_audit_tells_what_moved_and_leaves_the_document_out(world: World) -> None:
    _, invoice = await world.billed_account()
    await settle(world, invoice, 7900)
    rows = await world.rows(
        "SELECT action, after ->> 'status' AS status, after ? 'document' AS has_document"
        " FROM billing_audit WHERE table_name = 'invoices' ORDER BY audit_id"
    )
    assert [(row["action"], row["status"]) for row in rows] == [
        ("INSERT", "open"),
        ("UPDATE", "paid"),
    ]
    assert not any(row["has_document"] for row in rows)


async def test_payments_are_due_after_the_accounts_own_days(world: World) -> None:
    _, invoice = await world.billed_account(payment_due_days=30)
    assert invoice.due_at == END + timedelta(days=30)
