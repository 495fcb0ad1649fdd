"""Invoices that people write: drafts that move, become final by themselves or at once."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account, AccountChange
from tallystick.documents.document import CustomField, Party, decode
from tallystick.invoices import drafts, store
from tallystick.invoices.derivation import decode as derive
from tallystick.invoices.derivation import recompute
from tallystick.invoices.draft_lines import NewLine
from tallystick.invoices.drafts import DraftWork
from tallystick.invoices.model import Invoice, Status
from tallystick.invoices.terms import Terms
from tallystick.kernel.db import WRITER, account_scope
from tallystick.kernel.errors import BadInput, Conflict
from tallystick.money.amount import Money

AT = datetime(2026, 3, 5, tzinfo=UTC)
SELLER = Party("Seller")
WORK = NewLine(description="Work", quantity=Decimal("2.5"), unit_price=Decimal("99.99"))
SETUP = NewLine(description="Setup", amount=Money(5000, "EUR"))
World = Any  # the fixture's class stands in conftest.py, which tests can not import


async def write(
    world: World, account: Account, *lines: NewLine, terms: Terms | None = None, **how: Any
) -> Invoice:
    how = {"is_final": False, "finalize_at": None, **how}
    async with world.db.transaction(WRITER) as conn:
        return await drafts.write_invoice(
            conn, account, lines or (WORK, SETUP), terms or Terms(), seller=SELLER, at=AT, **how
        )


async def finalize(world: World, account: Account, invoice: Invoice) -> Invoice:
    async with world.db.transaction(WRITER) as conn:
        fresh = await accounts.get_account(conn, account.account_id)
        return await drafts.finalize(conn, fresh, invoice.invoice_id, seller=SELLER, at=AT)


async def posted(world: World) -> dict[str, int]:
    rows = await world.rows(
        "SELECT ledger_account, sum(amount)::bigint AS amount FROM ledger_postings GROUP BY 1"
    )
    return {row["ledger_account"]: row["amount"] for row in rows}


async def test_lines_at_a_price_are_rounded_once_and_taxed(world: World) -> None:
    account = await world.account(tax_name="TVA", tax_percent=Decimal(20))
    made = await write(world, account, is_final=True)
    assert (made.number, made.status) == ("INV-2026-000001", Status.OPEN)
    assert [line.amount.minor for line in made.lines] == [24998, 5000]  # 249.975 rounded
    assert (made.subtotal.minor, made.tax.minor) == (29998, 6000)
    assert (made.period_start, made.lines[0].kind) == (None, "one_off")
    async with world.db.transaction(account_scope(account.account_id)) as conn:
        told = decode(await store.document(conn, account.account_id, made.invoice_id) or "")
        shown = [(line.quantity, line.unit_price) for line in told.lines]
    assert shown == [(Decimal("2.5"), Decimal("99.99")), (None, None)]


async def test_a_draft_is_in_no_books_and_has_no_number(world: World) -> None:
    account = await world.account()
    draft = await write(world, account)
    assert (draft.number, draft.status, draft.due) == (None, Status.DRAFT, Money(0, "EUR"))
    assert await posted(world) == {}
    async with world.db.transaction(WRITER) as conn:
        more = await drafts.add_lines(conn, account, draft.invoice_id, [SETUP], AT)
    assert [line.description for line in more.lines] == ["Work", "Setup", "Setup"]
    assert more.total == Money(34998, "EUR")
    final = await finalize(world, account, draft)
    assert (final.invoice_id, final.number) == (draft.invoice_id, "INV-2026-000001")
    assert await posted(world) == {"receivable": 34998, "revenue": -34998}
    assert len(final.lines) == 3


async def test_a_draft_takes_the_taxes_and_names_of_the_day_it_becomes_final(
    world: World,
) -> None:
    account = await world.account(tax_name="TVA", tax_percent=Decimal(20))
    draft = await write(world, account, SETUP)
    assert draft.total == Money(6000, "EUR")
    change = AccountChange(name="Ada Ltd", tax_percent=Decimal(10), purchase_order="PO-7")
    async with world.db.transaction(WRITER) as conn:
        await accounts.update_account(conn, account.account_id, change)
    final = await finalize(world, account, draft)
    assert final.total == Money(5500, "EUR")
    assert final.terms.purchase_order == "PO-7"
    async with world.db.transaction(WRITER) as conn:
        later = AccountChange(name="Other", purchase_order="PO-8", memo="x")
        await accounts.update_account(conn, account.account_id, later)
        told = decode(await store.document(conn, account.account_id, draft.invoice_id) or "")
    assert (told.customer.name, told.purchase_order, told.memo) == ("Ada Ltd", "PO-7", None)


async def test_an_invoices_own_words_stand_before_its_accounts(world: World) -> None:
    fields = (CustomField("Cost centre", "1"),)
    account = await world.account(memo="Thanks", custom_fields=fields, payment_due_days=7)
    own = Terms(memo="Hello", custom_fields=(), locale="de-DE", payment_due_days=0)
    made = await write(world, account, terms=own, is_final=True)
    assert (made.terms.memo, made.terms.custom_fields) == ("Hello", ())
    assert made.due_at == AT
    usual = await write(world, account, is_final=True)
    assert (usual.terms.memo, usual.terms.custom_fields) == ("Thanks", fields)
    assert usual.due_at == AT + timedelta(days=7)


async def test_drafts_become_final_when_their_time_comes(world: World) -> None:
    account = await world.account(grace_hours=48)
    draft, kept = (
        await write(world, account),
        await write(world, account, finalize_at=AT + timedelta(days=9)),
    )
    work = DraftWork(world.db, SELLER)
    assert await work.run_due(AT + timedelta(hours=47), None) == 0
    assert await work.run_due(AT + timedelta(hours=48), None) == 1
    first, second = await world.invoices(account)
    assert {first.invoice_id: first.status, second.invoice_id: second.status} == {
        draft.invoice_id: Status.OPEN, kept.invoice_id: Status.DRAFT,
    }  # fmt: skip


async def test_a_draft_that_can_not_become_final_waits_and_others_go_on(world: World) -> None:
    broken, account = await world.account(), await world.account()
    await write(world, broken, finalize_at=AT)
    await write(world, account, finalize_at=AT)
    await world.rows(
        "UPDATE accounts SET timezone = 'Nowhere' WHERE account_id = $1", broken.account_id
    )
    assert await DraftWork(world.db, SELLER).run_due(AT, None) == 2
    assert (await world.invoice(account)).number == "INV-2026-000001"
    assert (await world.invoice(broken)).status is Status.DRAFT
    assert await DraftWork(world.db, SELLER).run_due(AT, None) == 0


async def test_a_draft_is_thrown_away_and_a_final_invoice_is_not(world: World) -> None:
    account = await world.account()
    draft = await write(world, account)
    async with world.db.transaction(WRITER) as conn:
        await drafts.discard(conn, account.account_id, draft.invoice_id)
    assert await world.invoices(account) == ()
    final = await write(world, account, is_final=True)
    async with world.db.transaction(WRITER) as conn:
        with pytest.raises(Conflict) as refused:
            await drafts.discard(conn, account.account_id, final.invoice_id)
        with pytest.raises(Conflict):
            await drafts.add_lines(conn, account, final.invoice_id, [SETUP], AT)
    assert refused.value.code == "invoice_not_draft"
    for statement in ("DELETE FROM invoice_lines", "UPDATE invoice_lines SET amount_minor = 1"):
        with pytest.raises((asyncpg.RestrictViolationError, asyncpg.InsufficientPrivilegeError)):
            await world.rows(statement)


@pytest.mark.parametrize(("line", "field", "code"), [
    (NewLine(description="x"), "lines[0].unit_price", "one_of"),
    (NewLine(description="x", unit_price=Decimal(1), amount=Money(1, "EUR")),
     "lines[0].unit_price", "one_of"),
    (NewLine(description="x", unit_price=Decimal(1), period_start=AT),
     "lines[0].period_end", "period_reversed"),
])  # fmt: skip
async def test_a_line_that_can_not_be_taken_is_named(
    world: World, line: NewLine, field: str, code: str
) -> None:
    account = await world.account()
    with pytest.raises(BadInput) as refused:
        await write(world, account, line)
    assert [(fault.field, fault.code) for fault in refused.value.errors] == [(field, code)]


async def test_every_line_that_was_written_recomputes_to_its_cent(world: World) -> None:
    account = await world.account()
    await write(world, account, is_final=True)
    rows = await world.rows("SELECT amount_minor, derivation FROM invoice_lines")
    assert [recompute(derive(row["derivation"])).minor for row in rows] == [
        row["amount_minor"] for row in rows
    ]
    assert len(rows) == 2
