"""An account with an open invoice of three lines and a discount: 180.00 and 20% tax, 216.00."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from msgspec.structs import replace

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account, NewAccount
from tallystick.credit_notes import service
from tallystick.credit_notes.model import CreditNote, NewNote, Split, Take
from tallystick.documents.document import Party, TaxLine
from tallystick.invoices import service as invoices
from tallystick.invoices.model import DraftLine, Invoice, InvoiceDraft
from tallystick.invoices.one_off import issue_one_off, one_off_draft
from tallystick.kernel.db import WRITER, Database
from tallystick.ledger import service as ledger
from tallystick.ledger.model import RECEIVABLE, Entry, Posting, clearing
from tallystick.money.amount import Money

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = datetime(2026, 4, 1, 12, tzinfo=UTC)
SELLER = Party("Seller", ("1 Main Street",), "billing@example.com", "FR123")
LINES = (("Setup", 10_000), ("Support", 6_000), ("Training", 4_000), ("Spring coupon", -2_000))


def line_of(account: Account, name: str, minor: int) -> DraftLine:
    amount = Money(abs(minor), "EUR")
    (line,) = one_off_draft(account, "one_off", amount, description=name, code="x", at=AT).lines
    return replace(line, amount=Money(minor, "EUR"), kind="one_off" if minor > 0 else "discount")


def draft_of(account: Account, lines: Sequence[tuple[str, int]], percent: int) -> InvoiceDraft:
    subtotal = sum(minor for _, minor in lines)
    tax = TaxLine("VAT", Decimal(percent), subtotal, subtotal * percent // 100)
    return InvoiceDraft(
        currency="EUR",
        period_start=None,
        period_end=None,
        lines=tuple(line_of(account, name, minor) for name, minor in lines),
        subtotal=Money(subtotal, "EUR"),
        taxes=(tax,) if percent else (),
        tax=Money(tax.amount_minor, "EUR"),
        total=Money(subtotal + tax.amount_minor, "EUR"),
    )


class World:
    """One account, on one database."""

    def __init__(self, db: Database, account: Account) -> None:
        self.db = db
        self.account = account
        self.payment_count = 0

    async def invoice(
        self, lines: Sequence[tuple[str, int]] = LINES, *, percent: int = 20, at: datetime = AT
    ) -> Invoice:
        async with self.db.transaction(WRITER) as conn:
            draft = draft_of(self.account, lines, percent)
            made = await issue_one_off(conn, self.account, draft, seller=SELLER, at=at)
        return await self.read(made)

    async def read(self, invoice: Invoice) -> Invoice:
        async with self.db.transaction(WRITER) as conn:
            return await invoices.get_invoice(conn, self.account.account_id, invoice.invoice_id)

    async def pay(self, invoice: Invoice, minor: int, at: datetime = AT) -> Invoice:
        """Settle and book it, as `payments/` does."""
        self.payment_count += 1
        entry = Entry(
            idempotency_key=f"payment:{self.payment_count}",
            kind="payment_settled",
            reference="pay_x",
            reason="Paid",
            at=at,
            postings=(
                Posting(clearing("manual"), "EUR", minor),
                Posting(RECEIVABLE, "EUR", -minor),
            ),
        )
        async with self.db.transaction(WRITER) as conn:
            paid = await invoices.settle(
                conn, self.account.account_id, invoice.invoice_id, Money(minor, "EUR"), at
            )
            await ledger.post(conn, self.account.account_id, entry)
        return paid

    async def note(
        self, invoice: Invoice, *takes: Take, split: Split | None = None, **more: Any
    ) -> CreditNote:
        new = NewNote(
            invoice_id=invoice.invoice_id,
            reason=more.pop("reason", "order_change"),
            takes=takes or None,
            split=split,
            **more,
        )
        async with self.db.transaction(WRITER) as conn:
            return await service.issue(conn, self.account.account_id, new, AT)

    async def void(self, note: CreditNote) -> CreditNote:
        async with self.db.transaction(WRITER) as conn:
            return await service.void(conn, self.account.account_id, note.credit_note_id, LATER)

    async def balances(self) -> dict[str, int]:
        """What stands on each ledger account of ours, where anything does."""
        rows = await self.rows(
            "SELECT ledger_account, sum(amount)::bigint AS amount FROM ledger_postings"
            " WHERE account_id = $1 GROUP BY ledger_account",
            self.account.account_id,
        )
        return {row["ledger_account"]: row["amount"] for row in rows if row["amount"]}

    async def rows(self, sql: str, *values: Any) -> list[asyncpg.Record]:
        async with self.db.transaction(WRITER) as conn:
            return list(await conn.fetch(sql, *values))


def of(invoice: Invoice, position: int, **take: Any) -> Take:
    """The wish for a line by its position, from 1."""
    line_id: UUID = invoice.lines[position - 1].invoice_line_id
    return Take(invoice_line_id=line_id, **take)


@pytest.fixture
async def world(db: Database) -> World:
    """The account, without an invoice yet."""
    new = NewAccount(name="Ada", email="ada@example.com", currency="EUR", country="FR")
    async with db.transaction(WRITER) as conn:
        return World(db, await accounts.create_account(conn, new, AT))
