"""What gateways report of money that went back, applied: refunds, disputes, returns.

Idempotent, in whatever order it comes. What fits no payment of ours yet, or contradicts one, is
parked for a person; it is never booked by half.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from tallystick.credit_notes import disputes
from tallystick.credit_notes.model import Dispute, Grounds
from tallystick.kernel import outbox
from tallystick.kernel.clock import Clock, account_now
from tallystick.kernel.db import WRITER, Connection, Database
from tallystick.kernel.errors import Conflict
from tallystick.money.amount import Money
from tallystick.payments import over_back, refund_standing
from tallystick.payments import refund_store as store
from tallystick.payments.attempts import Recorded
from tallystick.payments.events import PAYMENT_RETURNED, PaymentReturned
from tallystick.payments.facts import (
    ChargeReturned,
    DisputeReported,
    DisputeState,
    RefundReported,
)
from tallystick.payments.gateway import Gateways
from tallystick.payments.model import PaymentStatus
from tallystick.payments.outcomes import Declined, Outcome, Succeeded
from tallystick.payments.refund_model import Giver, RefundAttempt
from tallystick.payments.refund_payment import find_giver
from tallystick.payments.refund_plan import shares_of_dispute
from tallystick.payments.refunds import Refunds
from tallystick.payments.refunds_elsewhere import Elsewhere, book_elsewhere, know_by_hand
from tallystick.payments.requests import Refund
from tallystick.payments.verdicts import Handled, Parked, Skipped, Verdict

Fact = RefundReported | DisputeReported | ChargeReturned
_NOT_COME: Final = "charge_not_settled"


class ReturnedNews:
    """Applies what gateways tell of money that went back."""

    def __init__(self, db: Database, gateways: Gateways, clock: Clock) -> None:
        self._db = db
        self._gateways = gateways
        self._clock = clock
        self._refunds = Refunds(db, gateways, clock)

    async def apply(self, gateway: str, fact: Fact) -> Verdict:
        """Apply a fact; what can not be so is parked with the code of its reason."""
        try:
            if isinstance(fact, RefundReported):
                return await self._refund(gateway, fact)
            if isinstance(fact, DisputeReported):
                return await self._dispute(gateway, fact)
            return await self._return(gateway, fact)
        except Conflict as error:
            # Its transaction is rolled back: nothing of it is booked.
            return Parked(error.code)

    # -- refunds --

    async def _refund(self, gateway: str, fact: RefundReported) -> Verdict:
        if fact.refund_id is not None:
            return await self._our_refund(gateway, fact, fact.refund_id)
        found = await self._payment(gateway, fact.charge_reference)
        if found is None or not found.came:
            return Parked("charge_unknown" if found is None else _NOT_COME, fact.charge_reference)
        known = await self._known(found, fact.reference)
        if known:
            return await self._again(known, fact.outcome)
        return await self._new(gateway, found, fact)

    async def _new(self, gateway: str, found: store.Named, fact: RefundReported) -> Verdict:
        """Book a refund that was made at the gateway itself, if it is one by now."""
        outcome = await self._as_it_is(gateway, found, fact)
        if isinstance(outcome, Declined) and outcome.reference is None:
            # The gateway has no such refund, whoever told of it.
            return Parked("refund_unknown")
        if not isinstance(outcome, Succeeded):
            # Under way, or it failed: there is nothing to book, and what comes of it is told.
            return Skipped("refund_not_made")
        return await self._elsewhere(found, fact, outcome.amount)

    async def _our_refund(self, gateway: str, fact: RefundReported, attempt_id: UUID) -> Verdict:
        async with self._db.transaction(WRITER) as conn:
            account_id = await store.owner(conn, attempt_id)
            found = await store.find(conn, account_id, attempt_id) if account_id else None
        if account_id is None or found is None or found.gateway != gateway:
            return Parked("refund_unknown")
        if found.charge_reference != fact.charge_reference:
            # Our id on another charge: somebody copied the metadata.
            return Parked("charge_differs")
        recording = await self._refunds.record(account_id, attempt_id, fact.outcome)
        if recording.result is Recorded.PARKED:
            return Parked(recording.problem or "contradiction")
        return Handled(account_id)

    async def _again(self, known: tuple[RefundAttempt, ...], outcome: Outcome) -> Verdict:
        """Apply news of a refund whose name we know; only a failure is new."""
        if isinstance(outcome, Declined):
            for one in known:
                await self._refunds.record(one.account_id, one.refund_attempt_id, outcome)
        return Handled(known[0].account_id)

    async def _as_it_is(self, gateway: str, found: store.Named, fact: RefundReported) -> Outcome:
        """Return how a refund that was made elsewhere stands now: an old event may say more.

        A gateway that can not tell, or is away, has to be believed.
        """
        if not isinstance(fact.outcome, Succeeded):
            return fact.outcome
        asked = Refund(
            key="",
            reference=fact.charge_reference,
            amount=fact.amount,
            charged=fact.amount,
            account_id=found.account_id,
            refund_id=found.payment_id,
            started_at=self._clock(),
        )
        adapter = self._gateways.get(gateway)
        if not adapter.capabilities.refunds:
            return fact.outcome
        now = await adapter.look_up_refund(asked, fact.reference, self._clock())
        return now if isinstance(now, Declined) else fact.outcome

    async def _elsewhere(self, found: store.Named, fact: RefundReported, amount: Money) -> Verdict:
        wall = self._clock()
        async with self._db.own_transaction(WRITER) as conn:
            giver = await find_giver(conn, found.account_id, found.payment_id)
            if giver is None:
                return Parked("payment_without_invoice")
            if await store.named(conn, giver.account_id, giver.payment_id, fact.reference):
                return Handled(giver.account_id)
            at = await account_now(conn, giver.account_id, wall)
            told = Elsewhere(giver=giver, reference=fact.reference, amount=amount, at=at, wall=wall)
            if not await know_by_hand(conn, told):
                await book_elsewhere(conn, told)
        return Handled(found.account_id)

    # -- disputes and returns --

    async def _dispute(self, gateway: str, fact: DisputeReported) -> Verdict:
        found = await self._payment(gateway, fact.charge_reference)
        if found is None or not found.came:
            return Parked("charge_unknown" if found is None else _NOT_COME, fact.charge_reference)
        async with self._db.own_transaction(WRITER) as conn:
            giver = await _locked(conn, found)
            at = await account_now(conn, giver.account_id, self._clock())
            grounds = Grounds(
                payment_id=giver.payment_id, code=fact.code, respond_by=fact.respond_by
            )
            await _note(conn, giver, fact, grounds, at)
            await _end(conn, giver, fact, at)
            await refund_standing.refresh(conn, giver)
        return Handled(giver.account_id)

    async def _return(self, gateway: str, fact: ChargeReturned) -> Verdict:
        """Book that a charge came back for good, once, whatever it is called the second time."""
        found = await self._payment(gateway, fact.charge_reference)
        if found is None or not found.came:
            return Parked("charge_unknown" if found is None else _NOT_COME, fact.charge_reference)
        async with self._db.own_transaction(WRITER) as conn:
            giver = await _locked(conn, found)
            if giver.status is PaymentStatus.FAILED:
                return Handled(giver.account_id)
            at = await account_now(conn, giver.account_id, self._clock())
            grounds = Grounds(kind="return", payment_id=giver.payment_id, code=fact.code)
            told = DisputeReported(
                fact.reference, fact.charge_reference, fact.amount, DisputeState.LOST, fact.code
            )
            await _note(conn, giver, told, grounds, at)
            await _end(conn, giver, told, at)
            await refund_standing.refresh(conn, giver, fact.code)
            invoice_ids = tuple(one.invoice_id for one in giver.gave)
            event = PaymentReturned(giver.payment_id, invoice_ids, fact.code)
            await outbox.append(conn, giver.account_id, PAYMENT_RETURNED, event)
        return Handled(giver.account_id)

    async def _payment(self, gateway: str, charge_reference: str) -> store.Named | None:
        async with self._db.transaction(WRITER) as conn:
            return await store.by_charge(conn, gateway, charge_reference)

    async def _known(self, found: store.Named, reference: str) -> tuple[RefundAttempt, ...]:
        async with self._db.transaction(WRITER) as conn:
            return await store.named(conn, found.account_id, found.payment_id, reference)


async def _locked(conn: Connection, found: store.Named) -> Giver:
    giver = await find_giver(conn, found.account_id, found.payment_id)
    if giver is None:
        raise Conflict("payment_without_invoice", "No invoice got anything of this payment.")
    return giver


async def _note(
    conn: Connection, giver: Giver, fact: DisputeReported, grounds: Grounds, at: datetime
) -> None:
    """Write what is told of a dispute, a share of each invoice; money moves where it says so."""
    if fact.amount.currency != giver.currency:
        text = f"The payment is in {giver.currency}."
        raise Conflict("dispute_currency_differs", text)
    moves = fact.state in {DisputeState.OPENED, DisputeState.LOST}
    tell = disputes.open_dispute if moves else disputes.warn
    for share in shares_of_dispute(giver, fact.amount.minor):
        grounds = replace(grounds, paid_minor=share.paid_minor)
        known = await tell(
            conn, giver.account_id, share.invoice_id, Money(share.amount_minor, giver.currency),
            gateway=giver.gateway, reference=fact.reference, at=at, grounds=grounds,
        )  # fmt: skip
        _need_same(known, share.amount_minor)


async def _end(conn: Connection, giver: Giver, fact: DisputeReported, at: datetime) -> None:
    named = giver.account_id, giver.gateway, fact.reference
    if fact.state is DisputeState.WON:
        await disputes.win_dispute(conn, *named, at)
    elif fact.state is DisputeState.LOST:
        await disputes.lose_dispute(conn, *named, after="reopen", at=at)
        await over_back.take_over_back(conn, giver, fact.reference, fact.amount.minor, at)


def _need_same(known: Dispute, minor: int) -> None:
    if known.amount.minor != minor:
        text = f"It was told with {known.amount.minor} minor units before."
        raise Conflict("dispute_amount_differs", text)
