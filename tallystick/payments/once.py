"""One-time charges: an invoice over one amount, charged at once; one that is refused owes nothing.

Invoice, payment and first attempt are written in one transaction, then the gateway is asked. A
process that dies in between leaves an attempt that somebody looks after, and the event
`payment.failed` voids the invoice if this process did not come to it. One that its payer leaves
alone (3-D Secure was never completed), or that was cancelled, is ended after a day.
"""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
import structlog

from tallystick.accounts import service as accounts
from tallystick.documents.document import Party
from tallystick.invoices import service as invoices
from tallystick.invoices.model import Invoice
from tallystick.invoices.one_off import issue_one_off, one_off_draft
from tallystick.kernel.clock import Clock, account_now
from tallystick.kernel.db import WRITER, Connection, Database
from tallystick.kernel.due import WallKind
from tallystick.kernel.errors import Conflict, TallystickError
from tallystick.kernel.outbox import Event
from tallystick.money.amount import Money
from tallystick.payments import attempts, closing, once_store, service, store
from tallystick.payments.attempts import Attempts, Started
from tallystick.payments.collect import chargeable_method
from tallystick.payments.events import PaymentFailed
from tallystick.payments.gateway import Gateways
from tallystick.payments.lifecycle import LIVE_PAYMENTS
from tallystick.payments.model import AttemptOutcome, Payment, PaymentMethod, PaymentStatus
from tallystick.payments.once_store import OneTimeCharge
from tallystick.payments.requests import Authentication
from tallystick.payments.service import PaymentView
from tallystick.payments.wishes import need_authentication_taken, need_chargeable, wish
from tallystick.taxes import service as taxes

log = structlog.get_logger()

CODE: Final = "one_off"
DESCRIPTION: Final = "One-time charge"
REFUSED: Final = "The one-time charge was refused"
ABANDONED: Final = "The one-time charge was not completed"
ABANDONED_AFTER: Final = timedelta(days=1)
BATCH_MAX: Final = 10


