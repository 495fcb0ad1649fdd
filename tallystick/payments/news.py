"""What gateways report, applied: idempotent, and in whatever order it comes."""

from typing import Final, Protocol
from uuid import UUID

from tallystick.kernel.clock import Clock
from tallystick.kernel.db import WRITER, Database, account_scope
from tallystick.payments import attempt_store, checkout_store, method_store
from tallystick.payments.attempts import AMOUNT_DIFFERS, Attempts, Recorded
from tallystick.payments.checkout_pages import has_expired
from tallystick.payments.facts import (
    ChargeReported,
    ChargeReturned,
    ChargeSeen,
    CheckoutEnded,
    CustomerRemoved,
    DisputeReported,
    Fact,
    GatewayEvent,
    Ignored,
    MethodRemoved,
    MethodRevoked,
    MethodSaved,
    MirrorChanged,
    ObjectChanged,
    RefundReported,
    UsageRefused,
)
from tallystick.payments.gateway import Gateways
from tallystick.payments.method_news import MethodNews
from tallystick.payments.mirrored import MirrorKind
from tallystick.payments.model import AttemptOutcome, CheckoutStatus
from tallystick.payments.outcomes import NeedsAction, Outcome, Unknown
from tallystick.payments.returned_news import ReturnedNews
from tallystick.payments.schedule_news import Fact as ScheduleFact
from tallystick.payments.schedule_news import ScheduleNews
from tallystick.payments.verdicts import Handled, Parked, Skipped, Verdict, together

# Our charges tell of themselves by their payment; names and addresses are the account's own.
_TOLD_ELSEWHERE: Final = {
    MirrorKind.CHARGE: "charge_tells",
    MirrorKind.CUSTOMER: "kept_here",
}


class News(Protocol):
    """Whoever applies gateway events."""

    async def apply(self, gateway: str, event: GatewayEvent) -> Verdict:
        """Apply an event. Raises Unavailable when the gateway has to be asked and is away."""
        ...


class GatewayNews:
    """Applies gateway events to methods and payments."""

    def __init__(
        self,
        db: Database,
        gateways: Gateways,
        tries: Attempts,
        clock: Clock,
        schedule: ScheduleNews | None = None,
    ) -> None:
        self._db = db
        self._gateways = gateways
        self._tries = tries
        self._methods = MethodNews(db, gateways, clock)
        self._schedule = schedule
        self._returned = ReturnedNews(db, gateways, clock)

    async def apply(self, gateway: str, event: GatewayEvent) -> Verdict:
        """Apply an event. Raises Unavailable when the gateway has to be asked and is away."""
        fact = event.fact
        if not isinstance(fact, ObjectChanged):
            return await self._apply(gateway, fact)
        facts = await self._gateways.get(gateway).read_changed(fact)
        return together([await self._apply(gateway, one) for one in facts])

    async def _apply(self, gateway: str, fact: Fact) -> Verdict:
        match fact:
            case Ignored(reason):
                verdict: Verdict = Skipped(reason)
            case ChargeReported() | ChargeSeen():
                verdict = await self._charge(gateway, fact)
            case MethodSaved() | MethodRemoved() | MethodRevoked() | CustomerRemoved():
                verdict = await self._methods.apply(gateway, fact)
            case CheckoutEnded():
                verdict = await self._page_ended(fact)
            case RefundReported() | DisputeReported() | ChargeReturned():
                known = await self._gateways.get(gateway).recognize(fact)
                verdict = await self._returned.apply(gateway, known)
            case MirrorChanged(kind):
                verdict = Skipped(_TOLD_ELSEWHERE.get(kind, "billed_at_stripe"))
            case UsageRefused():
                verdict = Skipped("no_usage_sent")
            case ObjectChanged():
                verdict = Skipped("asked_already")
            case _:
                verdict = await self._schedules(gateway, fact)
        return verdict

    async def _schedules(self, gateway: str, fact: ScheduleFact) -> Verdict:
        if self._schedule is None:
            return Parked("no_schedules_here")
        return await self._schedule.apply(gateway, fact)

    async def _page_ended(self, fact: CheckoutEnded) -> Verdict:
        """End a page; what it brought is its attempt's, and of a page without one nothing."""
        async with self._db.transaction(account_scope(fact.account_id)) as conn:
            found = await checkout_store.find(conn, fact.account_id, fact.checkout_id)
            if found is None or found.payment_attempt_id != fact.attempt_id:
                return Parked("checkout_unknown")
            if found.reference not in {None, fact.reference}:
                return Parked("reference_differs")
            if fact.attempt_id is None:
                expired = has_expired(fact.outcome)
                status = CheckoutStatus.EXPIRED if expired else CheckoutStatus.COMPLETE
                await checkout_store.end(conn, found, status)
                return Handled(fact.account_id)
        if isinstance(fact.outcome, NeedsAction | Unknown):
            return Skipped("no_news")
        return await self._record(fact.account_id, fact.attempt_id, fact.outcome)

    async def _charge(self, gateway: str, fact: ChargeReported | ChargeSeen) -> Verdict:
        if isinstance(fact.outcome, Unknown):
            return Skipped("no_news")
        if isinstance(fact, ChargeSeen):
            return await self._seen(gateway, fact)
        async with self._db.transaction(account_scope(fact.account_id)) as conn:
            attempt = await attempt_store.find(conn, fact.account_id, fact.attempt_id)
            is_theirs = await method_store.was_customer(
                conn, fact.account_id, gateway, fact.customer_token
            )
        if attempt is None or attempt.gateway != gateway:
            return Parked("attempt_unknown")
        if not is_theirs:
            # Our ids on another customer's charge: somebody copied the metadata.
            return Parked("customer_differs")
        return await self._record(fact.account_id, fact.attempt_id, fact.outcome)

    async def _seen(self, gateway: str, fact: ChargeSeen) -> Verdict:
        async with self._db.transaction(WRITER) as conn:
            attempt = await attempt_store.find_by_reference(conn, gateway, fact.reference)
        if attempt is None:
            return Parked("charge_unknown", fact.reference)
        return await self._record(attempt.account_id, attempt.payment_attempt_id, fact.outcome)

    async def _record(self, account_id: UUID, attempt_id: UUID, outcome: Outcome) -> Verdict:
        recording = await self._tries.record(account_id, attempt_id, outcome)
        if recording.problem == AMOUNT_DIFFERS and await self._look(account_id, attempt_id):
            recording = await self._tries.record(account_id, attempt_id, outcome)
        if recording.result is Recorded.PARKED:
            return Parked(recording.problem or "contradiction")
        return Handled(account_id)

    async def _look(self, account_id: UUID, attempt_id: UUID) -> bool:
        """Ask the gateway about a charge that it named and that did not come yet; return if so."""
        async with self._db.transaction(account_scope(account_id)) as conn:
            attempt = await attempt_store.find(conn, account_id, attempt_id)
        if attempt is None or attempt.gateway_reference is None:
            return False
        if attempt.outcome is AttemptOutcome.SUCCEEDED:
            return False
        await self._tries.look(attempt)
        return True
