"""Whatever is credited, voided, paid, used, paid back or disputed: documents and books agree."""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tallystick.accounts import service as accounts
from tallystick.accounts.model import NewAccount
from tallystick.credit_notes import disputes, refunds, service
from tallystick.credit_notes.model import NewNote, Take
from tallystick.invoices.model import Invoice
from tallystick.kernel.db import WRITER, Database, open_database
from tallystick.kernel.errors import BadInput, Conflict, NotFound
from tallystick.money.amount import Money
from tests.service.credit_notes.conftest import AT, World

LINES = st.lists(st.integers(1, 5000), min_size=1, max_size=3)
PERCENTS = st.sampled_from([0, 7, 20])

# All of an account in one row; each pair of columns must be equal.
AGREES = """
SELECT
  (SELECT coalesce(sum(amount), 0) FROM ledger_postings p
   WHERE p.account_id = $1 AND p.ledger_account = 'receivable') AS receivable,
  (SELECT coalesce(sum(total_minor - paid_minor - offset_minor), 0) FROM invoices i
   WHERE i.account_id = $1 AND i.status IN ('open', 'paid')) AS due,
  (SELECT -coalesce(sum(amount), 0) FROM ledger_postings p
   WHERE p.account_id = $1 AND p.ledger_account = 'customer_credit') AS customer_credit,
  (SELECT coalesce(sum(left_minor), 0) FROM customer_credits c WHERE c.account_id = $1) AS kept,
  (SELECT -coalesce(sum(amount), 0) FROM ledger_postings p
   WHERE p.account_id = $1 AND p.ledger_account = 'refunds') AS refunds,
  (SELECT coalesce(sum(amount_minor - made_minor), 0) FROM refunds r
   WHERE r.account_id = $1 AND r.status IN ('requested', 'processing')) AS wished,
  (SELECT coalesce(sum(amount), 0) FROM ledger_postings p
   WHERE p.account_id = $1 AND p.ledger_account = 'chargebacks') AS chargebacks,
  (SELECT coalesce(sum(amount_minor), 0) FROM disputes d
   WHERE d.account_id = $1 AND d.status = 'opened') AS disputed,
  (SELECT -coalesce(sum(amount), 0) FROM ledger_postings p
   WHERE p.account_id = $1 AND p.ledger_account = 'revenue') AS revenue,
  (SELECT coalesce(sum(subtotal_minor), 0) FROM invoices i WHERE i.account_id = $1)
  - (SELECT coalesce(sum(subtotal_minor), 0) FROM credit_notes n
     WHERE n.account_id = $1 AND n.status = 'issued') AS net,
  (SELECT -coalesce(sum(amount), 0) FROM ledger_postings p
   WHERE p.account_id = $1 AND p.ledger_account = 'tax_payable') AS tax_payable,
  (SELECT coalesce(sum(tax_minor), 0) FROM invoices i WHERE i.account_id = $1)
  - (SELECT coalesce(sum(tax_minor), 0) FROM credit_notes n
     WHERE n.account_id = $1 AND n.status = 'issued') AS tax,
  (SELECT count(*) FROM invoices i WHERE i.account_id = $1 AND i.credited_minor <>
      (SELECT coalesce(sum(total_minor), 0) FROM credit_notes n
       WHERE n.account_id = $1 AND n.invoice_id = i.invoice_id AND n.status = 'issued')) AS apart,
  (SELECT count(*) FROM credited_lines c WHERE c.account_id = $1 AND c.credited_net_minor <>
      (SELECT coalesce(sum(l.net_minor), 0) FROM credit_note_lines l
       JOIN credit_notes n USING (account_id, credit_note_id)
       WHERE l.account_id = $1 AND l.invoice_line_id = c.invoice_line_id
             AND n.status = 'issued')) AS apart_lines
"""
PAIRS = (
    ("receivable", "due"), ("customer_credit", "kept"), ("refunds", "wished"),
    ("chargebacks", "disputed"), ("revenue", "net"), ("tax_payable", "tax"),
)  # fmt: skip


