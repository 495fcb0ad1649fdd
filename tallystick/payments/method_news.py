"""What gateways report of saved methods and of their owners, applied."""

from uuid import UUID

from tallystick.kernel.clock import Clock
from tallystick.kernel.db import WRITER, Database, account_scope
from tallystick.kernel.errors import NotFound
from tallystick.payments import method_store, methods
from tallystick.payments.facts import CustomerRemoved, MethodRemoved, MethodRevoked, MethodSaved
from tallystick.payments.gateway import Gateways
from tallystick.payments.verdicts import Handled, Parked, Skipped, Verdict

MethodFact = MethodSaved | MethodRemoved | MethodRevoked | CustomerRemoved


class MethodNews:
    """Applies what is told of methods; each may come twice, and in any order."""

    def __init__(self, db: Database, gateways: Gateways, clock: Clock) -> None:
        self._db = db
        self._gateways = gateways
        self._clock = clock

    async def apply(self, gateway: str, fact: MethodFact) -> Verdict:
        """Apply a fact. Raises Unavailable when the gateway has to be asked and is away."""
        if isinstance(fact, MethodRevoked):
            return await self._revoked(gateway, fact)
        account_id = await self._account_of(gateway, fact.customer_token)
        if account_id is None:
            return Parked("customer_unknown", fact.customer_token)
        if isinstance(fact, MethodSaved):
            return await self._saved(account_id, gateway, fact)
        async with self._db.transaction(account_scope(account_id)) as conn:
            if isinstance(fact, MethodRemoved):
                await methods.forget(conn, account_id, gateway, fact.method, self._clock())
            else:
                await methods.drop_customer(
                    conn, account_id, gateway, fact.customer_token, self._clock()
                )
        return Handled(account_id)

    async def _saved(self, account_id: UUID, gateway: str, fact: MethodSaved) -> Verdict:
        """Keep the method as the gateway has it now, whatever the event's age."""
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

    async def _revoked(self, gateway: str, fact: MethodRevoked) -> Verdict:
        """Remove a method that may not be charged any more, here and at the gateway."""
        async with self._db.transaction(WRITER) as conn:
            owner = await method_store.owner_of_active(conn, gateway, fact.method_token)
        if owner is None:
            return Skipped("method_not_active")
        async with self._db.transaction(account_scope(owner)) as conn:
            try:
                found = await methods.find_method(conn, owner, fact.method_token)
                await methods.remove(conn, owner, found.payment_method_id)
            except NotFound:
                return Skipped("method_not_active")
        return Handled(owner)

    async def _account_of(self, gateway: str, customer_token: str) -> UUID | None:
        async with self._db.transaction(WRITER) as conn:
            return await method_store.account_of(conn, gateway, customer_token)
