"""What gateways report, applied: idempotent, and in whatever order it comes."""

from uuid import UUID

import msgspec

from tallystick.kernel.clock import Clock
from tallystick.kernel.db import WRITER, Database, account_scope
from tallystick.kernel.errors import NotFound
from tallystick.payments import attempt_store, method_store, methods
from tallystick.payments.attempts import Attempts, Recorded
from tallystick.payments.facts import (
    ChargeReported,
    ChargeSeen,
    CheckoutEnded,
    GatewayEvent,
    Ignored,
    MethodRemoved,
    MethodSaved,
)
from tallystick.payments.gateway import Gateways
from tallystick.payments.outcomes import Outcome, Unknown


class Handled(msgspec.Struct, frozen=True):
    """The event has had its effect."""

    account_id: UUID


class Skipped(msgspec.Struct, frozen=True):
    """The event is nothing to us, now and later."""

    reason: str


class Parked(msgspec.Struct, frozen=True):
    """The event fits nothing here yet, or contradicts it.

    `customer_token`: once this gateway's customer, charge or subscription is linked it may fit.
    """

    reason: str
    customer_token: str | None = None


Verdict = Handled | Skipped | Parked


class GatewayNews:
    """Applies gateway events to methods and payments."""

    def __init__(self, db: Database, gateways: Gateways, tries: Attempts, clock: Clock) -> None:
        self._db = db
        self._gateways = gateways
        self._tries = tries
        self._clock = clock

    async def apply(self, gateway: str, event: GatewayEvent) -> Verdict:
        """Apply an event. Raises Unavailable when the gateway has to be asked and is away."""
        fact = event.fact
        if isinstance(fact, Ignored):
            return Skipped(fact.reason)
        if isinstance(fact, ChargeReported | ChargeSeen):
            return await self._charge(gateway, fact)
        if isinstance(fact, MethodSaved):
            return await self._method_saved(gateway, fact)
        if isinstance(fact, MethodRemoved):
            return await self._method_removed(gateway, fact)
        if isinstance(fact, CheckoutEnded):
            return Skipped("told_by_the_charge")
        # Nobody books it yet; it must not be lost, so it waits.
        return Parked("money_returned")

    async def _charge(self, gateway: str, fact: ChargeReported | ChargeSeen) -> Verdict:
        if isinstance(fact.outcome, Unknown):
            return Skipped("no_news")
        if isinstance(fact, ChargeSeen):
            return await self._seen(gateway, fact)
        async with self._db.transaction(account_scope(fact.account_id)) as conn:
            attempt = await attempt_store.find(conn, fact.account_id, fact.attempt_id)
            customer = await method_store.customer(conn, fact.account_id, gateway)
        if attempt is None or attempt.gateway != gateway:
            return Parked("attempt_unknown")
        if fact.customer_token != customer:
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
        if recording.result is Recorded.PARKED:
            return Parked(recording.problem or "contradiction")
        return Handled(account_id)

    async def _method_saved(self, gateway: str, fact: MethodSaved) -> Verdict:
        """Keep the method as the gateway has it now, whatever the event's age."""
        account_id = await self._account_of(gateway, fact.customer_token)
        if account_id is None:
            return Parked("customer_unknown", fact.customer_token)
        adapter = self._gateways.get(gateway)
        try:
            described = await adapter.describe_method(fact.method_token)
        except NotFound:
            return Skipped("method_gone")
        if described.type not in adapter.capabilities.method_types:
            return Skipped("method_type")
        if described.customer_token not in {None, fact.customer_token}:
            return Parked("customer_differs")
        async with self._db.transaction(account_scope(account_id)) as conn:
            if described.customer_token is not None:
                await methods.save(conn, account_id, gateway, described, self._clock())
            elif not await methods.drop_detached(conn, account_id, gateway, fact.method_token):
                return Skipped("method_not_attached")
        return Handled(account_id)

    async def _method_removed(self, gateway: str, fact: MethodRemoved) -> Verdict:
        account_id = await self._account_of(gateway, fact.customer_token)
        if account_id is None:
            return Parked("customer_unknown", fact.customer_token)
        async with self._db.transaction(account_scope(account_id)) as conn:
            await methods.forget(conn, account_id, gateway, fact.method, self._clock())
        return Handled(account_id)

    async def _account_of(self, gateway: str, customer_token: str) -> UUID | None:
        async with self._db.transaction(WRITER) as conn:
            return await method_store.account_of(conn, gateway, customer_token)
