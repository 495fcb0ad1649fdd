"""Stripe behind the port, through its official SDK (API version 2026-10-28.endive)."""

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Final

from tallystick.money.amount import Money
from tallystick.payments.breaker import Breaker
from tallystick.payments.facts import (
    BadSignature,
    Delivery,
    Fact,
    GatewayEvent,
    ObjectChanged,
    Receipt,
    ReceiptPage,
)
from tallystick.payments.gateway import Gateway, Gateways, no_answer, not_configured
from tallystick.payments.gateways.stripe import (
    charges,
    checkout,
    events,
    listing,
    readers,
    refunds,
    setups,
    wire,
)
from tallystick.payments.gateways.stripe.amounts import refusal
from tallystick.payments.gateways.stripe.client import StripeCalls, StripeSettings
from tallystick.payments.gateways.stripe.meters import StripeMeters
from tallystick.payments.gateways.stripe.mirroring import StripeMirror
from tallystick.payments.gateways.stripe.signature import check
from tallystick.payments.outcomes import Outcome, Unknown
from tallystick.payments.requests import (
    Capabilities,
    Charge,
    CheckoutPage,
    CheckoutRequest,
    CustomerDetails,
    MethodDescription,
    Microdeposits,
    PageSecret,
    Refund,
    SetupResult,
    TransactionPage,
    WaitingSetup,
)

KEYS_KEPT: Final = timedelta(hours=23)
"""Stripe keeps idempotency keys for 24 hours at least; an hour is left for clocks that differ."""
METHOD_TYPES: Final = frozenset({"card", charges.BANK})
EVENTS_KEPT: Final = timedelta(days=30)


