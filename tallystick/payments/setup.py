"""Saving a method: the account's customer at the gateway, made once, and a form for the page."""

from uuid import UUID

from msgspec.structs import replace

from tallystick.accounts import service as accounts
from tallystick.kernel import outbox
from tallystick.kernel.clock import Clock
from tallystick.kernel.db import WRITER, Connection, Database, account_scope
from tallystick.kernel.errors import Conflict
from tallystick.kernel.ids import new_id
from tallystick.payments import method_store as store
from tallystick.payments import methods
from tallystick.payments.events import (
    GATEWAY_CUSTOMER_LINKED,
    GatewayCustomerLinked,
    PaymentMethodRemoved,
)
from tallystick.payments.gateway import Gateways, token_not_found
from tallystick.payments.model import PaymentMethod
from tallystick.payments.requests import (
    Card,
    CustomerDetails,
    Microdeposits,
    PageSecret,
    SetupResult,
    WaitingSetup,
)


class CardSetup:
    """Lets a customer save a card or a bank account."""

    def __init__(self, db: Database, gateways: Gateways, clock: Clock) -> None:
        self._db = db
        self._gateways = gateways
        self._clock = clock

    async def start_card_setup(
        self, account_id: UUID, gateway_name: str = "stripe", method_type: str = "card"
    ) -> PageSecret:
        """Return what the page needs to save a method for charges without the payer.

        Call it outside any transaction: it asks the gateway. Raises Unavailable when the gateway
        is not configured or does not answer, NotFound for the account.
        """
        gateway = self._gateways.get(gateway_name)
        customer = await self.ensure_customer(account_id, gateway_name)
        return await gateway.start_setup(customer, f"setup:{new_id()}", method_type)

    async def verify_setup(
        self, account_id: UUID, reference: str, proof: Microdeposits, gateway_name: str = "stripe"
    ) -> SetupResult:
        """Prove a bank account of the account by what arrived on it.

        Call it outside any transaction. Raises NotFound for what is not the account's, BadInput
        for a wrong proof, Conflict when no more can be given, Unavailable.
        """
        gateway = self._gateways.get(gateway_name)
        customer = await self.ensure_customer(account_id, gateway_name)
        return await gateway.verify_setup(customer, reference, proof, f"verify:{new_id()}")

    async def waiting_setups(
        self, account_id: UUID, gateway_name: str = "stripe"
    ) -> tuple[WaitingSetup, ...]:
        """List the account's bank accounts that wait for `verify_setup`, newest first.

        () where the gateway is not configured, or never heard of the account. Call it outside any
        transaction. Raises Unavailable when the gateway does not answer.
        """
        if gateway_name not in self._gateways.names():
            return ()
        async with self._db.own_transaction(account_scope(account_id)) as conn:
            customer = await store.customer(conn, account_id, gateway_name)
        if customer is None:
            return ()
        return await self._gateways.get(gateway_name).list_waiting_setups(customer)

    async def ensure_customer(self, account_id: UUID, gateway_name: str) -> str:
        """Return the account's customer at the gateway, made on first need and once.

        Two who ask at once send the same key, so the gateway makes one customer for both.
        """
        gateway = self._gateways.get(gateway_name)
        async with self._db.own_transaction(account_scope(account_id)) as conn:
            account = await accounts.get_account(conn, account_id)
            known = await store.customer(conn, account_id, gateway_name)
            deleted = await store.removed_count(conn, account_id, gateway_name)
        if known is not None:
            return known
        details = CustomerDetails(account_id, account.name, account.email)
        # With the first key the gateway would give the deleted customer back, as it was made.
        key = f"cus:{account_id}:{deleted}" if deleted else f"cus:{account_id}"
        token = await gateway.ensure_customer(details, key)
        async with self._db.own_transaction(account_scope(account_id)) as conn:
            return await self._link(conn, account_id, gateway_name, token)

    async def save_token(
        self,
        account_id: UUID,
        gateway_name: str,
        token: str,
        *,
        shown: Card | None = None,
        make_default: bool = False,
    ) -> PaymentMethod:
        """Keep a token that a page's script made; `shown` is what the page knows of its card.

        Call it outside any transaction: it asks the gateway. Raises NotFound
        `payment_token_not_found`, also for another account's; Conflict `payment_token_expired`,
        `payment_method_removed`; Unavailable.
        """
        gateway = self._gateways.get(gateway_name)
        async with self._db.own_transaction(WRITER) as conn:
            owner = await store.owner_of_token(conn, gateway_name, token)
        if owner not in {None, account_id}:
            raise token_not_found()
        customer = await self.ensure_customer(account_id, gateway_name)
        described = await gateway.save_token(customer, token)
        described = replace(described, card=described.card or shown)
        async with self._db.own_transaction(account_scope(account_id)) as conn:
            saved = await methods.save(conn, account_id, gateway_name, described, self._clock())
            if saved is None:
                raise Conflict(
                    "payment_method_removed", "This payment method was removed; save the card anew."
                )
            if make_default:
                saved = await methods.set_default(conn, account_id, saved.payment_method_id)
            return saved

    async def detach_removed(self, removed: PaymentMethodRemoved) -> None:
        """Tell the gateway of a method that was removed here; again and again does no harm."""
        gateway = self._gateways.get(removed.gateway)
        await gateway.detach(removed.token, f"detach:{removed.payment_method_id}")

    async def _link(self, conn: Connection, account_id: UUID, gateway_name: str, token: str) -> str:
        if await store.link(conn, account_id, gateway_name, token, self._clock()):
            told = GatewayCustomerLinked(gateway_name, token)
            await outbox.append(conn, account_id, GATEWAY_CUSTOMER_LINKED, told)
            return token
        known = await store.customer(conn, account_id, gateway_name)
        if known is None:
            raise Conflict(
                "gateway_customer_taken",
                "This customer of the gateway belongs to another account; ask support.",
            )
        return known
