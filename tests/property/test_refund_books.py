"""Whatever is refunded, disputed, lost and told in whatever order: nothing twice, books agree.

The gateway is a till in memory with books of its own: it keeps keys, loses answers, changes its
mind days later, and gives money back by itself, as a person in its dashboard would.
"""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tallystick import verify
from tallystick.accounts import service as accounts
from tallystick.accounts.model import NewAccount
from tallystick.credit_notes import refunds as wishes
from tallystick.credit_notes import service as notes
from tallystick.credit_notes.model import NewNote, Split
from tallystick.invoices import service as invoices
from tallystick.invoices.model import Invoice
from tallystick.kernel.db import WRITER, Database, open_database
from tallystick.kernel.errors import BadInput, Conflict
from tallystick.kernel.ids import new_id
from tallystick.ledger.verify import Difference
from tallystick.money.amount import Money
from tallystick.payments import booking, store
from tallystick.payments.facts import ChargeReturned, DisputeReported, DisputeState, RefundReported
from tallystick.payments.gateway import Gateway, Gateways
from tallystick.payments.model import Part, Payment, PaymentStatus
from tallystick.payments.outcomes import Declined, Outcome, Pending, Succeeded, Unknown
from tallystick.payments.refund_payment import AskedRefund, PaymentRefunds, make_by_hand
from tallystick.payments.refunds import Refunds
from tallystick.payments.requests import Capabilities, Refund
from tallystick.payments.returned_news import Fact, ReturnedNews
from tests.property.test_credit_note_books import AGREES, PAIRS
from tests.service.credit_notes.conftest import AT, World

MODES = st.sampled_from(["done", "done", "lost", "down", "pending", "declined"])
SHARES = st.integers(1, 4)
PLACES = st.integers(0, 9)
# What stands with the gateway, and what ought to by its payments, refunds and disputes.
HELD = """
SELECT
  (SELECT coalesce(sum(amount), 0)::bigint FROM ledger_postings
   WHERE account_id = $1 AND ledger_account = 'clearing:stripe') AS booked,
  (SELECT coalesce(sum(received_minor), 0)::bigint FROM payments WHERE account_id = $1)
  - (SELECT coalesce(sum(amount_minor), 0)::bigint FROM refund_attempts
     WHERE account_id = $1 AND gateway = 'stripe' AND outcome = 'succeeded')
  - (SELECT coalesce(sum(amount_minor), 0)::bigint FROM disputes
     WHERE account_id = $1 AND status IN ('opened', 'lost')) AS held,
  (SELECT count(*) FROM payments p WHERE account_id = $1 AND refunded_minor <> (
     SELECT coalesce(sum(amount_minor), 0) FROM refund_attempts r
     WHERE r.account_id = p.account_id AND r.payment_id = p.payment_id
       AND r.outcome <> 'declined')) AS miscounted,
  (SELECT count(*) FROM refunds f WHERE account_id = $1 AND status = 'processing'
     AND NOT EXISTS (SELECT FROM refund_attempts r WHERE r.refund_id = f.refund_id
       AND r.outcome IN ('created', 'pending', 'unknown'))) AS stuck
"""


class Made(msgspec.Struct):
    """A refund in the till's own books."""

    charge: str
    amount: Money
    state: str
    ours: UUID | None


class Till(Gateway):
    """A gateway that gives money back once per key, never beyond a charge."""

    name = "stripe"
    capabilities = Capabilities(refunds=True, refunds_in_part=True)

    def __init__(self) -> None:
        self.mode = "done"
        self.made: dict[str, Made] = {}
        self.charged: dict[str, int] = {}

    def gone(self, charge: str) -> int:
        return sum(
            one.amount.minor
            for one in self.made.values()
            if one.charge == charge and one.state != "failed"
        )

    async def refund(self, refund: Refund) -> Outcome:
        mode, self.mode = self.mode, "done"
        if refund.key not in self.made:
            if mode == "down":
                return Unknown("no_answer")
            if mode == "declined":
                return Declined("processing_error")
            # Ours never ask for more than a charge took, whoever else asked before.
            assert self.gone(refund.reference) + refund.amount.minor <= refund.charged.minor
            state = "pending" if mode == "pending" else "succeeded"
            self.made[refund.key] = Made(refund.reference, refund.amount, state, refund.refund_id)
        return Unknown("no_answer") if mode == "lost" else self.outcome(refund.key)

    async def look_up_refund(self, refund: Refund, reference: str | None, now: datetime) -> Outcome:
        del now
        return self.outcome(reference) if reference else await self.refund(refund)

    def outcome(self, key: str) -> Outcome:
        one = self.made[key]
        if one.state == "succeeded":
            return Succeeded(key, one.amount)
        return Pending(key) if one.state == "pending" else Declined("refund_failed", reference=key)


