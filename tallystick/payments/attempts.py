"""One try at one gateway: written down, sent, and its outcome applied, each a step of its own.

A process may die between any two steps. Before the call a row says `created`; whoever finds it
later asks the gateway with the same key. No transaction is open while a gateway is asked.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec
import structlog
from msgspec.structs import replace

from tallystick.kernel import outbox
from tallystick.kernel.clock import Clock, account_now
from tallystick.kernel.db import Connection, Database, account_scope
from tallystick.kernel.ids import new_id
from tallystick.payments import (
    attempt_store,
    booking,
    checkout_ending,
    lifecycle,
    method_store,
    schedules,
    store,
)
from tallystick.payments.checkout_pages import CheckoutPages
from tallystick.payments.events import (
    GATEWAY_REFERENCE_LINKED,
    PAYMENT_ACTION_NEEDED,
    GatewayReferenceLinked,
    PaymentActionNeeded,
)
from tallystick.payments.gateway import Gateway, Gateways
from tallystick.payments.lifecycle import CALL_MAX, LEASE, PaymentEvent
from tallystick.payments.model import Attempt, AttemptOutcome, Payment, PaymentMethod
from tallystick.payments.outcomes import Declined, NeedsAction, Outcome, Succeeded, Unknown
from tallystick.payments.requests import Authentication, Charge, SubscribeRequest

log = structlog.get_logger()


AMOUNT_DIFFERS: Final = "amount_differs"


class Recorded(StrEnum):
    """What news did."""

    APPLIED = "applied"
    OLD = "old"
    PARKED = "parked"
    MISSING = "missing"


class Recording(msgspec.Struct, frozen=True):
    """What news did; `problem` says why it was parked (`amount_differs`, `reference_differs`)."""

    result: Recorded
    problem: str | None = None


class Started(msgspec.Struct, frozen=True):
    """An attempt that is written down, and the call that it stands for."""

    attempt: Attempt
    charge: Charge
    subscribe: SubscribeRequest | None = None
    """The charge begins a schedule of the gateway's own."""

    def with_proof(self, authentication: Authentication) -> "Started":
        """Return the call with what the payer's bank said, for this one time."""
        charge = replace(self.charge, authentication=authentication)
        asked = self.subscribe
        return replace(self, charge=charge, subscribe=asked and replace(asked, charge=charge))


async def begin(conn: Connection, payment: Payment, wall: datetime) -> Started | None:
    """Write the next attempt of a pending payment whose row is locked.

    None when its method is gone: the payment has failed then.
    """
    method = await _method(conn, payment)
    customer = await method_store.customer(conn, payment.account_id, payment.gateway)
    if method is None or method.status != "active" or customer is None:
        await booking.fail(conn, payment, "payment_method_missing", hard=True)
        return None
    number = await attempt_store.next_number(conn, payment.account_id, payment.payment_id)
    attempt = first_state(payment, number, wall)
    status = lifecycle.move_payment(payment.status, PaymentEvent.START)
    assert status is not None  # noqa: S101 - only pending payments are begun
    await attempt_store.insert(conn, attempt)
    await store.move(conn, payment, status)
    charge = charge_of(payment, attempt, method, customer)
    return Started(attempt, charge, await schedules.request_of(conn, payment, charge))


def first_state(payment: Payment, number: int, wall: datetime) -> Attempt:
    """Return an attempt as it is before its call."""
    return Attempt(
        account_id=payment.account_id,
        payment_attempt_id=new_id(),
        payment_id=payment.payment_id,
        number=number,
        idempotency_key=f"pay:{payment.payment_id}:{number}",
        gateway=payment.gateway,
        outcome=AttemptOutcome.CREATED,
        gateway_reference=None,
        code=None,
        hard=False,
        resolve_after=wall + LEASE,
        resolve_count=0,
        created_at=wall,
        ended_at=None,
    )


def charge_of(
    payment: Payment, attempt: Attempt, method: PaymentMethod, customer_token: str
) -> Charge:
    """Return the call of an attempt, equal whenever it is made."""
    return Charge(
        key=attempt.idempotency_key,
        amount=payment.amount,
        customer_token=customer_token,
        method_token=method.token,
        method_type=method.type,
        account_id=payment.account_id,
        payment_id=payment.payment_id,
        attempt_id=attempt.payment_attempt_id,
        started_at=attempt.created_at,
    )