class Notes(RuleBasedStateMachine):
    """One account with its invoices, notes and payments."""

    loop: ClassVar[asyncio.AbstractEventLoop]
    db: ClassVar[Database]

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    @initialize(lines=LINES, percent=PERCENTS)
    def begin(self, lines: list[int], percent: int) -> None:
        self.invoices: list[Invoice] = []
        self.notes: list[UUID] = []
        self.disputes: list[str] = []

        async def work() -> World:
            new = NewAccount(name="A", email="a@example.com", currency="EUR", country="FR")
            async with self.db.transaction(WRITER) as conn:
                return World(self.db, await accounts.create_account(conn, new, AT))

        self.world = self.run(work())
        self.invoice(lines, percent)

    @property
    def account(self) -> UUID:
        account_id: UUID = self.world.account.account_id
        return account_id

    def any_invoice(self, at: int) -> Invoice:
        read: Invoice = self.run(self.world.read(self.invoices[at % len(self.invoices)]))
        return read

    @rule(lines=LINES, percent=PERCENTS)
    def invoice(self, lines: list[int], percent: int) -> None:
        named = [(f"Line {at}", minor) for at, minor in enumerate(lines, 1)]
        off = sum(lines) // 7
        named += [("Coupon", -off)] if off else []
        self.invoices.append(self.run(self.world.invoice(named, percent=percent)))

    @rule(at=st.integers(0, 9), share=st.integers(1, 4))
    def pay(self, at: int, share: int) -> None:
        invoice = self.any_invoice(at)
        if invoice.status in {"open", "uncollectible"} and invoice.due.minor:
            self.run(self.world.pay(invoice, max(invoice.due.minor // share, 1)))

    @rule(at=st.integers(0, 9), parts=st.lists(st.integers(0, 3), max_size=3), back=st.booleans())
    def credit(self, at: int, parts: list[int], back: bool) -> None:  # noqa: FBT001
        invoice = self.any_invoice(at)
        takes = tuple(
            Take(
                invoice_line_id=line.invoice_line_id,
                amount_minor=line.amount.minor // part if part else None,
            )
            for part, line in zip(parts, invoice.lines, strict=False)
        )
        new = NewNote(
            invoice_id=invoice.invoice_id, reason="other", takes=takes or None,
            rest="refund" if back else "credit",
        )  # fmt: skip

        async def work() -> None:
            async with self.db.transaction(WRITER) as conn:
                note = await service.issue(conn, self.account, new, AT)
            self.notes.append(note.credit_note_id)

        self.tried(work())

    @rule(at=st.integers(0, 9))
    def void(self, at: int) -> None:
        async def work() -> None:
            async with self.db.transaction(WRITER) as conn:
                note_id = self.notes[at % len(self.notes)]
                await service.void(conn, self.account, note_id, AT)

        if self.notes:
            self.tried(work())

    @rule()
    def pay_back(self) -> None:
        async def work() -> None:
            async with self.db.transaction(WRITER) as conn:
                for wish in (await refunds.waiting_refunds(conn, self.account))[:1]:
                    await refunds.make_refund(conn, self.account, wish.refund_id, "x", AT)

        self.run(work())

    @rule(at=st.integers(0, 9), is_won=st.booleans(), is_given_up=st.booleans())
    def dispute(self, at: int, is_won: bool, is_given_up: bool) -> None:  # noqa: FBT001
        invoice = self.any_invoice(at)
        if self.disputes:
            named = self.account, "stripe", self.disputes.pop()
            after = "write_off" if is_given_up else "reopen"
            self.run(self.end_dispute(named, None if is_won else after))
        elif invoice.paid.minor:
            reference = f"dp_{invoice.invoice_id}_{datetime.now(UTC)}"
            self.run(self.open_dispute(invoice, reference))
            self.disputes.append(reference)

    async def open_dispute(self, invoice: Invoice, reference: str) -> None:
        async with self.db.transaction(WRITER) as conn:
            await disputes.open_dispute(
                conn, self.account, invoice.invoice_id, Money(invoice.paid.minor, "EUR"),
                gateway="stripe", reference=reference, at=AT,
            )  # fmt: skip

    async def end_dispute(self, named: tuple[UUID, str, str], after: Any) -> None:
        async with self.db.transaction(WRITER) as conn:
            if after is None:
                await disputes.win_dispute(conn, *named, AT)
            else:
                await disputes.lose_dispute(conn, *named, after=after, at=AT)

    def tried(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it, or be refused for a reason of the domain: never by the database."""
        try:
            self.run(work)
        except (Conflict, BadInput, NotFound) as refused:
            assert refused.code in {  # noqa: PT017
                "invoice_line_not_found", "validation_failed", "credit_note_empty",
                "invoice_not_open", "credit_note_used", "refund_made", "credit_exceeds_paid",
            }  # fmt: skip

    @invariant()
    def documents_and_books_agree(self) -> None:
        if not hasattr(self, "world"):
            return
        (row,) = self.run(self.world.rows(AGREES, self.account))
        assert [row[one] for one, _ in PAIRS] == [row[other] for _, other in PAIRS], dict(row)
        assert (row["apart"], row["apart_lines"]) == (0, 0)


def test_notes_invoices_credit_and_books_agree_whatever_happens(dsn: str) -> None:
    loop = Notes.loop = asyncio.new_event_loop()

    async def begin() -> None:
        Notes.db = await open_database(dsn, connections_max=2)

    try:
        loop.run_until_complete(begin())
        run_state_machine_as_test(
            Notes,
            settings=settings(
                max_examples=15, stateful_step_count=15,
                suppress_health_check=list(HealthCheck), deadline=None,
            ),
        )  # fmt: skip
        loop.run_until_complete(Notes.db.close())
    finally:
        loop.close()
