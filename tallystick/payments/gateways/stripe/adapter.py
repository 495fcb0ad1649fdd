"""Stripe behind the port, through its official SDK (API version 2026-10-28.endive)."""

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from tallystick.kernel.errors import NotFound, Unavailable
from tallystick.payments.breaker import Breaker
from tallystick.payments.facts import BadSignature, Delivery, GatewayEvent, Receipt
from tallystick.payments.gateway import Gateway, no_answer, not_configured
from tallystick.payments.gateways.stripe import events, wire
from tallystick.payments.gateways.stripe.amounts import refusal, to_stripe
from tallystick.payments.gateways.stripe.client import StripeCalls, StripeSettings
from tallystick.payments.gateways.stripe.outcomes import outcome_of_intent, outcome_of_refund
from tallystick.payments.gateways.stripe.signature import check
from tallystick.payments.outcomes import Declined, Outcome, Unknown
from tallystick.payments.requests import (
    Capabilities,
    Charge,
    CustomerDetails,
    MethodDescription,
    PageSecret,
    Refund,
)

if TYPE_CHECKING:
    import stripe

KEYS_KEPT: Final = timedelta(hours=23)
"""Stripe keeps idempotency keys for 24 hours at least; an hour is left for clocks that differ."""
CLOCKS_DIFFER: Final = timedelta(hours=1)
LIST_LIMIT: Final = 100
LIST_PAGES_MAX: Final = 10


