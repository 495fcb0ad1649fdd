"""What tests of refunds and disputes share: a paid invoice, its books, and news of gateways."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tallystick.accounts import service as accounts
from tallystick.credit_notes import disputes
from tallystick.credit_notes import refunds as wishes
from tallystick.credit_notes import service as notes
from tallystick.credit_notes.model import CreditNote, Dispute, NewNote, Split
from tallystick.credit_notes.model import Refund as Wish
from tallystick.invoices.one_off import issue_one_off, one_off_draft
from tallystick.kernel.db import WRITER
from tallystick.money.amount import Money
from tallystick.payments import refund_store
from tallystick.payments.facts import Fact, GatewayEvent
from tallystick.payments.refund_model import RefundAttempt
from tallystick.payments.refund_payment import AskedRefund, PaymentRefunds
from tallystick.payments.refunds import Refunds
from tallystick.payments.verdicts import Verdict
from tests.service.payments.conftest import SELLER

if TYPE_CHECKING:
    from tests.service.payments.conftest import World

REFUNDS = "/v1/refunds"


class Back:
    """The part of the world that gives money back."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.count = 0

    @property
    def refunds(self) -> Refunds:
        return Refunds(self.world.db, self.world.gateways, self.world.clock)

    @property
    def desk(self) -> PaymentRefunds:
        return PaymentRefunds(self.world.db, self.refunds, self.world.clock)

    async def invoice(self, account_id: UUID, minor: int = 4900) -> UUID:
        """An open invoice of one line, with its document, as finalizing leaves it."""
        async with self.world.db.transaction(WRITER) as conn:
            account = await accounts.get_account(conn, account_id)
            amount, at = Money(minor, "USD"), self.world.clock()
            draft = one_off_draft(account, "one_off", amount, description="Work", code="x", at=at)
            made = await issue_one_off(conn, account, draft, seller=SELLER, at=at)
        return made.invoice_id

    async def paid(self, minor: int = 4900) -> tuple[UUID, UUID, UUID]:
        """Return account, invoice and payment: paid by card, all webhooks in; then muted."""
        world = self.world
        account = await world.account()
        await world.save_card(account)
        invoice = await self.invoice(account, minor)
        await world.settle_down()
        payment = await world.payment(account)
        assert payment.status == "succeeded"
        world.mute()
        return account, invoice, payment.payment_id

    async def ask(self, account_id: UUID, payment_id: UUID, **asked: Any) -> Wish:
        self.count += 1
        wanted = AskedRefund(
            **{"reason": "Not as promised", "request_key": f"k{self.count}", **asked}
        )
        (wish,) = await self.desk.refund(account_id, payment_id, wanted)
        return wish

    async def wish(self, account_id: UUID, invoice_id: UUID, minor: int) -> Wish:
        """A credit note by hand, all of it to be paid back."""
        async with self.world.db.transaction(WRITER) as conn:
            new = NewNote(
                invoice_id=invoice_id, reason="other", total_minor=minor,
                split=Split(refund=minor),
            )  # fmt: skip
            note = await notes.issue(conn, account_id, new, self.world.clock())
            return (await wishes.refunds_of(conn, account_id, (note,)))[note.credit_note_id]

    async def rounds(self) -> None:
        """Do the due work of refunds until nothing is due."""
        while await self.refunds.begin_due(self.world.clock()) + await self.refunds.look_due(
            self.world.clock()
        ):
            pass

    async def tell(self, fact: Fact, gateway: str = "stripe") -> Verdict:
        event = GatewayEvent("evt", "kind", datetime.now(UTC), False, fact)  # noqa: FBT003
        return await self.world.news.apply(gateway, event)

    async def read(self, wish: Wish) -> Wish:
        async with self.world.db.transaction(WRITER) as conn:
            return await wishes.get_refund(conn, wish.account_id, wish.refund_id)

    async def wishes(self, account_id: UUID, invoice_id: UUID) -> tuple[Wish, ...]:
        async with self.world.db.transaction(WRITER) as conn:
            return await wishes.refunds_of_invoice(conn, account_id, invoice_id)

    async def attempts(self, wish: Wish) -> tuple[RefundAttempt, ...]:
        async with self.world.db.transaction(WRITER) as conn:
            return await refund_store.of_refund(conn, wish.account_id, wish.refund_id)

    async def notes(self, account_id: UUID, invoice_id: UUID) -> tuple[CreditNote, ...]:
        async with self.world.db.transaction(WRITER) as conn:
            return await notes.notes_of_invoice(conn, account_id, invoice_id)

    async def disputes(self, account_id: UUID, invoice_id: UUID) -> tuple[Dispute, ...]:
        async with self.world.db.transaction(WRITER) as conn:
            return await disputes.disputes_of_invoice(conn, account_id, invoice_id)

    async def books(self, account_id: UUID) -> dict[str, int]:
        """What stands on each ledger account, where anything does."""
        async with self.world.db.transaction(WRITER) as conn:
            rows = await conn.fetch(
                "SELECT ledger_account, sum(amount)::bigint AS amount FROM ledger_postings"
                " WHERE account_id = $1 GROUP BY ledger_account",
                account_id,
            )
        return {row["ledger_account"]: row["amount"] for row in rows if row["amount"]}