class Returns(RuleBasedStateMachine):
    """One account, its invoices and payments, a till, and all that may happen to them."""

    loop: ClassVar[asyncio.AbstractEventLoop]
    db: ClassVar[Database]

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    @initialize()
    def begin(self) -> None:
        self.ahead = timedelta()
        self.count = 0
        self.till = Till()
        gateways = Gateways([self.till])
        self.refunds = Refunds(self.db, gateways, self.clock)
        self.desk = PaymentRefunds(self.db, self.refunds, self.clock)
        self.news = ReturnedNews(self.db, gateways, self.clock)
        self.payments: list[Payment] = []

        async def work() -> World:
            new = NewAccount(name="A", email="a@example.com", currency="EUR", country="FR")
            async with self.db.transaction(WRITER) as conn:
                return World(self.db, await accounts.create_account(conn, new, AT))

        self.world = self.run(work())
        self.account: UUID = self.world.account.account_id
        self.pay([700, 300], 0, 20)

    def clock(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def any_payment(self, at: int) -> Payment:
        return self.payments[at % len(self.payments)]

    @rule(
        totals=st.lists(st.integers(1, 3000), min_size=1, max_size=2),
        over=st.sampled_from([0, 0, 50]),
        percent=st.sampled_from([0, 20]),
    )
    def pay(self, totals: list[int], over: int, percent: int) -> None:
        """Some invoices, and one payment that settles them all, sometimes with more."""

        async def work() -> None:
            made = [await self.world.invoice([("Work", one)], percent=percent) for one in totals]
            parts = tuple(Part(one.invoice_id, one.due.minor) for one in made if one.due.minor)
            if not parts:  # what was paid over before, up to 50, has settled them
                return
            payment = self.wish_of(parts)
            received = Money(payment.amount_minor + over, "EUR")
            async with self.db.transaction(WRITER) as conn:
                await store.insert(conn, payment)
                await booking.succeed(conn, payment, received, payment.reference, AT)
            self.till.charged[str(payment.reference)] = received.minor
            self.payments.append(payment)

        self.run(work())

    def wish_of(self, parts: tuple[Part, ...]) -> Payment:
        self.count += 1
        return Payment(
            account_id=self.account, payment_id=new_id(), request_key=f"p{self.count}",
            gateway="stripe", payment_method_id=None, currency="EUR",
            amount_minor=sum(part.amount_minor for part in parts),
            status=PaymentStatus.PROCESSING, reference=f"ch_{new_id()}", failure_code=None,
            note=None, next_attempt_at=None, created_at=AT, settled_at=None, parts=parts,
        )  # fmt: skip

    @rule(at=PLACES, share=SHARES, mode=MODES)
    def ask(self, at: int, share: int, mode: str) -> None:
        self.till.mode = mode
        payment = self.any_payment(at)
        self.count += 1
        asked = AskedRefund(
            reason="x", request_key=f"r{self.count}",
            amount_minor=max(payment.amount_minor // share, 1),
        )  # fmt: skip
        self.tried(self.desk.refund(self.account, payment.payment_id, asked))

    @rule(at=PLACES, share=SHARES, mode=MODES)
    def credit(self, at: int, share: int, mode: str) -> None:
        """A note with a wish, and the worker that comes by."""
        self.till.mode = mode
        invoice_id = self.any_payment(at).invoice_ids[0]

        async def work() -> None:
            async with self.db.transaction(WRITER) as conn:
                invoice: Invoice = await invoices.get_invoice(conn, self.account, invoice_id)
                minor = max(invoice.total.minor // share, 1)
                new = NewNote(
                    invoice_id=invoice_id, reason="other", total_minor=minor,
                    split=Split(refund=minor),
                )  # fmt: skip
                await notes.issue(conn, self.account, new, AT)

        self.tried(work())
        self.run(self.refunds.begin_due(self.clock()))

    @rule()
    def look(self) -> None:
        self.ahead += timedelta(days=2)
        self.run(self.refunds.look_due(self.clock()))

    @precondition(lambda self: self.till.made)
    @rule(at=PLACES, is_good=st.booleans())
    def decide(self, at: int, is_good: bool) -> None:  # noqa: FBT001
        """A refund under way succeeds or fails; one that had succeeded may fail."""
        key = sorted(self.till.made)[at % len(self.till.made)]
        one = self.till.made[key]
        if one.state == "pending":
            one.state = "succeeded" if is_good else "failed"
        elif one.state == "succeeded" and not is_good:
            one.state = "failed"
        self.tell_refund(key)

    @rule(at=PLACES, share=SHARES)
    def refund_there(self, at: int, share: int) -> None:
        charge = str(self.any_payment(at).reference)
        left = self.till.charged[charge] - self.till.gone(charge)
        if left:
            key = f"re_{new_id()}"
            amount = Money(max(left // share, 1), "EUR")
            self.till.made[key] = Made(charge, amount, "succeeded", None)
            self.tell_refund(key)

    @rule(at=PLACES, share=SHARES, state=st.sampled_from(DisputeState))
    def dispute(self, at: int, share: int, state: DisputeState) -> None:
        payment = self.any_payment(at)
        amount = Money(max(self.till.charged[str(payment.reference)] // share, 1), "EUR")
        name = f"dp_{payment.reference}_{share}"
        self.tell(DisputeReported(name, str(payment.reference), amount, state, "fraudulent"))

    @rule(at=PLACES)
    def come_back(self, at: int) -> None:
        charge = str(self.any_payment(at).reference)
        amount = Money(self.till.charged[charge], "EUR")
        self.tell(ChargeReturned(f"rt_{charge}", charge, amount, "no_account"))

    @rule()
    def by_hand(self) -> None:
        async def work() -> None:
            async with self.db.transaction(WRITER) as conn:
                for wish in (await wishes.waiting_refunds(conn, self.account))[:1]:
                    named = self.account, wish.refund_id
                    await make_by_hand(conn, *named, "SEPA", wall=self.clock())

        self.tried(work())

    @rule(at=PLACES)
    def void(self, at: int) -> None:
        async def work() -> None:
            async with self.db.transaction(WRITER) as conn:
                invoice_id = self.any_payment(at).invoice_ids[0]
                for note in (await notes.notes_of_invoice(conn, self.account, invoice_id))[:1]:
                    await notes.void(conn, self.account, note.credit_note_id, AT)

        self.tried(work())

    def tell_refund(self, key: str) -> None:
        one = self.till.made[key]
        told = RefundReported(key, one.charge, one.amount, self.till.outcome(key), one.ours)
        self.tell(told)

    def tell(self, fact: Fact) -> None:
        """Webhooks come twice."""
        for _ in range(2):
            self.run(self.news.apply("stripe", fact))

    def tried(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do it, or be refused for a reason of the domain: never by the database."""
        try:
            self.run(work)
        except (Conflict, BadInput) as refused:
            assert refused.code in {  # noqa: PT017
                "refund_exceeds_payment", "refund_exceeds_payments", "credit_exceeds_invoice",
                "credit_exceeds_paid", "credit_note_empty", "payment_not_succeeded",
                "refund_processing", "refund_made", "invoice_not_open",
            }, refused.code  # fmt: skip

    @invariant()
    def books_agree_and_nothing_goes_back_twice(self) -> None:
        if not hasattr(self, "world"):
            return
        (row,) = self.run(self.world.rows(AGREES, self.account))
        assert [row[one] for one, _ in PAIRS] == [row[other] for _, other in PAIRS], dict(row)
        (held,) = self.run(self.world.rows(HELD, self.account))
        assert held["booked"] == held["held"], dict(held)
        assert (held["miscounted"], held["stuck"]) == (0, 0)
        for charge, charged in self.till.charged.items():
            assert self.till.gone(charge) <= charged

    def teardown(self) -> None:
        """In the end we know of each refund of ours what the till knows."""
        if not hasattr(self, "world"):
            return
        for _ in range(3):
            self.look()
        rows = self.run(
            self.world.rows(
                "SELECT idempotency_key AS key, outcome FROM refund_attempts"
                " WHERE account_id = $1 AND idempotency_key IS NOT NULL",
                self.account,
            )
        )
        names = {"succeeded": "succeeded", "failed": "declined", "pending": "pending"}
        for row in rows:
            known = self.till.made.get(row["key"])
            assert row["outcome"] == (names[known.state] if known else "declined")


def test_refunds_disputes_and_books_agree_whatever_happens(dsn: str) -> None:
    loop = Returns.loop = asyncio.new_event_loop()

    async def begin() -> None:
        Returns.db = await open_database(dsn, connections_max=3)

    async def differences() -> list[Difference]:
        told: list[Difference] = []
        async with verify.snapshot(dsn) as conn:
            await verify.verify_database(conn, None, told.append, lambda _: None)
        return told

    try:
        loop.run_until_complete(begin())
        run_state_machine_as_test(
            Returns,
            settings=settings(
                max_examples=12, stateful_step_count=15,
                suppress_health_check=list(HealthCheck), deadline=None,
            ),
        )  # fmt: skip
        assert loop.run_until_complete(differences()) == []
        loop.run_until_complete(Returns.db.close())
    finally:
        loop.close()