def apply_news(attempt: Attempt, outcome: Outcome, wall: datetime) -> Attempt | None:
    """Return what is known of the attempt then; None when the news is old or says less."""
    state = lifecycle.move_attempt(attempt.outcome, lifecycle.outcome_name(outcome))
    if state is None:
        return None
    live = state in lifecycle.LIVE_ATTEMPTS
    return replace(
        attempt,
        outcome=state,
        gateway_reference=outcome.reference or attempt.gateway_reference,
        code=outcome.code if isinstance(outcome, Declined | NeedsAction | Unknown) else None,
        hard=isinstance(outcome, Declined) and outcome.hard,
        resolve_after=lifecycle.next_look(state, attempt.resolve_count, wall),
        ended_at=None if live else wall,
    )


def contradiction(
    payment: Payment, attempt: Attempt, outcome: Outcome, *, answered: bool
) -> str | None:
    """Return why an outcome can not be true of this payment; a person has to look then.

    Another amount than wished for is believed where the gateway `answered` us. A webhook alone may
    be old, wrong, or somebody else's with our metadata on it; and what came once does not change.
    """
    known = attempt.gateway_reference
    if known is not None and outcome.reference not in {None, known}:
        return "reference_differs"
    if not isinstance(outcome, Succeeded):
        return None
    came = payment.received if payment.received_minor else payment.amount
    if outcome.amount == came:
        return None
    same = outcome.amount.currency == came.currency and outcome.amount.minor > 0
    is_sure = same and not payment.received_minor and answered
    return None if is_sure else AMOUNT_DIFFERS


class Attempts:
    """Sends attempts and applies what comes back, whoever brings it, in any order."""

    def __init__(self, db: Database, gateways: Gateways, clock: Clock) -> None:
        self._db = db
        self._gateways = gateways
        self._clock = clock
        self._pages = CheckoutPages(db)

    async def run(
        self, started: Started, authentication: Authentication | None = None
    ) -> Recording:
        """Charge, and apply the outcome; `authentication` goes along now, and with no repeat.

        A process that was held up since `begin` sends nothing: the attempt is another one's soon.
        """
        attempt = started.attempt
        if self._clock() > attempt.created_at + (LEASE - CALL_MAX):
            return Recording(Recorded.OLD)
        gateway = self._gateways.get(attempt.gateway)
        call = started if authentication is None else started.with_proof(authentication)
        outcome = await _asked(attempt, lambda: _send(gateway, call))
        return await self._answered(attempt, outcome)

    async def look(self, attempt: Attempt) -> Recording:
        """Ask the gateway what became of an attempt, and apply the answer."""
        gateway = self._gateways.get(attempt.gateway)
        now = self._clock()
        page = await self._pages.of_attempt(attempt)
        if page is not None:
            outcome = await _asked(attempt, lambda: self._pages.look_up(gateway, page, now))
        else:
            known = await self._known(attempt)
            outcome = await _asked(attempt, lambda: _look(gateway, known, now))
        recording = await self._answered(attempt, outcome)
        if recording.result is Recorded.OLD:
            until = lifecycle.next_look(attempt.outcome, attempt.resolve_count, now)
            async with self._db.own_transaction(account_scope(attempt.account_id)) as conn:
                await attempt_store.postpone(conn, attempt, until, outcome.reference)
        return recording

    async def cancel(self, attempt: Attempt) -> Recording:
        """Make sure that an attempt that waits for its payer can bring no money any more."""
        gateway = self._gateways.get(attempt.gateway)
        checkout = await self._pages.of_attempt(attempt)
        if checkout is not None:
            outcome = await _asked(attempt, lambda: self._pages.end(gateway, checkout))
            return await self._answered(attempt, outcome)
        reference = attempt.gateway_reference
        if reference is None:
            return Recording(Recorded.MISSING)
        key = f"{attempt.idempotency_key}:cancel"
        outcome = await _asked(attempt, lambda: gateway.cancel(reference, key))
        return await self._answered(attempt, outcome)

    async def _answered(self, attempt: Attempt, outcome: Outcome) -> Recording:
        account_id, attempt_id = attempt.account_id, attempt.payment_attempt_id
        return await self.record(account_id, attempt_id, outcome, answered=True)

    async def record(
        self, account_id: UUID, attempt_id: UUID, outcome: Outcome, *, answered: bool = False
    ) -> Recording:
        """Apply an outcome: attempt, payment, books, invoices and outbox in one transaction.

        `answered`: the gateway said so when we asked it, and not by a webhook.
        """
        async with self._db.own_transaction(account_scope(account_id)) as conn:
            pair = await _lock(conn, account_id, attempt_id)
            if pair is None:
                return Recording(Recorded.MISSING)
            payment, attempt = pair
            after = apply_news(attempt, outcome, self._clock())
            problem = contradiction(payment, attempt, outcome, answered=answered)
            if after is None and not isinstance(outcome, Succeeded):
                problem = None
            if after is None and problem is None:
                return Recording(Recorded.OLD)
            if problem is not None:
                await _park(conn, attempt, problem)
                return Recording(Recorded.PARKED, problem)
            assert after is not None  # noqa: S101 - old news are answered above
            await attempt_store.update(conn, after)
            await self._follow(conn, payment, outcome)
            return Recording(Recorded.APPLIED)

    async def _follow(self, conn: Connection, payment: Payment, outcome: Outcome) -> None:
        """Let the payment follow its attempt."""
        if payment.payment_method_id is None and not isinstance(outcome, NeedsAction | Unknown):
            await checkout_ending.end(conn, payment, outcome)
        if isinstance(outcome, Succeeded):
            at = await account_now(conn, payment.account_id, self._clock())
            await booking.succeed(conn, payment, outcome.amount, outcome.reference, at)
            if self._gateways.get(payment.gateway).capabilities.owns_schedule:
                # Its webhooks name charges by the gateway's name alone; some may be waiting.
                await schedules.link(conn, payment, outcome.reference)
                linked = GatewayReferenceLinked(payment.gateway, outcome.reference)
                await outbox.append(conn, payment.account_id, GATEWAY_REFERENCE_LINKED, linked)
        elif isinstance(outcome, Declined):
            await booking.fail(conn, payment, outcome.code, hard=outcome.hard)
        elif isinstance(outcome, NeedsAction):
            named = payment.payment_id, payment.invoice_id, payment.invoice_ids
            told = PaymentActionNeeded(*named)
            await outbox.append(conn, payment.account_id, PAYMENT_ACTION_NEEDED, told)

    async def _known(self, attempt: Attempt) -> Started:
        """Return the call of an attempt that was begun before."""
        account_id = attempt.account_id
        async with self._db.own_transaction(account_scope(account_id)) as conn:
            payment = await store.find(conn, account_id, attempt.payment_id)
            method = await _method(conn, payment) if payment is not None else None
            customer = await method_store.customer(conn, account_id, attempt.gateway)
            if payment is None or method is None or customer is None:
                # `begin` had all three, and none is ever deleted.
                raise LookupError("the attempt has lost its payment, method or customer")
            charge = charge_of(payment, attempt, method, customer)
            return Started(attempt, charge, await schedules.request_of(conn, payment, charge))


