"""The port behind which every gateway stands, in our words; a vendor's own types stop behind it."""

# ruff: noqa: ARG002 - what a gateway refuses, it refuses whatever it is asked with

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import ClassVar

from tallystick.kernel.errors import BadInput, Conflict, NotFound, Unavailable
from tallystick.money.amount import Money
from tallystick.payments.breaker import Breaker, CircuitState
from tallystick.payments.facts import (
    Back,
    BadSignature,
    Delivery,
    Fact,
    GatewayEvent,
    ObjectChanged,
    Receipt,
    ReceiptPage,
)
from tallystick.payments.outcomes import Outcome
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
    SubscribeRequest,
    SubscriptionView,
    TransactionPage,
    WaitingSetup,
)

KNOWN: frozenset[str] = frozenset({"stripe", "ccbill", "paypal", "manual"})


class Gateway:
    """One gateway. An adapter overrides what its gateway can do, and says so in `capabilities`.

    `charge`, `look_up`, `capture`, `cancel`, `refund`, `look_up_refund` and `subscribe` answer with
    an Outcome, also when the gateway fails. The others raise Unavailable then, and NotFound for an
    object that it does not have. What is not overridden raises Conflict `gateway_can_not`.
    """

    name: ClassVar[str]
    capabilities: Capabilities
    breaker: Breaker | None = None
    """Set by an adapter that leaves its gateway alone for a while when it does not answer."""

    async def ensure_customer(self, details: CustomerDetails, key: str) -> str:
        """Return the token of the customer made with this key, the same for each repeat.

        Where a gateway keeps no customers it is the account's own id.
        """
        return str(details.account_id)

    async def start_setup(self, customer_token: str, key: str, method_type: str) -> PageSecret:
        """Begin to save a method of this type for charges without the payer."""
        raise self.can_not("save a method in its own form")

    async def verify_setup(
        self, customer_token: str, reference: str, proof: Microdeposits, key: str
    ) -> SetupResult:
        """Prove a bank account of this customer by what arrived on it.

        Raises BadInput for a wrong proof, Conflict when no more can be given, NotFound.
        """
        raise self.can_not("verify bank accounts")

    async def list_waiting_setups(self, customer_token: str) -> tuple[WaitingSetup, ...]:
        """List the bank accounts of this customer that `verify_setup` is to prove, newest first."""
        raise self.can_not("verify bank accounts")

    async def save_token(self, customer_token: str, token: str) -> MethodDescription:
        """Return what the token stands for, if it may be charged; raises NotFound if not."""
        raise self.can_not("save tokens")

    async def charge(self, charge: Charge) -> Outcome:
        """Charge once per key, however often it is called. Never raises for a gateway's failure."""
        raise self.can_not("charge")

    async def look_up(self, charge: Charge, reference: str | None, now: datetime) -> Outcome:
        """Find out what became of a charge; it may be carried out with its own key, no other."""
        raise self.can_not("look up a charge")

    async def capture(self, reference: str, amount: Money, key: str) -> Outcome:
        """Take money that was only authorized, or that the payer approved on the gateway's page."""
        raise self.can_not("capture")

    async def cancel(self, reference: str, key: str) -> Outcome:
        """Make sure that a charge that waits for its payer can not go through any more.

        Declined with code `cancelled` when it is so; Succeeded when the payer was faster.
        """
        raise self.can_not("cancel a charge")

    async def start_action(self, reference: str) -> PageSecret:
        """Return what a page needs to let the payer authenticate the charge `reference`."""
        raise self.can_not("let the payer authenticate")

    def refusal(self, amount: Money) -> str | None:
        """Return why this amount can not be charged, one of `declines.DECLINES`; None: it can.

        Known without a call, so it is told before anything is written.
        """
        return None

    async def start_checkout(self, request: CheckoutRequest) -> CheckoutPage:
        """Open a page of the gateway, once per key."""
        raise self.can_not("open a payment page")

    async def look_up_checkout(self, reference: str) -> Outcome:
        """Find out what a page brought; NeedsAction while its payer may still use it."""
        raise self.can_not("look up a payment page")

    async def end_checkout(self, reference: str, key: str) -> Outcome:
        """Make sure that a page can not be used any more.

        Declined with code `cancelled` when it is so; what it brought when the payer was faster.
        """
        raise self.can_not("end a payment page")

    async def refund(self, refund: Refund) -> Outcome:
        """Give money back, once per key."""
        raise self.can_not("refund")

    async def look_up_refund(self, refund: Refund, reference: str | None, now: datetime) -> Outcome:
        """Find out what became of a refund; it may be carried out with its own key, no other."""
        raise self.can_not("look up a refund")

    async def subscribe(self, request: SubscribeRequest) -> Outcome:
        """Let the gateway charge by its own schedule; the reference is that of the subscription.

        Once per key, however often it is called.
        """
        raise self.can_not("renew subscriptions")

    async def cancel_subscription(self, reference: str, key: str) -> None:
        """End the gateway's schedule; again changes nothing. Unavailable: it may have ended."""
        raise self.can_not("renew subscriptions")

    async def view_subscription(self, reference: str) -> SubscriptionView:
        """Return a subscription that the gateway renews, as it has it now."""
        raise self.can_not("tell of a subscription that it renews")

    async def describe_method(self, token: str) -> MethodDescription:
        """Return a saved method as it is now."""
        raise self.can_not("describe a method")

    async def detach(self, token: str, key: str) -> None:
        """Take a method from its customer; doing so again changes nothing."""

    async def verify_webhook(self, delivery: Delivery, now: datetime) -> Receipt:
        """Check who sent it. Raises BadSignature, or BadInput `invalid_payload`."""
        raise BadSignature

    def read_event(self, body: bytes) -> GatewayEvent:
        """Read a receipt's body. Raises BadInput `invalid_payload`."""
        raise BadInput("invalid_payload", f"The gateway {self.name} sends no webhooks.")

    async def read_changed(self, changed: ObjectChanged) -> tuple[Fact, ...]:
        """Ask how an object is now that an event only named; () when it is there no more."""
        raise self.can_not("tell more of its events")

    async def recognize(self, fact: Back) -> Back:
        """Return news of money that went back under our names, where its own may differ."""
        return fact

    async def list_events(self, since: datetime, cursor: str | None) -> ReceiptPage:
        """List what was told since then, as webhooks would have brought it."""
        raise self.can_not("list its events")

    async def list_transactions(
        self, start: datetime, end: datetime, cursor: str | None
    ) -> TransactionPage:
        """List the movements of money in [start, end), UTC."""
        raise self.can_not("list its transactions")

    async def close(self) -> None:
        """Close its connections."""

    def can_not(self, what: str) -> Conflict:
        """Return the error for what this gateway can not do."""
        return Conflict("gateway_can_not", f"The gateway {self.name} can not {what}.")