class StripeGateway(Gateway):
    """Cards through Stripe. Every POST carries a key of ours, so a repeat changes nothing."""

    name = "stripe"
    capabilities = Capabilities(
        charges_saved_methods=True,
        setups=frozenset({"card"}),
        method_types=frozenset({"card"}),
        keeps_keys=KEYS_KEPT,
        refunds=True,
        refunds_in_part=True,
    )

    def __init__(self, settings: StripeSettings, breaker: Breaker | None = None) -> None:
        self._settings = settings
        self.breaker = breaker or Breaker(self.name)
        self._calls = StripeCalls(settings, self.breaker)

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
        intent = await self._calls.fetch(
            lambda client: client.v1.setup_intents.create_async(
                {
                    "customer": customer_token,
                    "usage": "off_session",
                    "allowed_payment_method_types": [method_type],
                },
                {"idempotency_key": key},
            ),
            wire.SetupIntent,
        )
        return self._page_secret(intent.client_secret)

    async def charge(self, charge: Charge) -> Outcome:
        """Make and confirm a PaymentIntent off session, in one call."""
        refused = refusal(charge.amount)
        if refused is not None:
            return Declined(refused)
        return await self._calls.outcome(
            lambda client: client.v1.payment_intents.create_async(
                {
                    "amount": to_stripe(charge.amount),
                    "currency": charge.amount.currency.lower(),
                    "customer": charge.customer_token,
                    "payment_method": charge.method_token,
                    "allowed_payment_method_types": [charge.method_type],
                    "confirm": True,
                    "off_session": True,
                    "metadata": {
                        "tallystick_account": str(charge.account_id),
                        "tallystick_payment": str(charge.payment_id),
                        "tallystick_attempt": str(charge.attempt_id),
                    },
                },
                {"idempotency_key": charge.key},
            ),
            wire.PaymentIntent,
            outcome_of_intent,
        )

    async def look_up(self, charge: Charge, reference: str | None, now: datetime) -> Outcome:
        """Read it by its id; else repeat its key while Stripe knows it; else search for it."""
        key_is_kept = now - charge.started_at < KEYS_KEPT
        if reference is None:
            outcome = await self._repeat_or_search(charge, key_is_kept=key_is_kept)
        else:
            outcome = await self._read(reference)
        stuck = isinstance(outcome, Unknown) and outcome.code == "unexpected_status"
        if stuck and outcome.reference is not None and not key_is_kept:
            # Made but never confirmed: nothing can be under way any more, so it is put away.
            return await self.cancel(outcome.reference, f"{charge.key}:cancel")
        return outcome

    async def cancel(self, reference: str, key: str) -> Outcome:
        """Cancel the PaymentIntent; when that is refused, its own state says why."""
        outcome = await self._calls.outcome(
            lambda client: client.v1.payment_intents.cancel_async(
                reference, None, {"idempotency_key": key}
            ),
            wire.PaymentIntent,
            outcome_of_intent,
        )
        cancelled = isinstance(outcome, Declined) and outcome.code == "cancelled"
        return outcome if cancelled else await self._read(reference)

    async def start_action(self, reference: str) -> PageSecret:
        """Return the client secret of the PaymentIntent, asked for anew each time."""
        intent = await self._calls.fetch(
            lambda client: client.v1.payment_intents.retrieve_async(reference), wire.PaymentIntent
        )
        return self._page_secret(intent.client_secret)

    async def refund(self, refund: Refund) -> Outcome:
        """Refund a PaymentIntent, in part or whole."""
        return await self._calls.outcome(
            lambda client: client.v1.refunds.create_async(
                {
                    "payment_intent": refund.reference,
                    "amount": to_stripe(refund.amount),
                    "metadata": {
                        "tallystick_account": str(refund.account_id),
                        "tallystick_refund": str(refund.refund_id),
                    },
                },
                {"idempotency_key": refund.key},
            ),
            wire.Refund,
            outcome_of_refund,
        )

    async def look_up_refund(self, refund: Refund, reference: str | None, now: datetime) -> Outcome:
        """Read it by its id; else repeat its key while Stripe knows it."""
        if reference is not None:
            return await self._calls.outcome(
                lambda client: client.v1.refunds.retrieve_async(reference),
                wire.Refund,
                outcome_of_refund,
            )
        if now - refund.started_at < KEYS_KEPT:
            return await self.refund(refund)
        return Unknown("not_found")

    async def describe_method(self, token: str) -> MethodDescription:
        """Retrieve the method."""
        method = await self._calls.fetch(
            lambda client: client.v1.payment_methods.retrieve_async(token), wire.PaymentMethod
        )
        return events.describe(method)

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

    async def close(self) -> None:
        """Close the SDK's connections."""
        await self._calls.close()

    async def _read(self, reference: str) -> Outcome:
        return await self._calls.outcome(
            lambda client: client.v1.payment_intents.retrieve_async(reference),
            wire.PaymentIntent,
            outcome_of_intent,
        )

    async def _repeat_or_search(self, charge: Charge, *, key_is_kept: bool) -> Outcome:
        """Repeat the call; what Stripe kept may be a 500 of its own, so then search too."""
        repeated = await self.charge(charge) if key_is_kept else Declined("never_charged")
        if key_is_kept and not isinstance(repeated, Unknown):
            return repeated
        try:
            return await self._search(charge) or repeated
        except (Unavailable, NotFound):
            return Unknown("no_answer")

    async def _search(self, charge: Charge) -> Outcome | None:
        """Find a charge among its customer's by our id.

        In the list, not by Stripe's search: that one knows a new object only after a while.
        """
        last: str | None = None
        for _ in range(LIST_PAGES_MAX):
            page = await self._list(charge, last)
            for intent in page.data:
                ids = events.our_ids(intent.metadata)
                if ids is not None and ids.tallystick_attempt == charge.attempt_id:
                    return outcome_of_intent(intent)
            if not page.has_more:
                return None
            last = page.data[-1].id
        return Unknown("not_found")

    async def _list(self, charge: Charge, last: str | None) -> wire.Page:
        params: stripe.params.PaymentIntentListParams = {
            "customer": charge.customer_token,
            "created": {"gte": int((charge.started_at - CLOCKS_DIFFER).timestamp())},
            "limit": LIST_LIMIT,
        }
        if last is not None:
            params["starting_after"] = last
        return await self._calls.fetch(
            lambda client: client.v1.payment_intents.list_async(params), wire.Page
        )

    def _page_secret(self, client_secret: str | None) -> PageSecret:
        if client_secret is None:
            raise no_answer(self.name)
        return PageSecret(client_secret, self._settings.publishable_key, self._settings.js_url)