async def _send(gateway: Gateway, started: Started) -> Outcome:
    if started.subscribe is not None:
        return await gateway.subscribe(started.subscribe)
    return await gateway.charge(started.charge)


async def _look(gateway: Gateway, started: Started, now: datetime) -> Outcome:
    """Ask what became of a call; a schedule is asked for again, under its key, which begins one."""
    reference = started.attempt.gateway_reference
    if started.subscribe is not None and reference is None:
        return await gateway.subscribe(started.subscribe)
    return await gateway.look_up(started.charge, reference, now)


async def _lock(
    conn: Connection, account_id: UUID, attempt_id: UUID
) -> tuple[Payment, Attempt] | None:
    """Lock an attempt and its payment; the payment first, as everybody does."""
    found = await attempt_store.find(conn, account_id, attempt_id)
    if found is None:
        return None
    payment = await store.lock(conn, account_id, found.payment_id)
    attempt = await attempt_store.lock(conn, account_id, attempt_id)
    return (payment, attempt) if payment is not None and attempt is not None else None


async def _method(conn: Connection, payment: Payment) -> PaymentMethod | None:
    if payment.payment_method_id is None:
        return None
    return await method_store.find(conn, payment.account_id, payment.payment_method_id)


async def _park(conn: Connection, attempt: Attempt, problem: str) -> None:
    """Keep the contradiction for a person: nothing is booked, nobody asks again by himself."""
    log.error(
        "payment_attempt_parked",
        account_id=str(attempt.account_id),
        payment_attempt_id=str(attempt.payment_attempt_id),
        problem=problem,
    )
    unclear = attempt.outcome is AttemptOutcome.CREATED
    outcome = AttemptOutcome.UNKNOWN if unclear else attempt.outcome
    parked = replace(attempt, outcome=outcome, code=problem, resolve_after=None)
    await attempt_store.update(conn, parked)


async def _asked(attempt: Attempt, call: Callable[[], Awaitable[Outcome]]) -> Outcome:
    """Return the gateway's outcome; a fault in its adapter leaves the outcome unknown.

    The call ends before its lease does: nobody looks for a charge that is being sent.
    """
    try:
        async with asyncio.timeout(CALL_MAX.total_seconds()):
            return await call()
    except TimeoutError:
        log.warning("gateway_call_too_long", payment_attempt_id=str(attempt.payment_attempt_id))
        return Unknown("no_answer")
    except Exception:
        log.exception("gateway_call_failed", payment_attempt_id=str(attempt.payment_attempt_id))
        return Unknown("gateway_failed")