class Gateways:
    """The gateways that are configured, by name."""

    def __init__(self, adapters: Iterable[Gateway]) -> None:
        self._adapters = {adapter.name: adapter for adapter in adapters}

    def get(self, name: str) -> Gateway:
        """Return a gateway; raises Unavailable when it is not configured, NotFound when unknown."""
        adapter = self._adapters.get(name)
        if adapter is not None:
            return adapter
        if name in KNOWN:
            raise not_configured(name)
        raise NotFound("gateway_not_found", "There is no such gateway.")

    def names(self) -> tuple[str, ...]:
        """Return the names of those that are configured."""
        return tuple(self._adapters)

    def usable(self) -> tuple[str, ...]:
        """Return the names of those to which calls are sent now: what is due there may begin."""
        closed = {name for name, state in self.circuits().items() if state is CircuitState.OPEN}
        return tuple(name for name in self._adapters if name not in closed)

    def circuits(self) -> Mapping[str, CircuitState]:
        """Return how the circuit of each gateway stands that has one."""
        named = ((name, adapter.breaker) for name, adapter in self._adapters.items())
        return {name: breaker.state for name, breaker in named if breaker is not None}

    async def close(self) -> None:
        """Close the connections of all."""
        for adapter in self._adapters.values():
            await adapter.close()


def not_configured(name: str) -> Unavailable:
    """Return the error for a gateway without keys."""
    return Unavailable("gateway_unavailable", f"The gateway {name} is not configured here.")


def token_not_found() -> NotFound:
    """Return the error for a page's token that the gateway does not have, or somebody else does."""
    return NotFound(
        "payment_token_not_found", "This is no payment token of yours; make a new one on the page."
    )


def no_answer(name: str) -> Unavailable:
    """Return the error for a gateway that can not be used at the moment."""
    return Unavailable("gateway_unavailable", f"The gateway {name} does not answer; try again.")
