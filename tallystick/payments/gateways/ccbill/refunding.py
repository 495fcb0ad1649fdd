"""Giving money back once: CCBill's service knows no keys, so its counts tell what became of it.

A refund also cancels and expires the subscription, even a part of it (CCBill API guide): CCBill's
webhooks tell so, in any order.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from tallystick.kernel.clock import Clock
from tallystick.kernel.db import WRITER, Database, account_scope
from tallystick.kernel.errors import NotFound, TallystickError
from tallystick.payments.facts import Back, RefundReported
from tallystick.payments.gateways.ccbill import refund_store as store
from tallystick.payments.gateways.ccbill.client import NotSent
from tallystick.payments.gateways.ccbill.management import Management, Said
from tallystick.payments.gateways.ccbill.refund_store import RefundRow
from tallystick.payments.outcomes import Declined, Outcome, Succeeded, Unknown
from tallystick.payments.requests import Refund, SubscriptionView

COUNTED_WITHIN: Final = timedelta(minutes=15)
"""A refund that was made is in the counts by then; before, an equal count says nothing."""
_REFUSED: Final = Declined("processing_error")


class Refunding:
    """Carries out refunds and finds out about them."""

    def __init__(self, db: Database, management: Management, clock: Clock) -> None:
        self._db = db
        self._management = management
        self._clock = clock

    async def refund(self, refund: Refund) -> Outcome:
        """Refund once per key."""
        known = await self._find(refund)
        if known is not None:
            return known.outcome or Unknown("no_answer")
        subscription_id = refund.reference.partition("/")[0]
        try:
            before = reversed_count(await self._management.view(subscription_id))
        except NotFound:
            return Declined("payment_request_invalid", hard=True)
        except TallystickError:
            return Unknown("no_answer")
        row = RefundRow(
            account_id=refund.account_id,
            idempotency_key=refund.key,
            refund_id=refund.refund_id,
            subscription_id=subscription_id,
            charge_reference=refund.reference,
            currency=refund.amount.currency,
            amount_minor=refund.amount.minor,
            reversed_before=before,
            sent_at=self._clock(),
        )
        async with self._db.own_transaction(account_scope(refund.account_id)) as conn:
            if not await store.insert(conn, row):
                return Unknown("gateway_busy")
        return await self._send(row, refund)

    async def look_up(self, refund: Refund, now: datetime) -> Outcome:
        """Say what became of a refund; one that was never sent is sent now."""
        row = await self._find(refund)
        if row is None:
            return await self.refund(refund)
        if row.outcome is not None:
            return row.outcome
        try:
            view = await self._management.view(row.subscription_id)
        except TallystickError:
            return Unknown("no_answer")
        if reversed_count(view) > row.reversed_before:
            return await self._finish(row, made(refund))
        if now - row.sent_at < COUNTED_WITHIN:
            return Unknown("not_listed_yet")
        return await self._finish(row, _REFUSED)

    async def recognize(self, fact: Back) -> Back:
        """Return the fact under our names of its charge and, if we asked for it, its refund."""
        async with self._db.own_transaction(WRITER) as conn:
            named = (fact.charge_reference, fact.subscription_reference or fact.charge_reference)
            charge = await store.charge_of(conn, *named, fact.amount)
            if charge is None:
                return fact
            fact = replace(fact, charge_reference=charge)
            if not isinstance(fact, RefundReported):
                return fact
            ours = await store.tell(conn, fact.reference, charge, fact.amount)
        if ours is None:
            return fact
        outcome = Succeeded(name_of(charge, ours), fact.amount)
        return replace(fact, refund_id=ours, outcome=outcome)

    async def _send(self, row: RefundRow, refund: Refund) -> Outcome:
        try:
            said = await self._management.refund(row.subscription_id, refund.amount)
        except NotSent:
            said = Said.LATER
        if said is Said.UNKNOWN:
            return Unknown("no_answer")
        if said is Said.LATER:
            async with self._db.own_transaction(account_scope(row.account_id)) as conn:
                await store.forget(conn, row)
            return Unknown("gateway_busy")
        return await self._finish(row, made(refund) if said is Said.DONE else _REFUSED)

    async def _find(self, refund: Refund) -> RefundRow | None:
        async with self._db.own_transaction(account_scope(refund.account_id)) as conn:
            return await store.find(conn, refund.account_id, refund.key)

    async def _finish(self, row: RefundRow, outcome: Outcome) -> Outcome:
        async with self._db.own_transaction(account_scope(row.account_id)) as conn:
            await store.finish(conn, row, outcome)
        return outcome


def made(refund: Refund) -> Succeeded:
    """Return the refund as made, under a name of ours: CCBill gives it none."""
    return Succeeded(name_of(refund.reference, refund.refund_id), refund.amount)


def name_of(charge_reference: str, refund_id: UUID) -> str:
    """Return our name of a refund."""
    return f"{charge_reference}:{refund_id}"


def reversed_count(view: SubscriptionView) -> int:
    """Return how often money went back; a refund may be made as a void."""
    return view.refund_count + view.void_count