class OneTime(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be charged: an amount before tax; `method_id` None: with the default method."""

    amount: Money
    description: str = DESCRIPTION
    method_id: UUID | None = None
    authentication: Authentication | None = None


class Charged(msgspec.Struct, frozen=True):
    """The invoice and its payment; None: what the account had with us paid all of it."""

    invoice: Invoice
    payment: PaymentView | None


class OneTimeCharges:
    """Charges amounts that no subscription asks for."""

    def __init__(
        self, db: Database, gateways: Gateways, tries: Attempts, clock: Clock, seller: Party
    ) -> None:
        self._db = db
        self._gateways = gateways
        self._tries = tries
        self._clock = clock
        self._seller = seller

    async def charge(self, account_id: UUID, asked: OneTime, *, request_key: str) -> Charged:
        """Invoice an amount with its taxes and charge what is due of it now.

        Call it outside any transaction. The same `request_key` charges once. Refused: the invoice
        is void. Raises NotFound; BadInput for an amount that the gateway does not charge; Conflict
        `payment_method_missing`, `payment_method_not_chargeable`, and as `taxes_on` does;
        Unavailable without the gateway.
        """
        async with self._db.own_transaction(WRITER) as conn:
            known = await once_store.find(conn, account_id, request_key)
        if known is None:
            started = await self._issue(account_id, asked, request_key)
            if started is not None:
                await self._tries.run(started, asked.authentication)
                await self._void_refused(account_id, started.attempt.payment_id)
        return await self._charged(account_id, request_key)

    async def on_payment_failed(self, event: Event) -> None:
        """Void the invoice of a one-time charge that was refused; again changes nothing."""
        told = msgspec.json.decode(event.payload, type=PaymentFailed)
        await self._void_refused(event.account_id, told.payment_id)

    def kind(self) -> WallKind:
        """Return the ending of what was abandoned as work for the worker, on wall time."""
        return WallKind("one_time_charges", self.run_due)

    async def run_due(self, now: datetime) -> int:
        """End one batch of charges that nobody completed within a day; return how many were due.

        What can not be ended yet is looked at again a day later.
        """
        async with self._db.own_transaction(WRITER) as conn:
            due = await once_store.lease_to_end(conn, now, ABANDONED_AFTER, BATCH_MAX)
        for made in due:
            try:
                if made.payment_id is not None:
                    await self._end(made, made.payment_id)
            except TallystickError as error:
                log.warning(
                    "one_time_charge_not_ended", payment_id=str(made.payment_id), reason=error.code
                )
        return len(due)

    async def _issue(self, account_id: UUID, asked: OneTime, key: str) -> Started | None:
        wall = self._clock()
        async with self._db.own_transaction(WRITER) as conn:
            method = await chargeable_method(conn, self._gateways, account_id, asked.method_id)
            invoice = await self._invoice(conn, account_id, asked)
            payment = None
            if not invoice.due.is_zero():
                capabilities = self._gateways.get(method.gateway).capabilities
                need_authentication_taken(capabilities, asked.authentication)
                payment = await self._wish(conn, invoice, method, key)
            made = OneTimeCharge(
                account_id=account_id,
                request_key=key,
                invoice_id=invoice.invoice_id,
                payment_id=None if payment is None else payment.payment_id,
                created_at=invoice.created_at,
                end_after=None if payment is None else wall + ABANDONED_AFTER,
            )
            if not await once_store.insert(conn, made):
                raise _in_progress()
            return None if payment is None else await attempts.begin(conn, payment, wall)

    async def _invoice(self, conn: Connection, account_id: UUID, asked: OneTime) -> Invoice:
        account = await accounts.get_account(conn, account_id)
        at = await account_now(conn, account_id, self._clock())
        draft = one_off_draft(
            account,
            "one_off",
            asked.amount,
            description=asked.description,
            code=CODE,
            at=at,
            terms=(await taxes.read_terms(conn, [account]))[account_id],
        )
        return await issue_one_off(conn, account, draft, seller=self._seller, at=at)

    async def _wish(
        self, conn: Connection, invoice: Invoice, method: PaymentMethod, key: str
    ) -> Payment:
        payment = wish([invoice], method, f"once:{key}", created_at=invoice.created_at)
        need_chargeable(self._gateways.get(method.gateway), payment.amount)
        if not await store.insert(conn, payment):
            raise _in_progress()
        return payment

    async def _void_refused(self, account_id: UUID, payment_id: UUID) -> None:
        async with self._db.own_transaction(WRITER) as conn:
            made = await once_store.of_payment(conn, account_id, payment_id)
            payment = await store.lock(conn, account_id, payment_id)
            if made is not None and payment is not None and payment.status is PaymentStatus.FAILED:
                await self._void(conn, made, REFUSED)

    async def _end(self, made: OneTimeCharge, payment_id: UUID) -> None:
        """Cancel a charge that its payer left alone, and void what is owed of a failed one.

        The payer who was faster has paid. While a bank or a gateway has yet to say, it waits.
        """
        async with self._db.own_transaction(WRITER) as conn:
            attempt = (await service.get_payment(conn, made.account_id, payment_id)).attempt
        if attempt is not None and attempt.outcome is AttemptOutcome.NEEDS_ACTION:
            await self._tries.cancel(attempt)
        async with self._db.own_transaction(WRITER) as conn:
            payment = await store.lock(conn, made.account_id, payment_id)
            if payment is None or payment.status in LIVE_PAYMENTS:
                return
            is_over = payment.status not in {PaymentStatus.FAILED, PaymentStatus.CANCELLED}
            if is_over or await self._void(conn, made, ABANDONED):
                await once_store.ended(conn, made)

    async def _void(self, conn: Connection, made: OneTimeCharge, reason: str) -> bool:
        """Void what was to be paid; False while another payment of it is under way."""
        try:
            async with conn.transaction():
                await closing.void_invoice(
                    conn,
                    made.account_id,
                    made.invoice_id,
                    rebill=False,
                    seller=self._seller,
                    reason=reason,
                    wall=self._clock(),
                )
        except Conflict as error:
            # It is void already, or somebody pays it otherwise.
            log.info("one_time_charge_kept", payment_id=str(made.payment_id), reason=error.code)
            return error.code != "payment_in_progress"
        return True

    async def _charged(self, account_id: UUID, request_key: str) -> Charged:
        async with self._db.own_transaction(WRITER) as conn:
            made = await once_store.find(conn, account_id, request_key)
            if made is None:
                raise LookupError("a one-time charge has lost its record")
            invoice = await invoices.get_invoice(conn, account_id, made.invoice_id)
            if made.payment_id is None:
                return Charged(invoice, None)
            return Charged(invoice, await service.get_payment(conn, account_id, made.payment_id))


def _in_progress() -> Conflict:
    return Conflict("request_in_progress", "This charge is being made; ask again.")
