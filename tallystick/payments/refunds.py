"""Refunds at gateways: the wishes of credit notes carried out, once, whatever a gateway answers.

A wish is shared over the payments of its invoice, a row is committed for each refund, then the
gateway is asked, outside any transaction. Who finds a row without an answer looks the refund up; it
is carried out with its own key or not at all. Locks: payments (by id), invoice, wish, books.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog
from msgspec.structs import replace

from tallystick.credit_notes import refunds as wishes
from tallystick.credit_notes.model import Refund as Wish
from tallystick.credit_notes.model import RefundPart, RefundStatus
from tallystick.credit_notes.states import no_move
from tallystick.kernel.clock import Clock, account_now
from tallystick.kernel.db import WRITER, Connection, Database, account_scope
from tallystick.kernel.errors import Conflict
from tallystick.kernel.ids import new_id
from tallystick.payments import lifecycle, refund_plan, refund_standing, refund_states
from tallystick.payments import refund_store as store
from tallystick.payments.attempts import Recorded, Recording
from tallystick.payments.gateway import Gateways
from tallystick.payments.lifecycle import CALL_MAX, LEASE
from tallystick.payments.model import AttemptOutcome
from tallystick.payments.outcomes import Outcome, Unknown
from tallystick.payments.refund_model import Giver, RefundAttempt
from tallystick.payments.refund_plan import Part
from tallystick.payments.requests import Capabilities, Refund

log = structlog.get_logger()

BATCH_MAX: Final = 10
BY_HAND: Final = "by_hand"


class Refunds:
    """Carries refunds out, and applies what comes back, whoever brings it, in any order."""

    def __init__(self, db: Database, gateways: Gateways, clock: Clock) -> None:
        self._db = db
        self._gateways = gateways
        self._clock = clock

    async def begin_due(self, now: datetime) -> int:  # noqa: ARG002 - a kind of due work
        """Begin one batch of wishes that nobody looked at yet; return how many those were."""
        async with self._db.own_transaction(WRITER) as conn:
            due = await wishes.due_refunds(conn, BATCH_MAX)
        return sum([await self._begin_one(wish) for wish in due])

    async def look_due(self, now: datetime) -> int:
        """Look at one batch of refunds whose answer is overdue; return how many those were."""
        names = self._gateways.usable()
        async with self._db.own_transaction(WRITER) as conn:
            due = await store.lease_due(conn, now, LEASE, names, BATCH_MAX)
        await _all(self.look(attempt) for attempt in due)
        return len(due)

    async def retry(self, account_id: UUID, refund_id: UUID) -> Wish:
        """Ask gateways again, for a person; outside any transaction.

        What is under way is looked up now; what waits is begun anew. Raises NotFound, Conflict
        `refund_made`, `refund_canceled`, and `refund_by_hand` when there is no gateway to ask.
        """
        async with self._db.own_transaction(WRITER) as conn:
            wish = await wishes.get_refund(conn, account_id, refund_id)
            tried = await store.of_refund(conn, account_id, refund_id)
            started = await self.begin(conn, wish)
        if wish.status is RefundStatus.PROCESSING:
            await _all(self.look(one) for one in tried if one.outcome in refund_states.LIVE)
        elif wish.status is not RefundStatus.REQUESTED:
            raise no_move(wish.status)
        elif not started:
            text = "No payment of this invoice can be refunded at its gateway; pay it back by hand."
            raise Conflict("refund_by_hand", text)
        await self.send(started)
        async with self._db.own_transaction(WRITER) as conn:
            return await wishes.get_refund(conn, account_id, refund_id)

    async def begin(
        self, conn: Connection, wish: Wish, only: UUID | None = None
    ) -> list[RefundAttempt]:
        """Write the refunds of a wish that waits, to be sent behind the transaction.

        Of the payment `only`, or of all of its invoice. None: it is a person's, or was begun.
        """
        givers = await store.lock_givers(conn, wish.account_id, [wish.invoice_id])
        wish = await wishes.lock_refund(conn, wish.account_id, wish.refund_id)
        if wish.status is not RefundStatus.REQUESTED:
            return []
        asked = [one for one in givers if only in {None, one.payment_id}]
        parts = refund_plan.plan(wish.left.minor, wish.invoice_id, asked, self._abilities())
        if not parts:
            await wishes.hand_over(conn, wish, BY_HAND)
            return []
        number = await store.next_number(conn, wish.account_id, wish.refund_id)
        wall = self._clock()
        attempts = [_first(wish, part, at, wall) for at, part in enumerate(parts, number)]
        for attempt in attempts:
            await store.insert(conn, attempt)
        await wishes.start(conn, wish)
        return attempts

    async def send(self, attempts: Sequence[RefundAttempt]) -> None:
        """Ask the gateways, and apply their answers; outside any transaction.

        A failure here leaves a row that `look_due` takes up.
        """
        await _all(self._send(attempt) for attempt in attempts)

    async def record(self, account_id: UUID, attempt_id: UUID, outcome: Outcome) -> Recording:
        """Apply an outcome: refund, wish, payment, books and outbox in one transaction."""
        async with self._db.own_transaction(account_scope(account_id)) as conn:
            found = await store.find(conn, account_id, attempt_id)
            if found is None:
                return Recording(Recorded.MISSING)
            givers = await store.lock_givers(conn, account_id, [found.invoice_id])
            was = await store.lock(conn, account_id, attempt_id)
            assert was is not None  # noqa: S101 - found above, and none is ever deleted
            problem = refund_states.contradiction(was, outcome)
            if problem is not None:
                await _park(conn, was, problem)
                return Recording(Recorded.PARKED, problem)
            now = refund_states.apply_news(was, outcome, self._clock())
            if now is None:
                return Recording(Recorded.OLD)
            await store.update(conn, now)
            at = await account_now(conn, account_id, self._clock())
            await _follow(conn, was, now, at)
            for giver in givers:
                if giver.payment_id == now.payment_id:
                    await refund_standing.refresh(conn, giver)
        return Recording(Recorded.APPLIED)

    async def _begin_one(self, wish: Wish) -> int:
        """Begin and send one wish; one that can not be begun stops no other, and waits a second."""
        try:
            async with self._db.own_transaction(WRITER) as conn:
                started = await self.begin(conn, wish)
        except Exception:
            log.exception("refund_not_begun", refund_id=str(wish.refund_id))
            return 0
        await self.send(started)
        return 1

    async def _send(self, attempt: RefundAttempt) -> None:
        if self._clock() > attempt.created_at + (LEASE - CALL_MAX):
            return  # held up since it was written: it is another one's soon
        gateway, request = self._gateways.get(attempt.gateway), await self._request(attempt)
        outcome = await _asked(attempt, lambda: gateway.refund(request))
        await self.record(attempt.account_id, attempt.refund_attempt_id, outcome)

    async def look(self, attempt: RefundAttempt) -> Recording:
        """Ask the gateway what became of a refund, and apply the answer."""
        gateway, request = self._gateways.get(attempt.gateway), await self._request(attempt)
        now, reference = self._clock(), attempt.gateway_reference
        outcome = await _asked(attempt, lambda: gateway.look_up_refund(request, reference, now))
        told = await self.record(attempt.account_id, attempt.refund_attempt_id, outcome)
        if told.result is Recorded.OLD:
            until = lifecycle.next_look(attempt.outcome, attempt.resolve_count, now)
            async with self._db.own_transaction(account_scope(attempt.account_id)) as conn:
                await store.postpone(conn, attempt, until, outcome.reference)
        return told

    async def _request(self, attempt: RefundAttempt) -> Refund:
        """Return the call of a refund, equal whenever it is made."""
        async with self._db.own_transaction(account_scope(attempt.account_id)) as conn:
            charged = await store.received(conn, attempt.account_id, attempt.payment_id)
        return Refund(
            key=attempt.idempotency_key or "",
            reference=attempt.charge_reference,
            amount=attempt.amount,
            charged=charged,
            account_id=attempt.account_id,
            refund_id=attempt.refund_attempt_id,
            started_at=attempt.created_at,
        )

    def _abilities(self) -> dict[str, Capabilities]:
        """Return what each gateway can do; what was paid by hand is paid back by hand."""
        names = [name for name in self._gateways.names() if name != wishes.MANUAL]
        return {name: self._gateways.get(name).capabilities for name in names}


async def _follow(conn: Connection, was: RefundAttempt, now: RefundAttempt, at: datetime) -> None:
    """Let the wish follow its refund."""
    wish = await wishes.lock_refund(conn, now.account_id, now.refund_id)
    if now.outcome is AttemptOutcome.SUCCEEDED:
        wish = await wishes.make_part(conn, wish, part_of(now, at))
    elif was.outcome is AttemptOutcome.SUCCEEDED:
        code = now.code or "refund_failed"
        wish = await wishes.take_part_back(conn, wish, now.refund_attempt_id, code, at)
    is_open = wish.status is RefundStatus.PROCESSING
    if is_open and not await store.has_live(conn, now.account_id, now.refund_id):
        is_refused = now.outcome is AttemptOutcome.DECLINED
        await wishes.hand_over(conn, wish, (now.code or "refund_failed") if is_refused else BY_HAND)


def part_of(attempt: RefundAttempt, at: datetime) -> RefundPart:
    """Return a refund that succeeded as a part of its wish."""
    return RefundPart(
        account_id=attempt.account_id,
        refund_part_id=attempt.refund_attempt_id,
        refund_id=attempt.refund_id,
        amount=attempt.amount,
        through=attempt.gateway,
        reference=attempt.gateway_reference or attempt.charge_reference,
        made_at=at,
    )


def _first(wish: Wish, part: Part, number: int, wall: datetime) -> RefundAttempt:
    """Return a refund as it is before its call."""
    attempt = told(wish, part.giver, part.amount_minor, number, wall)
    return replace(
        attempt,
        idempotency_key=f"refund:{wish.refund_id}:{number}",
        outcome=AttemptOutcome.CREATED,
        resolve_after=wall + LEASE,
        ended_at=None,
    )


def told(wish: Wish, giver: Giver, minor: int, number: int, wall: datetime) -> RefundAttempt:
    """Return a refund that was made without us, at the gateway or by hand."""
    return RefundAttempt(
        account_id=wish.account_id,
        refund_attempt_id=new_id(),
        refund_id=wish.refund_id,
        invoice_id=wish.invoice_id,
        payment_id=giver.payment_id,
        number=number,
        idempotency_key=None,
        gateway=giver.gateway,
        charge_reference=giver.charge_reference,
        currency=wish.currency,
        amount_minor=minor,
        outcome=AttemptOutcome.SUCCEEDED,
        gateway_reference=None,
        code=None,
        resolve_after=None,
        resolve_count=0,
        created_at=wall,
        ended_at=wall,
    )


async def _park(conn: Connection, attempt: RefundAttempt, problem: str) -> None:
    """Keep the contradiction for a person: nothing is booked, nobody asks again by himself."""
    log.error(
        "refund_attempt_parked",
        account_id=str(attempt.account_id),
        refund_attempt_id=str(attempt.refund_attempt_id),
        problem=problem,
    )
    if attempt.outcome in refund_states.LIVE:
        parked = replace(attempt, outcome=AttemptOutcome.UNKNOWN, code=problem, resolve_after=None)
        await store.update(conn, parked)


async def _asked(attempt: RefundAttempt, call: Callable[[], Awaitable[Outcome]]) -> Outcome:
    """Return the gateway's outcome; a fault in its adapter leaves the outcome unknown.

    The call ends before its lease does: nobody looks for a refund that is being sent.
    """
    try:
        async with asyncio.timeout(CALL_MAX.total_seconds()):
            return await call()
    except TimeoutError:
        log.warning("gateway_call_too_long", refund_attempt_id=str(attempt.refund_attempt_id))
        return Unknown("no_answer")
    except Exception:
        log.exception("gateway_refund_failed", refund_attempt_id=str(attempt.refund_attempt_id))
        return Unknown("gateway_failed")


async def _all(calls: Iterable[Awaitable[object]]) -> None:
    """Wait for all; a failure is logged: its row stays, and is looked at after its lease."""
    for failure in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(failure, BaseException):
            log.error("refund_step_failed", exc_info=failure)