class StripeGateway(Gateway):
    """Cards and US bank accounts through Stripe.

    Every POST carries a key of ours, so a repeat changes nothing.
    """

    name = "stripe"
    capabilities = Capabilities(
        charges_saved_methods=True,
        setups=METHOD_TYPES,
        method_types=METHOD_TYPES,
        method_currencies={charges.BANK: frozenset({charges.BANK_CURRENCY})},
        keeps_keys=KEYS_KEPT,
        checkout=frozenset({"payment", "setup", "subscription"}),
        refunds=True,
        refunds_in_part=True,
        lists_events=EVENTS_KEPT,
        lists_transactions=True,
    )

    def __init__(self, settings: StripeSettings, breaker: Breaker | None = None) -> None:
        self._settings = settings
        self.breaker = breaker or Breaker(self.name)
        self._calls = StripeCalls(settings, self.breaker)

    @property
    def mirror(self) -> StripeMirror:
        """Return the reader of what lives at Stripe."""
        return StripeMirror(self._calls)

    @property
    def meters(self) -> StripeMeters:
        """Return the way to Stripe's billing meters."""
        return StripeMeters(self._calls)

    async def ensure_customer(self, details: CustomerDetails, key: str) -> str:
        """Make the customer, then say who it is.

        The first call names nothing that may change: the same key with another e-mail address
        would be refused.
        """
        account = str(details.account_id)
        made = await self._calls.fetch(
            lambda client: client.v1.customers.create_async(
                {"metadata": {"tallystick_account": account}}, {"idempotency_key": key}
            ),
            wire.Named,
        )
        who = hashlib.sha256(f"{details.name}\n{details.email}".encode()).hexdigest()
        await self._calls.fetch(
            lambda client: client.v1.customers.update_async(
                made.id,
                {"name": details.name, "email": details.email},
                {"idempotency_key": f"{key}:{who[:16]}"},
            ),
            wire.Named,
        )
        return made.id

    async def start_setup(self, customer_token: str, key: str, method_type: str) -> PageSecret:
        """Begin a SetupIntent for a method that is charged without the payer."""
        if method_type not in self.capabilities.setups:
            raise self.can_not(f"save a {method_type}")
        intent = await setups.start(self._calls, customer_token, key, method_type)
        return self._page_secret(intent.id, intent.client_secret)

    async def verify_setup(
        self, customer_token: str, reference: str, proof: Microdeposits, key: str
    ) -> SetupResult:
        """Verify microdeposits, whose right answer may be given again."""
        return await setups.verify(self._calls, customer_token, reference, proof, key)

    async def list_waiting_setups(self, customer_token: str) -> tuple[WaitingSetup, ...]:
        """List the setup intents that wait for microdeposits, of the newest hundred."""
        return await setups.waiting(self._calls, customer_token)

    async def charge(self, charge: Charge) -> Outcome:
        """Make and confirm a PaymentIntent off session, in one call."""
        return await charges.charge(self._calls, charge)

    async def look_up(self, charge: Charge, reference: str | None, now: datetime) -> Outcome:
        """Read it by its id; else repeat its key while Stripe knows it; else search for it."""
        key_is_kept = now - charge.started_at < KEYS_KEPT
        if reference is None:
            outcome = await charges.repeat_or_search(self._calls, charge, key_is_kept=key_is_kept)
        else:
            outcome = await charges.read(self._calls, reference)
        stuck = isinstance(outcome, Unknown) and outcome.code == "unexpected_status"
        if stuck and outcome.reference is not None and not key_is_kept:
            # Made but never confirmed: nothing can be under way any more, so it is put away.
            return await self.cancel(outcome.reference, f"{charge.key}:cancel")
        return outcome

    async def cancel(self, reference: str, key: str) -> Outcome:
        """Cancel the PaymentIntent; when that is refused, its own state says why."""
        return await charges.cancel(self._calls, reference, key)

    async def start_action(self, reference: str) -> PageSecret:
        """Return the client secret of the PaymentIntent, asked for anew each time."""
        intent = await self._calls.fetch(
            lambda client: client.v1.payment_intents.retrieve_async(reference), wire.PaymentIntent
        )
        return self._page_secret(reference, intent.client_secret)

    def refusal(self, amount: Money) -> str | None:
        """Say what Stripe's own validation would."""
        return refusal(amount)

    async def start_checkout(self, request: CheckoutRequest) -> CheckoutPage:
        """Make a session of Checkout."""
        session = await checkout.start(self._calls, request)
        if session.url is None:
            raise no_answer(self.name)
        return CheckoutPage(
            session.id, session.url, datetime.fromtimestamp(session.expires_at, UTC)
        )

    async def look_up_checkout(self, reference: str) -> Outcome:
        """Retrieve a session with its payment intent."""
        return await checkout.look_up(self._calls, reference)

    async def end_checkout(self, reference: str, key: str) -> Outcome:
        """Expire a session."""
        return await checkout.end(self._calls, reference, key)

    async def refund(self, refund: Refund) -> Outcome:
        """Refund a PaymentIntent, in part or whole."""
        return await refunds.refund(self._calls, refund)

    async def look_up_refund(self, refund: Refund, reference: str | None, now: datetime) -> Outcome:
        """Read it by its id; else repeat its key while Stripe knows it; else find it by our id."""
        key_is_kept = now - refund.started_at < KEYS_KEPT
        return await refunds.look_up(self._calls, refund, reference, key_is_kept=key_is_kept)

    async def describe_method(self, token: str) -> MethodDescription:
        """Retrieve the method."""
        method = await self._calls.fetch(
            lambda client: client.v1.payment_methods.retrieve_async(token), wire.PaymentMethod
        )
        return readers.describe(method)

    async def detach(self, token: str, key: str) -> None:
        """Detach the method, unless it is detached already: Stripe would refuse that."""
        if (await self.describe_method(token)).customer_token is None:
            return
        await self._calls.fetch(
            lambda client: client.v1.payment_methods.detach_async(
                token, None, {"idempotency_key": key}
            ),
            wire.Named,
        )

    async def verify_webhook(self, delivery: Delivery, now: datetime) -> Receipt:
        """Check the signature over the raw bytes against each secret."""
        if not self._settings.webhook_secrets:
            raise not_configured(self.name)
        headers = {name.lower(): value for name, value in delivery.headers.items()}
        given = headers.get("stripe-signature")
        if given is None:
            raise BadSignature
        check(given, delivery.body, self._settings.webhook_secrets, now)
        return events.receipt(delivery.body)

    def read_event(self, body: bytes) -> GatewayEvent:
        """Read a stored event."""
        return events.read_event(body, livemode=self._settings.livemode)

    async def read_changed(self, changed: ObjectChanged) -> tuple[Fact, ...]:
        """Retrieve the object of a thin event; list the refunds of a charge."""
        return await listing.read_changed(self._calls, changed)

    async def list_events(self, since: datetime, cursor: str | None) -> ReceiptPage:
        """List events, which Stripe keeps for 30 days."""
        return await listing.list_events(self._calls, since, cursor)

    async def list_transactions(
        self, start: datetime, end: datetime, cursor: str | None
    ) -> TransactionPage:
        """List balance transactions with their fees."""
        return await listing.list_transactions(self._calls, start, end, cursor)

    async def close(self) -> None:
        """Close the SDK's connections."""
        await self._calls.close()

    def _page_secret(self, reference: str, client_secret: str | None) -> PageSecret:
        if client_secret is None:
            raise no_answer(self.name)
        return PageSecret(
            client_secret, self._settings.publishable_key, self._settings.js_url, reference
        )


def stripe_of(gateways: Gateways) -> StripeGateway | None:
    """Return Stripe itself, for what other gateways have nothing like; None without its key."""
    if StripeGateway.name not in gateways.names():
        return None
    found = gateways.get(StripeGateway.name)
    return found if isinstance(found, StripeGateway) else None
